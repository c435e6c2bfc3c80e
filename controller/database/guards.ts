/** The server variables that the guarantee rests on and that can be changed while a server runs: one row each. Pure. */
import type { Flavor, ServerVariable } from './port.ts';
import { unlimitedMilliseconds } from './settings.ts';

/** What a server is to its cluster, as it is on record. */
export interface Part {
  readonly isPrimary: boolean;
  /** It is on record as one that acknowledges. */
  readonly isAcker: boolean;
  /** The record says that commits on this server wait for so many replicas; 0 on a replica, and where none is promised. */
  readonly waitsFor: number;
  /** An acknowledgement has to mean "on disk"; not with `durability: Async`. */
  readonly syncsReceived: boolean;
}

/** One row of the table: what is asked for with every look, compared, told, and put back. */
export interface Guard {
  readonly name: string;
  /** What it has to be; undefined: on such a server it may be anything. */
  readonly wanted: (part: Part) => string | undefined;
  /** Other values that will do. */
  readonly accepts?: (value: string) => boolean;
  /** What is at stake while it differs; ends a sentence. */
  readonly risk: string;
  /** What it has to be depends on a record that changes: a look from before that says nothing. */
  readonly followsRecord?: true;
  /** Nobody but the primary on record may ever have it otherwise, whoever is to lead next. */
  readonly holdsWhileChanging?: true;
  /** Only a running receiver shows what it is worth: a server starts without. */
  readonly needsReceiver?: true;
  /** What puts it back; without, whoever keeps the record of what commits wait for does. */
  readonly mend?: (wanted: string, value: string) => string;
}

/** A variable that is not what it has to be. */
export interface Deviation {
  readonly guard: Guard;
  readonly value: string;
  readonly wanted: string;
}

/** What counts as no time limit: more than a year in milliseconds. */
export const leastUnlimited = 31_536_000_000;

/** The rows of this flavor; whatever must be closed first comes first. */
export function guardsOf(flavor: Flavor): readonly Guard[] {
  return flavor === 'MariaDB' ? mariaDB : mySQL;
}

/** What differs on a server that says so of itself; a variable it does not name is passed over. */
export function findDeviations(
  flavor: Flavor,
  variables: Readonly<Record<string, string>>,
  part: Part,
): readonly Deviation[] {
  return guardsOf(flavor).flatMap((guard) => {
    const [value, wanted] = [variables[guard.name], guard.wanted(part)];
    if (value === undefined || wanted === undefined) return [];
    const isGood = normalize(value) === normalize(wanted) || guard.accepts?.(value) === true;
    return isGood ? [] : [{ guard, value, wanted }];
  });
}

/** The statements that put these back; names that are not in the table are passed over. */
export function mendSQL(flavor: Flavor, found: readonly ServerVariable[]): string {
  const statements = guardsOf(flavor).flatMap(({ name, mend }) => {
    const one = found.find((variable) => variable.name === name);
    return one === undefined || mend === undefined ? [] : [mend(one.wanted, one.value)];
  });
  return ['SET SESSION lock_wait_timeout = 2;', ...statements].join('\n');
}

/** Servers say 1 where others say ON. */
function normalize(value: string): string {
  const upper = value.toUpperCase();
  if (upper === 'ON') return '1';
  return upper === 'OFF' ? '0' : upper;
}

const always = (value: string) => () => value;
const onReplicas =
  (value: string) =>
  ({ isPrimary }: Part) =>
    isPrimary ? undefined : value;
const whereCommitsWait =
  (value: string) =>
  ({ waitsFor }: Part) =>
    waitsFor > 0 ? value : undefined;
const ackerSwitch = ({ isPrimary, isAcker }: Part) => {
  if (isPrimary) return undefined;
  return isAcker ? 'ON' : 'OFF';
};

/** What every row with a value of its own is put back by. */
function row(
  name: string,
  wanted: Guard['wanted'],
  risk: string,
  more: Partial<Omit<Guard, 'name' | 'wanted' | 'risk'>> = {},
): Guard {
  return { name, wanted, risk, mend: (value) => `SET GLOBAL ${name} = ${value};`, ...more };
}

/** The next `Rearm` sets all of these, and proves what was written meanwhile. */
function waitRow(name: string, value: string, more: Pick<Guard, 'accepts'> = {}): Guard {
  const risk = 'commits are acknowledged that no replica has';
  return { name, wanted: whereCommitsWait(value), risk, followsRecord: true, ...more };
}

