/**
 * How changed passwords of our own accounts get to the servers, without a moment in which nobody gets in. Pure.
 *
 * Accepting: the primary is told to let in who comes with either; that replicates, and every member is tried. Only then
 * are the new ones those in use. Moving: replicas come with theirs, one after the other. Discarding: the former ones are
 * refused, again until every member was tried. What is changed to is kept under a number before any server hears of it,
 * so that whoever goes on after a crash finds both.
 */
import { type EventNote, normalEvent } from '../../../api/event-notes.ts';
import type { MySQLClusterStatus } from '../../../api/mysql-cluster.ts';
import { timestamp } from '../../../base/clock.ts';
import { wasOpened } from './history.ts';
import { isJoined, type Member } from './member.ts';
import type { HostAction, Observed } from './plan.ts';
import type { Trouble } from './upkeep.ts';

export type CredentialRecord = NonNullable<MySQLClusterStatus['credentials']>;
type Rotation = NonNullable<CredentialRecord['rotation']>;

/** The next step of a change of passwords. */
export interface RotationPlan {
  readonly credentials: CredentialRecord | undefined;
  /** What is wanted is to be kept under this number before the record is written. */
  readonly pin?: number;
  /** What the primary is to accept: both, or only those in use. */
  readonly tell?: 'Both' | 'Current';
  /** Replicas to lead to their source anew. */
  readonly actions: readonly HostAction[];
  readonly events: readonly EventNote[];
}

/** A replica so little behind can change its password without holding anybody up. */
const stepLagSeconds = 1;

/** `isStill`: nothing may be changed now. */
export function planRotation(
  observed: Observed,
  troubles: ReadonlyMap<string, Trouble>,
  isStill: boolean,
): RotationPlan {
  const record = observed.status.credentials;
  const { wanted, isLost } = observed.credentials;
  if (isStill) return keepCredentials(record);
  if (record === undefined) return wanted === 'Unknown' ? keepCredentials(undefined) : pinFirst();
  if (isLost) return { ...keepCredentials(record), ...(wanted === 'Unknown' ? {} : { pin: record.serial }) };
  if (record.rotation === undefined) return beginRotation(observed, record);
  const steps = { Accepting: planAccepting, Moving: planMoving, Discarding: planDiscarding } as const;
  return steps[record.rotation.step](observed, { record, rotation: record.rotation, troubles });
}

function pinFirst(): RotationPlan {
  return { ...keepCredentials({ serial: 1, newest: 1 }), pin: 1 };
}

function beginRotation(observed: Observed, record: CredentialRecord): RotationPlan {
  const { wanted, accepted } = observed.credentials;
  if (wanted === 'New') {
    if (wasOpened(observed)) return acceptWanted(observed, record);
    // No server has any data yet: its accounts are made with what is wanted then.
    return observed.status.primary === undefined ? repin(record) : keepCredentials(record);
  }
  // Somebody has changed our accounts by hand.
  const isOdd = joinedMembers(observed).some(({ name }) => accepted.get(name)?.current === false);
  return isOdd ? enterStep(observed, record, 'Discarding', undefined) : keepCredentials(record);
}

function repin({ newest }: CredentialRecord): RotationPlan {
  const serial = newest + 1;
  return { ...keepCredentials({ serial, newest: serial }), pin: serial };
}

function acceptWanted(observed: Observed, record: CredentialRecord): RotationPlan {
  const serial = record.newest + 1;
  const text = `Secret ${observed.credentials.secret} holds other passwords: every server is to accept them.`;
  return {
    ...enterStep(observed, { ...record, newest: serial }, 'Accepting', serial),
    pin: serial,
    events: [normalEvent('CredentialsRotating', text)],
  };
}

interface Turn {
  readonly record: CredentialRecord;
  readonly rotation: Rotation;
  readonly troubles: ReadonlyMap<string, Trouble>;
}

