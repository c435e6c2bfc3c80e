/** Data volumes: create, attach, detach, delete, describe. */
import { CloudError } from '../../world/cloud-error.ts';
import type { Instance, Volume } from '../../world/model.ts';
import { invalidValue } from '../query-params.ts';
import type { XmlObject } from '../xml.ts';
import { readVolumeKind } from './block-devices.ts';
import { type Cloud, DONE, type Ec2Call } from './call.ts';
import { applyFilters } from './filters.ts';
import { paginate } from './paging.ts';
import { readTagSpecification, tagSet } from './tag-set.ts';

/** Answers when the volume can be attached; EC2 would still be creating it. */
export async function createVolume(call: Ec2Call): Promise<XmlObject> {
  const { params, cloud } = call;
  const { world } = cloud;
  const zone = params.required('AvailabilityZone');
  if (!world.region.subnets.some((subnet) => subnet.zone === zone)) {
    throw new CloudError('InvalidZone.NotFound', `The zone '${zone}' does not exist.`);
  }
  const draft = world.draft();
  const volume: Volume = {
    ...readVolumeKind(params, 'Size', world.state),
    id: draft.id('vol'),
    zone,
    root: false,
    state: 'creating',
    createTime: draft.now,
    tags: readTagSpecification(params, 'volume'),
  };
  draft.put('volumes', volume.id, volume);
  call.commit(draft, { name: 'volume.created', subject: volume.id });
  try {
    await cloud.runtime.createVolume({ ...volume, volumeId: volume.id });
    save(cloud, { ...volume, state: 'available' }, 'volume.available');
  } catch (error) {
    save(cloud, { ...volume, state: 'error' }, 'volume.failed');
    throw error;
  }
  return volumeXml(volume);
}

/** Refused while it is attached. */
export async function deleteVolume(call: Ec2Call): Promise<XmlObject> {
  const volume = requireVolume(call.cloud, call.params.required('VolumeId'));
  if (volume.attachment) {
    throw new CloudError(
      'VolumeInUse',
      `Volume ${volume.id} is currently attached to ${volume.attachment.instanceId}`,
    );
  }
  call.endDryRun();
  await call.cloud.runtime.deleteVolume(volume.id);
  const draft = call.cloud.world.draft();
  draft.remove('volumes', volume.id);
  call.commit(draft, { name: 'volume.deleted', subject: volume.id });
  return DONE;
}

/** Needs the zone of the instance, and a device name that is free. */
export async function attachVolume(call: Ec2Call): Promise<XmlObject> {
  const { params, cloud } = call;
  const volume = requireVolume(cloud, params.required('VolumeId'));
  const instance = requireInstance(cloud, params.required('InstanceId'));
  const device = params.required('Device');
  if (volume.state !== 'available') {
    throw new CloudError('VolumeInUse', `Volume '${volume.id}' is not available: it is ${volume.state}`);
  }
  if (volume.zone !== instance.zone) {
    throw new CloudError(
      'InvalidVolume.ZoneMismatch',
      `The volume '${volume.id}' is not in the same availability zone as instance '${instance.id}'`,
    );
  }
  if (instance.state !== 'running' && instance.state !== 'stopped') {
    throw new CloudError('IncorrectState', `Instance '${instance.id}' is not 'running' or 'stopped'.`);
  }
  if (instance.blockDevices.some((one) => one.device === device)) {
    throw invalidValue(device, 'unixDevice', `Attachment point ${device} is already in use`);
  }
  const attached = recordAttachment(call, volume, instance, device);
  try {
    if (instance.state === 'running') await cloud.runtime.attachVolume(volume.id, instance.id, device);
  } catch (error) {
    recordDetachment(cloud, attached, 'volume.attach-failed');
    throw error;
  }
  return attachmentXml(attached) ?? {};
}

/** Taken before the runtime is asked: a second request for the volume or the device must not slip in between. */
function recordAttachment(call: Ec2Call, volume: Volume, instance: Instance, device: string): Volume {
  const draft = call.cloud.world.draft();
  const attached: Volume = {
    ...volume,
    state: 'in-use',
    attachment: {
      instanceId: instance.id,
      device,
      at: draft.now,
      deleteOnTermination: false,
    },
  };
  draft.put('volumes', volume.id, attached);
  const entry = { device, volumeId: volume.id, deleteOnTermination: false };
  draft.put('instances', instance.id, { ...instance, blockDevices: [...instance.blockDevices, entry] });
  call.commit(draft, {
    name: 'volume.attached',
    subject: volume.id,
    detail: { instanceId: instance.id, device },
  });
  return attached;
}

