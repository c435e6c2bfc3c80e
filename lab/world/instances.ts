/** What can happen to an instance after its launch: its states, their reasons, and what is forgotten when. Pure. */
import { CloudError } from './cloud-error.ts';
import type { Draft } from './draft.ts';
import type { Instance, InstanceState } from './model.ts';
import type { State } from './state.ts';

/** EC2 shows a terminated instance for about an hour. */
const TERMINATED_VISIBLE_MS = 3_600_000;
/** A ClientToken is remembered for a day. */
const TOKEN_REMEMBERED_MS = 24 * 3_600_000;

/** The reasons EC2 gives for a change of state, as `code: message`. */
export const REASONS = {
  userShutdown: {
    code: 'Client.UserInitiatedShutdown',
    message: 'Client.UserInitiatedShutdown: User initiated shutdown',
  },
  instanceShutdown: {
    code: 'Client.InstanceInitiatedShutdown',
    message: 'Client.InstanceInitiatedShutdown: Instance initiated shutdown',
  },
} as const;

/** A machine that could not be run; `cause` is the runtime's message. */
export function internalError(cause: string): NonNullable<Instance['stateReason']> {
  return { code: 'Server.InternalError', message: `Server.InternalError: ${cause.slice(0, 500)}` };
}

/** @throws CloudError InvalidInstanceID.Malformed, InvalidInstanceID.NotFound (all missing ids in one message, as EC2 does) */
export function requireInstances(
  ids: readonly string[],
  find: (id: string) => Instance | undefined,
): readonly Instance[] {
  for (const id of ids) {
    if (!/^i-[0-9a-f]{8}([0-9a-f]{9})?$/.test(id)) {
      throw new CloudError('InvalidInstanceID.Malformed', `Invalid id: "${id}"`);
    }
  }
  const found = ids.map((id) => ({ id, instance: find(id) }));
  const missing = found.filter(({ instance }) => !instance).map(({ id }) => id);
  if (missing.length === 1) {
    throw new CloudError('InvalidInstanceID.NotFound', `The instance ID '${missing[0]}' does not exist`);
  }
  if (missing.length > 1) {
    throw new CloudError(
      'InvalidInstanceID.NotFound',
      `The instance IDs '${missing.join(', ')}' do not exist`,
    );
  }
  return found.map(({ instance }) => instance as Instance);
}

/** The instance in another state, with the reason when there is one (and without the old one when not). A start forgets how it was stopped. */
export function moved(
  instance: Instance,
  state: InstanceState,
  stateReason?: NonNullable<Instance['stateReason']>,
): Instance {
  const { stateReason: _, skipsOsShutdown, ...rest } = instance;
  const isEnding = state === 'stopping' || state === 'shutting-down';
  const mark = skipsOsShutdown && isEnding ? { skipsOsShutdown } : {};
  return { ...rest, ...mark, state, ...(stateReason ? { stateReason } : {}) };
}

/** Ends an instance: its volumes are deleted or freed as their attachments say, and it stays visible for an hour. */
export function terminated(draft: Draft, state: State, instance: Instance): void {
  for (const device of instance.blockDevices) {
    const volume = state.volumes.get(device.volumeId);
    if (!volume) continue;
    const { attachment, ...free } = volume;
    if (volume.root || attachment?.deleteOnTermination) draft.remove('volumes', volume.id);
    else draft.put('volumes', volume.id, { ...free, state: 'available' });
  }
  for (const [key, { from, to }] of state.impairments) {
    // Its address will be another machine's one day.
    if ([from, to].includes(instance.privateIp)) draft.remove('impairments', key);
  }
  const { disk: _, ...rest } = instance;
  draft.put('instances', instance.id, {
    ...moved(rest, 'terminated', instance.stateReason ?? REASONS.userShutdown),
    blockDevices: [],
    condition: 'ok',
    terminatedAt: draft.now,
  });
}

/** Forgets what EC2 forgets with time. Answers how many records went. */
export function forgetOld(draft: Draft, state: State): number {
  let forgotten = 0;
  for (const instance of state.instances.values()) {
    if (instance.state !== 'terminated' || draft.now - (instance.terminatedAt ?? 0) < TERMINATED_VISIBLE_MS)
      continue;
    draft.remove('instances', instance.id);
    forgotten += 1;
  }
  for (const [key, launch] of state.launches) {
    const alive = launch.instanceIds.some((id) => state.instances.has(id));
    if (alive || draft.now - launch.at < TOKEN_REMEMBERED_MS) continue;
    draft.remove('launches', key);
    forgotten += 1;
  }
  for (const change of state.dnsChanges.values()) {
    if (draft.now - change.submittedAt < TOKEN_REMEMBERED_MS) continue;
    draft.remove('dnsChanges', change.id);
    forgotten += 1;
  }
  return forgotten;
}
