/** The volumes a request describes: BlockDeviceMapping of RunInstances, and the parameters CreateVolume shares with it. */
import { CloudError } from '../../world/cloud-error.ts';
import { ROOT_DEVICE, type VolumeOrder } from '../../world/launches.ts';
import type { State } from '../../world/state.ts';
import type { QueryParams } from '../query-params.ts';

const DEFAULT_ROOT_GIB = 8;
const MAX_GIB = 16_384;
const VOLUME_TYPES: readonly string[] = ['gp2', 'gp3', 'io1', 'io2', 'st1', 'sc1', 'standard'];

type VolumeKind = Pick<VolumeOrder, 'sizeGiB' | 'type' | 'iops' | 'throughput' | 'snapshotId'>;

/** The volumes of a launch, the root volume first. @throws CloudError InvalidBlockDeviceMapping and others */
export function readBlockDevices(params: QueryParams, state: State): readonly VolumeOrder[] {
  const orders = params.structs('BlockDeviceMapping').map((mapping) => readMapping(mapping, state));
  const devices = new Set(orders.map((order) => order.device));
  if (devices.size !== orders.length) throw invalidMapping('A device name is used more than once.');
  const root = orders.find((order) => order.device === ROOT_DEVICE);
  const others = orders.filter((order) => order !== root);
  const plain = { device: ROOT_DEVICE, sizeGiB: DEFAULT_ROOT_GIB, type: 'gp3', deleteOnTermination: true };
  return [root ?? plain, ...others];
}

/**
 * Size, type and origin of one volume. `sizeName` is the parameter of its size, which a snapshot's size stands in for,
 * or `imageGiB` for the root volume of an image.
 * @throws CloudError InvalidParameterValue, MissingParameter, InvalidSnapshot.NotFound
 */
export function readVolumeKind(
  params: QueryParams,
  sizeName: string,
  state: State,
  imageGiB?: number,
): VolumeKind {
  const snapshotId = params.string('SnapshotId');
  const smallest = snapshotId ? snapshotSize(state, snapshotId) : 1;
  const implied = snapshotId ? smallest : imageGiB;
  const sizeGiB = params.integer(sizeName) ?? implied ?? Number(params.required(sizeName));
  if (sizeGiB < smallest || sizeGiB > MAX_GIB) {
    throw new CloudError(
      'InvalidParameterValue',
      `Volume of ${sizeGiB}GiB is outside of ${smallest} to ${MAX_GIB} GiB.`,
    );
  }
  const type = params.string('VolumeType') ?? 'gp3';
  if (!VOLUME_TYPES.includes(type))
    throw new CloudError('InvalidParameterValue', `Invalid volume type ${type}`);
  const iops = params.integer('Iops');
  const throughput = params.integer('Throughput');
  return {
    sizeGiB,
    type,
    ...(iops === undefined ? {} : { iops }),
    ...(throughput === undefined ? {} : { throughput }),
    ...(snapshotId ? { snapshotId } : {}),
  };
}

function readMapping(mapping: QueryParams, state: State): VolumeOrder {
  const device = mapping.required('DeviceName');
  if (!/^\/dev\/(xvd[a-z]|sd[a-z])[0-9]{0,2}$/.test(device))
    throw invalidMapping(`Invalid device name ${device}`);
  const ebs = mapping.struct('Ebs');
  const deleteOnTermination = ebs.boolean('DeleteOnTermination') ?? true;
  const imageGiB = device === ROOT_DEVICE ? DEFAULT_ROOT_GIB : undefined;
  return { device, deleteOnTermination, ...readVolumeKind(ebs, 'VolumeSize', state, imageGiB) };
}

function snapshotSize(state: State, snapshotId: string): number {
  const snapshot = state.snapshots.get(snapshotId);
  if (!snapshot)
    throw new CloudError('InvalidSnapshot.NotFound', `The snapshot '${snapshotId}' does not exist.`);
  return snapshot.sizeGiB;
}

function invalidMapping(message: string): CloudError {
  return new CloudError('InvalidBlockDeviceMapping', message);
}
