/** RunInstances without its wire: which instances an order makes, and what a ClientToken remembers. Pure. */
import { CloudError } from './cloud-error.ts';
import type { Draft } from './draft.ts';
import type { BlockDevice, Instance, Launch, Subnet, Tags } from './model.ts';
import type { State } from './state.ts';

export const ROOT_DEVICE = '/dev/xvda';

export interface VolumeOrder {
  readonly device: string;
  readonly sizeGiB: number;
  readonly type: string;
  readonly iops?: number;
  readonly throughput?: number;
  readonly snapshotId?: string;
  readonly deleteOnTermination: boolean;
}

/** A validated request for machines that differ in index, id and address only. */
export interface LaunchOrder {
  readonly token?: LaunchToken;
  readonly subnet: Subnet;
  /** Only for a single machine. */
  readonly privateIp?: string;
  readonly instance: Pick<
    Instance,
    | 'imageId'
    | 'type'
    | 'keyName'
    | 'publicKey'
    | 'securityGroupIds'
    | 'userData'
    | 'profileArn'
    | 'spot'
    | 'terminationProtected'
    | 'shutdownBehavior'
    | 'metadata'
    | 'tags'
  >;
  readonly volumes: readonly VolumeOrder[];
  readonly volumeTags: Tags;
}

/** A ClientToken with what it was used for: the same token for another order is refused. */
export interface LaunchToken {
  /** At most 64 characters. */
  readonly token: string;
  /** The zone when the request names a zone or subnet, else the region: the same token elsewhere is another launch. */
  readonly scope: string;
  /** Digest of all parameters. */
  readonly fingerprint: string;
}

/**
 * The launch an earlier request with this token made; undefined for a new token.
 * @throws CloudError IdempotentParameterMismatch, IdempotentInstanceTerminated
 */
export function recallLaunch(state: State, token: LaunchToken): readonly Instance[] | undefined {
  const launch = state.launches.get(launchKey(token));
  if (!launch) return undefined;
  if (launch.fingerprint !== token.fingerprint) {
    throw new CloudError(
      'IdempotentParameterMismatch',
      'Arguments on this idempotent request are inconsistent with arguments used in previous request(s).',
    );
  }
  const instances = launch.instanceIds.map((id) => state.instances.get(id));
  if (!instances.every((instance) => instance !== undefined && instance.state !== 'terminated')) {
    throw new CloudError(
      'IdempotentInstanceTerminated',
      'The request uses the same client token as a previous request for which an instance has been terminated.',
    );
  }
  return instances as readonly Instance[];
}

/** Writes `count` pending instances with their volumes, and the token's memory, into the draft. */
export function launchInstances(draft: Draft, order: LaunchOrder, count: number): readonly Instance[] {
  const reservationId = draft.id('r');
  const instances: Instance[] = [];
  for (let launchIndex = 0; launchIndex < count; launchIndex += 1) {
    const id = draft.id('i');
    const instance: Instance = {
      ...order.instance,
      id,
      reservationId,
      launchIndex,
      zone: order.subnet.zone,
      subnetId: order.subnet.id,
      privateIp: order.privateIp ? draft.claim(order.subnet, order.privateIp) : draft.address(order.subnet),
      state: 'pending',
      condition: 'ok',
      launchTime: draft.now,
      ...(order.token ? { clientToken: order.token.token } : {}),
      blockDevices: order.volumes.map((volume) => orderVolume(draft, order, id, volume)),
    };
    draft.put('instances', id, instance);
    instances.push(instance);
  }
  if (order.token) {
    const launch: Launch = {
      fingerprint: order.token.fingerprint,
      reservationId,
      instanceIds: instances.map((instance) => instance.id),
      at: draft.now,
    };
    draft.put('launches', launchKey(order.token), launch);
  }
  return instances;
}

function orderVolume(draft: Draft, order: LaunchOrder, instanceId: string, volume: VolumeOrder): BlockDevice {
  const { device, deleteOnTermination, ...kind } = volume;
  const id = draft.id('vol');
  draft.put('volumes', id, {
    ...kind,
    id,
    zone: order.subnet.zone,
    root: device === ROOT_DEVICE,
    state: 'in-use',
    createTime: draft.now,
    attachment: { instanceId, device, at: draft.now, deleteOnTermination },
    tags: order.volumeTags,
  });
  return { device, volumeId: id, deleteOnTermination };
}

function launchKey({ scope, token }: LaunchToken): string {
  return `${scope}/${token}`;
}
