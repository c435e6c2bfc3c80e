/** A well cluster of three, what the code says of it, and the form of the tables about that. */
import type { Condition, ConditionStatus } from '../../../../controller/api/conditions.ts';
import type { Promotion } from '../../../../controller/api/promotion.ts';
import { timestamp } from '../../../../controller/base/clock.ts';
import { failoverArmedCondition } from '../../../../controller/kinds/mysql-cluster/decide/change.ts';
import { conditionsOf } from '../../../../controller/kinds/mysql-cluster/decide/conditions.ts';
import {
  decideDeletion,
  deletionHold,
  notWhenGoing,
} from '../../../../controller/kinds/mysql-cluster/decide/deletion.ts';
import type { Member } from '../../../../controller/kinds/mysql-cluster/decide/member.ts';
import type { Observed } from '../../../../controller/kinds/mysql-cluster/decide/plan.ts';
import { type Circumstances, problemOf } from '../../../../controller/kinds/mysql-cluster/decide/problem.ts';
import { planUpkeep } from '../../../../controller/kinds/mysql-cluster/decide/upkeep.ts';
import { wantedOf } from '../../../../controller/kinds/mysql-cluster/decide/wanted.ts';
import { statusOf } from '../../../../controller/kinds/mysql-cluster/status.ts';
import type { EndpointsCondition } from '../../../../controller/routes/verdict.ts';
import type { Finding, Verdict } from '../../../../controller/supervision/port.ts';
import { condition } from '../../../builders/site.ts';
import { look } from '../../supervision/signs.ts';
import { promotion, scene } from './cluster-scene.ts';
import { member, now, primary, replica } from './durability-scene.ts';

/** What is said; undefined = nothing. */
export type Said = readonly [ConditionStatus, string, string] | undefined;
export type ConditionRow = readonly [when: string, observed: Observed, says: Said];
/** By type of condition. */
export type ConditionTable = Readonly<Record<string, readonly ConditionRow[]>>;

type Changes = Parameters<typeof scene>[1] & {
  readonly members?: readonly Member[];
};

/** Every server runs with the wanted settings, as far as its record does not say otherwise. */
export function well({ members = trio(), ...changes }: Changes = {}): Observed {
  const served = { conditions: [condition('Available', 'PrimaryWritable')] };
  const observed = scene(members, {
    finding: found('Healthy', 60, { lastWriteTime: now - 500 }),
    ...changes,
    status: { ...served, ...changes.status },
  });
  const settled = observed.members.map((one) => {
    const record = { ...wantedOf(observed.cluster, one), ...one.record };
    return { ...one, record };
  });
  return { ...observed, members: settled };
}

/** Nobody was ever opened for writes. */
export function unopened(members: readonly Member[], changes: Changes = {}): Observed {
  const nothing = { primary: undefined, durability: undefined, conditions: [] };
  return well({ members, finding: undefined, ...changes, status: { ...nothing, ...changes.status } });
}

/** The object is being deleted. */
export function retired(changes: Changes = {}): Observed {
  const observed = well({ ...changes, finding: undefined });
  const { cluster } = observed;
  const metadata = { ...cluster.metadata, deletionTimestamp: timestamp(now) };
  return { ...observed, cluster: { ...cluster, metadata } };
}

/** With what only a person can put right there. */
export function examined(observed: Observed, changes: Partial<Circumstances> = {}): Observed {
  const exists = { spec: { accountRef: { name: 'default' } }, status: { revision: 'r-1' } } as never;
  const all = { deployment: exists, account: exists, template: exists, missing: undefined };
  const { cluster, members } = observed;
  const problem = problemOf({ cluster, ...all, failureOf: () => undefined, ...changes }, members);
  return { ...observed, problem };
}

export function trio(): readonly Member[] {
  return [primary(), replica('db-2'), replica('db-3')];
}

/** For so many seconds. */
export function found(verdict: Verdict, seconds: number, more: Partial<Finding> = {}): Finding {
  const evidence = `db-1 is ${verdict}`;
  return { verdict, epoch: 1, since: now - seconds * 1_000, evidence, looks: new Map(), ...more };
}

export function silent(name: string): Member {
  return member(name, { look: undefined });
}

/** Of three that acknowledge to this primary one is no member. */
export function haunted(): readonly Member[] {
  const follower = (address: string, user: string) => ({ address, user, connection: '7' });
  const followers = [
    follower('10.77.1.2', 'replication'),
    follower('10.77.1.3', 'replication'),
    follower('10.9.9.9', 'backup'),
  ];
  return [primary({ connected: 3 }, { followers }), replica('db-2'), replica('db-3')];
}

export const hauntedText =
  '10.9.9.9 (user backup, connection 7 of db-1) acknowledges commits and is no member of this cluster: what only it ' +
  'received would be lost with db-1. There, switch semi-synchronous replication off and start the receiver again, or ' +
  'end that server.';

/** It says so of its variables. */
export function set(one: Member, variables: Readonly<Record<string, string>>): Member {
  return { ...one, look: look({ ...one.look, variables }) };
}

/** Its trouble is on record for so many seconds. */
export function failing(one: Member, seconds: number): Member {
  return { ...one, record: { ...one.record, failingTime: ago(seconds) } };
}

/** As status remembers it beside that it has joined. */
export function recorded(one: Member, changes: Partial<Member['record']>): Member {
  return { ...one, record: { ...one.record, ...changes } };
}

/** A Promotion whose conditions say `message`. */
export function told(
  name: string,
  facts: Parameters<typeof promotion>[1],
  message = 'so it went.',
): Promotion {
  const one = promotion(name, facts);
  const conditions = one.status?.conditions?.map((old) => ({ ...old, message })) ?? [];
  return { ...one, status: { ...one.status, conditions } };
}

/** It runs. */
export function changing(one: Promotion, changes: Changes = {}): Observed {
  const status = { currentPromotionRef: { name: one.metadata.name }, ...changes.status };
  return well({ promotions: [one], ...changes, status });
}

/** It was the last. */
export function changed(one: Promotion, changes: Changes = {}): Observed {
  const status = { lastPromotionRef: { name: one.metadata.name }, ...changes.status };
  return well({ promotions: [one], ...changes, status });
}

export function ago(seconds: number): string {
  return timestamp(now - seconds * 1_000);
}

const inPlace: EndpointsCondition = { reason: 'Current', message: 'All lead to db-1.' };

/** All that is told, by type of condition. */
export function conditionsIn(observed: Observed, routing = inPlace): ReadonlyMap<string, Said> {
  const { conditions = [] } = statusIn(observed, {}, routing);
  return new Map(conditions.map((one: Condition) => [one.type, [one.status, one.reason, one.message]]));
}

/** The status with this record, put together as the reconciler does it. */
export function statusIn(
  observed: Observed,
  record: Observed['status'] = {},
  routing = inPlace,
): Observed['status'] {
  const { cluster } = observed;
  const isRetired = cluster.metadata.deletionTimestamp !== undefined && deletionHold(cluster) === undefined;
  const troubles = isRetired ? new Map() : planUpkeep(observed).troubles;
  const armed = isRetired ? notWhenGoing : failoverArmedCondition(observed, troubles);
  const seen = conditionsOf({ observed, troubles, armed, routing });
  const all = isRetired ? { ...seen, Ready: decideDeletion(observed).ready } : seen;
  return statusOf(observed, record, all);
}
