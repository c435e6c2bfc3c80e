/** A ServerArray of two well servers, as its decision sees it, with the changes that a situation needs. */
import { finalizer, type ObjectMeta } from '../../../../controller/api/meta.ts';
import {
  type ServerArray,
  type ServerArrayStatus,
  serverArrayKind,
} from '../../../../controller/api/server-array.ts';
import { timestamp } from '../../../../controller/base/clock.ts';
import { decide } from '../../../../controller/kinds/server-array/decide/index.ts';
import type { Member } from '../../../../controller/kinds/server-array/decide/member.ts';
import type { Observed, VotingServer } from '../../../../controller/kinds/server-array/decide/plan.ts';
import { statusOf } from '../../../../controller/kinds/server-array/status.ts';

export interface Scene extends Partial<Omit<Observed, 'array' | 'members'>> {
  readonly members?: readonly Member[];
  readonly spec?: Partial<ServerArray['spec']> | object;
  readonly metadata?: Partial<ObjectMeta>;
  /** The pass before was over this one. */
  readonly after?: Scene;
}

export const now = Date.parse('2026-11-23T12:00:00Z');
/** Its revision, and a newer one. */
export const [old, fresh] = ['00000001', '00000002'] as const;

/** So many seconds before now. */
export function ago(seconds: number): string {
  return timestamp(now - seconds * 1_000);
}

/** In service since an hour, of the old revision. */
export function member(name: string, changes: Partial<Member> = {}): Member {
  const { state = 'Operational', place = 'Active' } = changes;
  const ready = state === 'Operational';
  return {
    server: {
      metadata: { name },
      spec: { power: 'Running' },
      status: { launchTime: ago(3_700), operationalTime: ago(3_600) },
    } as Member['server'],
    name,
    place,
    state,
    revision: old,
    zone: undefined,
    createdAt: now - 3_700_000,
    launched: true,
    ready,
    available: ready && place === 'Active',
    drained: false,
    drainedSince: undefined,
    keptUntil: undefined,
    ending: false,
    locked: false,
    held: false,
    ...changes,
  };
}

export const well = [member('a'), member('b')];

/** These states, of servers `a`, `b` and so on. */
export function inStates(...states: readonly string[]): readonly Member[] {
  return states.map((state, index) => member(String.fromCodePoint(97 + index), { state }));
}

/** A voter whose `Load` is this; without one it is silent. */
export function voter(server: string, load?: number, problems: VotingServer['problems'] = {}): VotingServer {
  const figures = load === undefined ? {} : { Load: { at: now, value: load } };
  return { server, figures, problems, balanced: false };
}

export const load = { name: 'load', source: 'Load', growAbove: '2', shrinkBelow: '0.5' } as const;

/** Scaled by the votes of two servers with these loads, between 1 and 3 servers, with changes of the rules. */
export function voting(loads: readonly (number | undefined)[], rules: object = {}): Scene {
  const autoscaling = { minReplicas: 1, maxReplicas: 3, metrics: [load], ...rules };
  return {
    spec: { autoscaling },
    voters: loads.map((value, index) => voter(String.fromCodePoint(97 + index), value)),
  };
}

/** One update from the old revision to the new one, as `rules` say. */
export function updating(rules: object, update: object = {}): Scene {
  const known = {
    revision: fresh,
    startTime: ago(600),
    progressTime: ago(60),
    available: 0,
    step: 0,
    failedServers: [],
    ...update,
  };
  return {
    templateRevision: fresh,
    spec: { update: { type: 'RollingReplace', ...rules } },
    status: { activeRevision: old, update: known },
  };
}

export function conditionsOf(scene: Scene) {
  return statusAfter(scene).conditions ?? [];
}

function statusAfter({ spec = {}, metadata = {}, after, ...changes }: Scene): ServerArrayStatus {
  const array = {
    metadata: { namespace: 'shop', name: 'app', generation: 3, finalizers: [finalizer], ...metadata },
    spec: serverArrayKind.options.spec.parse({
      deploymentRef: { name: 'shop' },
      serverTemplateRef: { name: 'app' },
      replicas: 2,
      ...spec,
    }),
    status: changes.status ?? (after === undefined ? { activeRevision: old } : statusAfter(after)),
  } as ServerArray;
  const observed: Observed = {
    now,
    array,
    status: array.status ?? {},
    suspended: false,
    templateRevision: old,
    members: well,
    zones: [],
    voters: [],
    measuring: false,
    unusableScripts: {},
    answers: new Map(),
    answersUntil: now - 10_000,
    otherWriter: undefined,
    allowance: 10,
    ...changes,
  };
  return statusOf(observed, decide(observed));
}