function planAccepting(observed: Observed, { record, rotation }: Turn): RotationPlan {
  const { wanted, accepted } = observed.credentials;
  if (wanted === 'Current') return enterStep(observed, record, 'Discarding', rotation.serial);
  if (wanted === 'New') return acceptWanted(observed, record);
  const leader = observed.members.find(({ isPrimary }) => isPrimary);
  if (leader === undefined || rotation.serial === undefined) return keepCredentials(record);
  if (accepted.get(leader.name)?.other !== true) return { ...keepCredentials(record), tell: 'Both' };
  return lateMembers(observed).length > 0
    ? keepCredentials(record)
    : enterStep(observed, { ...record, serial: rotation.serial }, 'Moving', record.serial);
}

function isCopy({ record: { step }, place }: Member): boolean {
  return place === 'Active' && (step === 'Cloning' || step === 'Following');
}

/** Whoever does not accept the new passwords yet, and whoever is on the way in as a copy of one that may not. */
export function lateMembers(observed: Observed): readonly Member[] {
  const { accepted } = observed.credentials;
  return observed.members.filter(
    (member) => isCopy(member) || (isJoined(member) && accepted.get(member.name)?.other !== true),
  );
}

function planMoving(observed: Observed, { record, rotation, troubles }: Turn): RotationPlan {
  const { moved } = observed.credentials;
  const done = unmovedReplicas(observed)
    .map(({ name }) => name)
    .filter((name) => moved.get(name) === record.serial);
  if (done.length > 0) {
    return keepCredentials({ ...record, rotation: { ...rotation, moved: [...rotation.moved, ...done] } });
  }
  const [next] = unmovedReplicas(observed);
  if (next === undefined) return enterStep(observed, record, 'Discarding', rotation.serial);
  return whyNotMoved(observed, troubles) === undefined
    ? { ...keepCredentials(record), actions: [{ do: 'follow', member: next, anew: record.serial }] }
    : keepCredentials(record);
}

/** Replicas that may still come with the former password, in the order of their turns. */
export function unmovedReplicas(observed: Observed): readonly Member[] {
  const { moved = [] } = observed.status.credentials?.rotation ?? {};
  return joinedMembers(observed)
    .filter(({ isPrimary, name }) => !isPrimary && !moved.includes(name))
    .toSorted((a, b) => (a.name < b.name ? -1 : 1));
}

/** Why no replica is led to its source anew now: never while another one is not in step. */
export function whyNotMoved(observed: Observed, troubles: ReadonlyMap<string, Trouble>): string | undefined {
  const [trouble] = troubles.values();
  if (trouble !== undefined) return trouble.message;
  const late = joinedMembers(observed).find(
    ({ isPrimary, look }) =>
      !isPrimary && !((look?.replication?.lagSeconds ?? Number.POSITIVE_INFINITY) <= stepLagSeconds),
  );
  return late === undefined ? undefined : `${late.name} is not in step`;
}

function planDiscarding(observed: Observed, { record, rotation }: Turn): RotationPlan {
  const { accepted, wanted } = observed.credentials;
  const leader = observed.members.find(({ isPrimary }) => isPrimary);
  if (leader === undefined) return keepCredentials(record);
  const isSettled = ({ name }: Member) => {
    const found = accepted.get(name);
    return found?.current === true && (rotation.serial === undefined || found.other === false);
  };
  if (!isSettled(leader)) return { ...keepCredentials(record), tell: 'Current' };
  // The primary keeps one of a change only: there is room for the next.
  if (wanted === 'New') return acceptWanted(observed, withoutRotation(record));
  if (!joinedMembers(observed).every(isSettled)) return keepCredentials(record);
  const text = `Every server accepts the passwords of Secret ${observed.credentials.secret}, and no former ones.`;
  return {
    ...keepCredentials(withoutRotation(record)),
    events: [normalEvent('CredentialsRotated', text)],
  };
}

function enterStep(
  { now }: Observed,
  record: CredentialRecord,
  step: Rotation['step'],
  serial: number | undefined,
): RotationPlan {
  const other = serial === undefined ? {} : { serial };
  return keepCredentials({ ...record, rotation: { step, ...other, moved: [], startTime: timestamp(now) } });
}

function withoutRotation({ serial, newest }: CredentialRecord): CredentialRecord {
  return { serial, newest };
}

function keepCredentials(credentials: CredentialRecord | undefined): RotationPlan {
  return { credentials, actions: [], events: [] };
}

function joinedMembers({ members }: Observed): readonly Member[] {
  return members.filter(isJoined);
}
