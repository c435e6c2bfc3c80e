/** The state of the cloud as tables, and the one way to change it: applying an entry. */
import type { TableName, Tables } from './model.ts';

/** One record put (`value`) or removed (`null`). */
export type Write = {
  readonly [T in TableName]: { readonly table: T; readonly key: string; readonly value: Tables[T] | null };
}[TableName];

/** One mutation: what happened, to what, when, and the records it leaves. A journal is a list of these. */
export interface Entry extends Event {
  readonly writes: readonly Write[];
}

/** The part of an entry shown at /_lab/events. */
export interface Event {
  /** 1, 2, 3 … without gaps. */
  readonly seq: number;
  /** Milliseconds since the epoch. */
  readonly at: number;
  /** Dotted past tense, e.g. `instance.launched`. */
  readonly name: string;
  /** Id of the thing it happened to. */
  readonly subject: string;
  readonly detail?: Readonly<Record<string, unknown>>;
}

type MutableState = { readonly [T in TableName]: Map<string, Tables[T]> };
export type State = { readonly [T in TableName]: ReadonlyMap<string, Tables[T]> };

const TABLES = [
  'instances',
  'launches',
  'volumes',
  'snapshots',
  'securityGroups',
  'keyPairs',
  'addresses',
  'zones',
  'dnsChanges',
  'faults',
  'cuts',
  'impairments',
  'counters',
] as const satisfies readonly TableName[];

/** A state without records. */
export function emptyState(): State {
  return Object.fromEntries(TABLES.map((table) => [table, new Map()])) as unknown as State;
}

/** Brings `state` forward by some writes, in place: the tables are large and this is called for each request. */
export function apply(state: State, writes: readonly Write[]): void {
  const tables = state as MutableState;
  for (const { table, key, value } of writes) {
    if (value === null) tables[table].delete(key);
    else (tables[table] as Map<string, unknown>).set(key, value);
  }
}

/** The writes that make an empty state equal to `state`; a snapshot of it. */
export function dump(state: State): readonly Write[] {
  return TABLES.flatMap((table) => [...state[table]].map(([key, value]) => ({ table, key, value }) as Write));
}

/** A write that puts `value` under `key`. */
export function put<T extends TableName>(table: T, key: string, value: Tables[T]): Write {
  return { table, key, value } as Write;
}

/** A write that removes what is under `key`, if anything. */
export function remove(table: TableName, key: string): Write {
  return { table, key, value: null };
}