function recordDetachment({ world }: Cloud, volume: Volume, name: string): void {
  const { attachment, ...free } = volume;
  const instance = attachment && world.state.instances.get(attachment.instanceId);
  const draft = world.draft();
  draft.put('volumes', volume.id, { ...free, state: 'available' });
  if (instance) {
    const blockDevices = instance.blockDevices.filter((device) => device.volumeId !== volume.id);
    draft.put('instances', instance.id, { ...instance, blockDevices });
  }
  world.commit(draft, { name, subject: volume.id });
}

/** Refused for root volumes. The answer says `detaching`; it is detached by then. */
export async function detachVolume(call: Ec2Call): Promise<XmlObject> {
  const { params, cloud } = call;
  const volume = requireVolume(cloud, params.required('VolumeId'));
  const { attachment } = volume;
  if (!attachment)
    throw new CloudError('IncorrectState', `Volume '${volume.id}' is in the 'available' state.`);
  if (volume.root) {
    throw new CloudError(
      'OperationNotPermitted',
      `Unable to detach root volume '${volume.id}' from instance '${attachment.instanceId}'`,
    );
  }
  call.endDryRun();
  await cloud.runtime.detachVolume(volume.id, attachment.instanceId);
  recordDetachment(cloud, volume, 'volume.detached');
  return { ...attachmentXml(volume), status: 'detaching' };
}

/** Root and data volumes; unknown ids are refused. */
export function describeVolumes({ params, cloud }: Ec2Call): XmlObject {
  const ids = params.list('VolumeId');
  const chosen =
    ids.length > 0 ? ids.map((id) => requireVolume(cloud, id)) : [...cloud.world.state.volumes.values()];
  const found = applyFilters(params, chosen, {
    'volume-id': (volume) => [volume.id],
    status: (volume) => [volume.state],
    size: (volume) => [String(volume.sizeGiB)],
    'volume-type': (volume) => [volume.type],
    'snapshot-id': (volume) => [volume.snapshotId],
    'availability-zone': (volume) => [volume.zone],
    'attachment.instance-id': (volume) => [volume.attachment?.instanceId],
    'attachment.device': (volume) => [volume.attachment?.device],
    'attachment.status': (volume) => [volume.attachment && 'attached'],
  });
  const page = paginate(params, found, { min: 5, max: 1000 });
  return { volumeSet: { item: page.records.map(volumeXml) }, nextToken: page.nextToken };
}

/** @throws CloudError InvalidVolume.NotFound */
export function requireVolume({ world }: Cloud, id: string): Volume {
  const volume = world.state.volumes.get(id);
  if (!volume) throw new CloudError('InvalidVolume.NotFound', `The volume '${id}' does not exist.`);
  return volume;
}

function requireInstance({ world }: Cloud, id: string): Instance {
  const instance = world.state.instances.get(id);
  if (!instance) throw new CloudError('InvalidInstanceID.NotFound', `The instance ID '${id}' does not exist`);
  return instance;
}

function save({ world }: Cloud, volume: Volume, name: string): void {
  const draft = world.draft();
  draft.put('volumes', volume.id, volume);
  world.commit(draft, { name, subject: volume.id });
}

function volumeXml(volume: Volume): XmlObject {
  return {
    volumeId: volume.id,
    size: volume.sizeGiB,
    snapshotId: volume.snapshotId ?? '',
    availabilityZone: volume.zone,
    status: volume.state,
    createTime: new Date(volume.createTime),
    attachmentSet: { item: attachmentXml(volume) },
    tagSet: tagSet(volume.tags),
    volumeType: volume.type,
    iops: volume.iops,
    throughput: volume.throughput,
    encrypted: false,
    multiAttachEnabled: false,
  };
}

function attachmentXml({ id, attachment }: Volume): XmlObject | undefined {
  if (!attachment) return undefined;
  const { instanceId, device, at, deleteOnTermination } = attachment;
  return {
    volumeId: id,
    instanceId,
    device,
    status: 'attached',
    attachTime: new Date(at),
    deleteOnTermination,
  };
}