const unkept =
  'a primary makes tables that a restart empties, and a replica stops at those that were made all the same';
const ownWrites = 'it takes writes that no other server has, and then it can follow nobody';
const powerCut = 'a power cut takes back what was acknowledged';
const unordered = 'replicas come to differ from the primary without a word';

const both: readonly Guard[] = [
  row('event_scheduler', onReplicas('OFF'), 'its events write what no other server has', {
    followsRecord: true,
  }),
  row('sync_binlog', always('1'), powerCut),
  row('innodb_flush_log_at_trx_commit', always('1'), powerCut),
  row('sync_relay_log', ({ syncsReceived }) => (syncsReceived ? '1' : undefined), powerCut),
];

const isUnlimited = (value: string) => Number(value) >= leastUnlimited;

const mariaDB: readonly Guard[] = [
  // From 12.0 on there are several ways to say yes.
  row('read_only', onReplicas('ON'), ownWrites, {
    followsRecord: true,
    holdsWhileChanging: true,
    accepts: (value) => normalize(value) !== '0',
  }),
  ...both,
  row('binlog_format', always('ROW'), unordered),
  row('gtid_strict_mode', always('ON'), 'a server that has transactions of its own goes unnoticed'),
  row('gtid_domain_id', always('0'), 'what it writes is counted apart, and who has it cannot be proven'),
  row('slave_exec_mode', always('STRICT'), unordered),
  // MySQL's list of engines cannot be changed while it runs. A replica makes what its primary made, or stops.
  row('enforce_storage_engine', ({ isPrimary }) => (isPrimary ? 'InnoDB' : ''), unkept, {
    followsRecord: true,
    mend: (wanted) => `SET GLOBAL enforce_storage_engine = ${wanted === '' ? 'NULL' : wanted};`,
  }),
  row('rpl_semi_sync_slave_enabled', ackerSwitch, 'who acknowledges is not who is on record', {
    followsRecord: true,
    needsReceiver: true,
  }),
  waitRow('rpl_semi_sync_master_enabled', 'ON'),
  waitRow('rpl_semi_sync_master_timeout', unlimitedMilliseconds, { accepts: isUnlimited }),
  waitRow('rpl_semi_sync_master_wait_point', 'AFTER_SYNC'),
  waitRow('rpl_semi_sync_master_wait_no_slave', 'ON'),
];

/** One step at a time is all that the server allows. */
const gtidModes = ['OFF', 'OFF_PERMISSIVE', 'ON_PERMISSIVE', 'ON'];

const mySQL: readonly Guard[] = [
  row('super_read_only', onReplicas('ON'), ownWrites, { followsRecord: true, holdsWhileChanging: true }),
  ...both,
  row('enforce_gtid_consistency', always('ON'), 'what it writes has no name that could be compared'),
  row('gtid_mode', always('ON'), 'what it writes has no name, and who has it cannot be proven', {
    mend: (_, value) =>
      gtidModes
        .slice(gtidModes.indexOf(value.toUpperCase()) + 1)
        .map((mode) => `SET GLOBAL gtid_mode = ${mode};`)
        .join(' '),
  }),
  // It cannot be set while a server applies what it receives, and what that writes does not go by it.
  row('binlog_format', ({ isPrimary }) => (isPrimary ? 'ROW' : undefined), unordered),
  row('binlog_order_commits', always('ON'), unordered),
  row('replica_exec_mode', always('STRICT'), unordered),
  row('replication_sender_observe_commit_only', always('OFF'), 'acknowledgements may come late'),
  row('rpl_semi_sync_replica_enabled', ackerSwitch, 'who acknowledges is not who is on record', {
    followsRecord: true,
    needsReceiver: true,
  }),
  row(
    'rpl_semi_sync_source_wait_for_replica_count',
    ({ waitsFor }) => (waitsFor > 0 ? String(waitsFor) : undefined),
    'commits wait for more replicas than they are to',
    { followsRecord: true },
  ),
  waitRow('rpl_semi_sync_source_enabled', 'ON'),
  waitRow('rpl_semi_sync_source_timeout', unlimitedMilliseconds, { accepts: isUnlimited }),
  waitRow('rpl_semi_sync_source_wait_point', 'AFTER_SYNC'),
  waitRow('rpl_semi_sync_source_wait_no_replica', 'ON'),
];
