/** Instances as EC2 shows them. A record never changes, so its XML is made once. */
import { privateName } from '../../world/ipv4.ts';
import { ROOT_DEVICE } from '../../world/launches.ts';
import type { Instance, InstanceState, SecurityGroup } from '../../world/model.ts';
import type { World } from '../../world/world.ts';
import { RawXml, writeXml, type XmlObject } from '../xml.ts';
import { tagSet } from './tag-set.ts';

const STATE_CODES: Readonly<Record<InstanceState, number>> = {
  pending: 0,
  running: 16,
  'shutting-down': 32,
  terminated: 48,
  stopping: 64,
  stopped: 80,
};

/** `<code>` and `<name>` of a state. */
export function stateXml(state: InstanceState): { readonly code: number; readonly name: string } {
  return { code: STATE_CODES[state], name: state };
}

/** Keeps the XML of each record as long as the record lives. */
export class InstanceXml {
  readonly #world: World;
  readonly #cache = new WeakMap<Instance, RawXml>();

  constructor(world: World) {
    this.#world = world;
  }

  /** Instances as the reservations that launched them. */
  reservations(instances: readonly Instance[]): readonly XmlObject[] {
    const groups = Map.groupBy(instances, (instance) => instance.reservationId);
    return [...groups].map(([reservationId, members]) => this.reservation(reservationId, members));
  }

  reservation(reservationId: string, instances: readonly Instance[]): XmlObject {
    return {
      reservationId,
      ownerId: this.#world.region.accountId,
      groupSet: {},
      instancesSet: { item: instances.map((instance) => this.#one(instance)) },
    };
  }

  #one(instance: Instance): RawXml {
    let xml = this.#cache.get(instance);
    if (!xml) {
      xml = new RawXml(writeXml(instanceElements(instance, this.#world)));
      this.#cache.set(instance, xml);
    }
    return xml;
  }
}

function instanceElements(instance: Instance, world: World): XmlObject {
  const gone = instance.state === 'terminated';
  const groups = instance.securityGroupIds.map((id) => groupXml(id, world.state.securityGroups));
  return {
    instanceId: instance.id,
    imageId: instance.imageId,
    instanceState: stateXml(instance.state),
    ...networkElements(instance, world, gone),
    reason: instance.stateReason?.code ?? '',
    keyName: instance.keyName,
    amiLaunchIndex: instance.launchIndex,
    productCodes: {},
    instanceType: instance.type,
    launchTime: new Date(instance.launchTime),
    placement: { availabilityZone: instance.zone, groupName: '', tenancy: 'default' },
    monitoring: { state: 'disabled' },
    groupSet: { item: gone ? [] : groups },
    stateReason: instance.stateReason,
    architecture: 'x86_64',
    rootDeviceType: 'ebs',
    rootDeviceName: ROOT_DEVICE,
    blockDeviceMapping: { item: blockDevices(instance, world) },
    virtualizationType: 'hvm',
    instanceLifecycle: instance.spot ? 'spot' : undefined,
    clientToken: instance.clientToken ?? '',
    tagSet: tagSet(instance.tags),
    hypervisor: 'xen',
    iamInstanceProfile: instance.profileArn && { arn: instance.profileArn, id: 'AIPAXXXXXXXXXXXXXXXXX' },
    ebsOptimized: false,
    metadataOptions: {
      state: 'applied',
      httpTokens: 'required',
      httpPutResponseHopLimit: instance.metadata.hopLimit,
      httpEndpoint: 'enabled',
      instanceMetadataTags: instance.metadata.tags ? 'enabled' : 'disabled',
    },
  };
}

/** A terminated instance has given its network back. */
function networkElements(instance: Instance, world: World, gone: boolean): XmlObject {
  if (gone) return { privateDnsName: '', dnsName: '' };
  return {
    privateDnsName: privateName(instance.privateIp),
    dnsName: '',
    subnetId: instance.subnetId,
    vpcId: world.region.vpcId,
    privateIpAddress: instance.privateIp,
    sourceDestCheck: true,
  };
}

function groupXml(groupId: string, groups: ReadonlyMap<string, SecurityGroup>): XmlObject {
  return { groupId, groupName: groups.get(groupId)?.name ?? '' };
}

function blockDevices(instance: Instance, world: World): readonly XmlObject[] {
  return instance.blockDevices.map(({ device, volumeId, deleteOnTermination }) => ({
    deviceName: device,
    ebs: {
      volumeId,
      status: 'attached',
      attachTime: new Date(world.state.volumes.get(volumeId)?.attachment?.at ?? instance.launchTime),
      deleteOnTermination,
    },
  }));
}
