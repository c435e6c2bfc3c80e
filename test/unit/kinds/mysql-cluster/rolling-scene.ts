/** A cluster whose settings have changed, and what is planned for it, in short. */
import type { JobFacts, Observed } from '../../../../controller/kinds/mysql-cluster/decide/plan.ts';
import {
  isRolling,
  planRolling,
  type Rolling,
  type Rollout,
  restartingServer,
  withKnown,
} from '../../../../controller/kinds/mysql-cluster/decide/rolling.ts';
import { planUpkeep } from '../../../../controller/kinds/mysql-cluster/decide/upkeep.ts';
import { wantedOf } from '../../../../controller/kinds/mysql-cluster/decide/wanted.ts';
import { ago, recorded, trio, well } from './condition-scene.ts';
import { primary } from './durability-scene.ts';

export type RollingRow = readonly [when: string, observed: Observed, plan: Short];

type Changes = NonNullable<Parameters<typeof well>[0]>;
type Member = NonNullable<Changes['members']>[number];

/** It runs with other settings than are wanted. */
export function outdated(member: Member): Member {
  return recorded(member, { settings: 'former' });
}

/** Nobody knows what it runs with. */
export function unchecked(member: Member): Member {
  return recorded(member, { settings: undefined });
}

/** All servers run with former settings, whatever `changes` say. */
export function behind(changes: Changes = {}): Observed {
  return well({ members: trio().map(outdated), ...changes });
}

/** It was begun so many seconds ago, for the settings that are wanted now. */
export interface Begun extends Partial<Omit<Rollout, 'startTime'>> {
  readonly seconds?: number;
}

/** A restart of db-2, or whatever `begun` says, on which `job` is known. */
export function rolling(begun: Begun = {}, job?: JobFacts, changes: Changes = {}): Observed {
  const observed = behind(changes);
  const { seconds = 60, ...more } = begun;
  const { server = 'db-2' } = more;
  const member = observed.members.find(({ name }) => name === server) ?? outdated(primary());
  const wanted = wantedOf(observed.cluster, member);
  const rollout = { server, step: 'Restarting' as const, ...wanted, startTime: ago(seconds), ...more };
  const jobs = job === undefined ? observed.jobs : new Map([[server, job]]);
  return { ...observed, jobs, status: { ...observed.status, rollout } };
}

/** What a plan says, without what it says nothing of. */
export interface Short {
  /** `step server`, and what became of it. */
  readonly rollout?: string;
  readonly actions?: readonly string[];
  readonly leaving?: readonly string[];
  readonly known?: string;
  readonly switchover?: string;
  readonly events?: readonly string[];
}

export function planned(observed: Observed, isStill = false): Short {
  return shorten(rollingOf(observed, isStill));
}

export function rollingOf(observed: Observed, isStill = false): Rolling {
  return planRolling(observed, planUpkeep(observed).troubles, isStill);
}

/** Nothing else may start this server while the plan is carried out. */
export function keptFor(observed: Observed): string | undefined {
  return restartingServer(observed);
}

export function isUnderWay(observed: Observed): boolean {
  return isRolling(rollingOf(observed));
}

/** What is on record of these servers after the plan: each with its settings. */
export function knownAfter(observed: Observed, servers?: readonly string[]): readonly string[] {
  const members = observed.members.filter(({ name }) => servers?.includes(name) !== false);
  const records = new Map(members.map(({ name, record }) => [name, record]));
  const after = withKnown(records, rollingOf(observed));
  return [...after.values()].map(({ server, settings }) => `${server} ${settings ?? ''}`);
}

function shorten({ rollout, actions, leaving, known, switchover, events }: Rolling): Short {
  return {
    ...(rollout === undefined ? {} : { rollout: textOf(rollout) }),
    ...(actions.length === 0
      ? {}
      : { actions: actions.map(({ do: what, member }) => `${what} ${member.name}`) }),
    ...(leaving.length === 0 ? {} : { leaving }),
    ...(known === undefined ? {} : { known: `${known.server} ${known.settings ?? ''}` }),
    ...(switchover === undefined ? {} : { switchover }),
    ...(events.length === 0
      ? {}
      : { events: events.map(({ type, reason, message }) => `${type} ${reason}: ${message}`) }),
  };
}

function textOf({ step, server, refused, message }: Rollout): string {
  const end = message === undefined ? '' : `: ${message}`;
  return `${step} ${server}${refused === true ? ', refused' : ''}${end}`;
}

export const running: JobFacts = { own: { state: 'running', logBytes: 0 } };
export const unknown: JobFacts = { own: { state: 'unknown' } };
export const silentHost: JobFacts = { own: { state: 'silent' } };

/** A job that ended so, with this as the last line of its log. */
export function ended(exitCode: number, lastLine?: string, more: object = {}): JobFacts {
  const own = { state: 'exited', exitCode, timedOut: false, canceled: false, logBytes: 9, ...more } as const;
  return { own, ...(lastLine === undefined ? {} : { lastLine }) };
}

export function interrupted(lastLine: string): JobFacts {
  return { own: { state: 'interrupted', logBytes: 9 }, lastLine };
}

/** What a job says at its end. */
export function facts(restartPending: boolean): string {
  const text = JSON.stringify({ version: '11.8.6', holding: 'whole', running: true, restartPending });
  return `ridgeline-facts ${text}`;
}
