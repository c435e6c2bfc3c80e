/** Snapshots of data volumes: create, delete, describe. */
import { CloudError } from '../../world/cloud-error.ts';
import type { Snapshot } from '../../world/model.ts';
import type { World } from '../../world/world.ts';
import type { XmlObject } from '../xml.ts';
import { DONE, type Ec2Call } from './call.ts';
import { applyFilters } from './filters.ts';
import { paginate } from './paging.ts';
import { readTagSpecification, tagSet } from './tag-set.ts';
import { requireVolume } from './volumes.ts';

/** The copy is made before this answers; it is shown as pending first, as EC2 would. */
export async function createSnapshot(call: Ec2Call): Promise<XmlObject> {
  const { params, cloud } = call;
  const volume = requireVolume(cloud, params.required('VolumeId'));
  if (volume.root)
    throw new CloudError('UnsupportedOperation', 'The lab cannot take snapshots of root volumes.');
  const draft = cloud.world.draft();
  const snapshot: Snapshot = {
    id: draft.id('snap'),
    volumeId: volume.id,
    sizeGiB: volume.sizeGiB,
    description: params.string('Description') ?? '',
    state: 'pending',
    startTime: draft.now,
    tags: readTagSpecification(params, 'snapshot'),
  };
  draft.put('snapshots', snapshot.id, snapshot);
  call.commit(draft, { name: 'snapshot.created', subject: snapshot.id, detail: { volumeId: volume.id } });
  try {
    await cloud.runtime.createSnapshot(snapshot.id, volume.id);
    save(cloud.world, { ...snapshot, state: 'completed' }, 'snapshot.completed');
  } catch (error) {
    save(cloud.world, { ...snapshot, state: 'error' }, 'snapshot.failed');
    throw error;
  }
  return snapshotXml(snapshot, cloud.world.region.accountId);
}

/** Volumes that were made from it stay. */
export async function deleteSnapshot(call: Ec2Call): Promise<XmlObject> {
  const { world, runtime } = call.cloud;
  const snapshot = requireSnapshot(world, call.params.required('SnapshotId'));
  call.endDryRun();
  await runtime.deleteSnapshot(snapshot.id);
  const draft = world.draft();
  draft.remove('snapshots', snapshot.id);
  call.commit(draft, { name: 'snapshot.deleted', subject: snapshot.id });
  return DONE;
}

/** By id and filters; unknown ids are refused. */
export function describeSnapshots({ params, cloud }: Ec2Call): XmlObject {
  const { state, region } = cloud.world;
  const ids = params.list('SnapshotId');
  const chosen =
    ids.length > 0 ? ids.map((id) => requireSnapshot(cloud.world, id)) : [...state.snapshots.values()];
  const found = applyFilters(params, chosen, {
    'snapshot-id': (snapshot) => [snapshot.id],
    'volume-id': (snapshot) => [snapshot.volumeId],
    'volume-size': (snapshot) => [String(snapshot.sizeGiB)],
    status: (snapshot) => [snapshot.state],
    description: (snapshot) => [snapshot.description],
    'owner-id': () => [region.accountId],
  });
  const page = paginate(params, found, { min: 5, max: 1000 });
  return {
    snapshotSet: { item: page.records.map((snapshot) => snapshotXml(snapshot, region.accountId)) },
    nextToken: page.nextToken,
  };
}

function requireSnapshot({ state }: World, id: string): Snapshot {
  const snapshot = state.snapshots.get(id);
  if (!snapshot) throw new CloudError('InvalidSnapshot.NotFound', `The snapshot '${id}' does not exist.`);
  return snapshot;
}

function save(world: World, snapshot: Snapshot, name: string): void {
  const draft = world.draft();
  draft.put('snapshots', snapshot.id, snapshot);
  world.commit(draft, { name, subject: snapshot.id });
}

function snapshotXml(snapshot: Snapshot, ownerId: string): XmlObject {
  return {
    snapshotId: snapshot.id,
    volumeId: snapshot.volumeId,
    status: snapshot.state,
    startTime: new Date(snapshot.startTime),
    progress: snapshot.state === 'completed' ? '100%' : '0%',
    ownerId,
    volumeSize: snapshot.sizeGiB,
    description: snapshot.description,
    encrypted: false,
    tagSet: tagSet(snapshot.tags),
  };
}
