/** The server variables of a fake that failover rests on: what it says they are, and what setting them does to it. */
import { guardsOf, type Part } from '../../controller/database/guards.ts';
import type { FakeServer } from './database-server.ts';

const ordinary: Part = { isPrimary: false, isAcker: true, waitsFor: 1, syncsReceived: true };

const leading: Part = { ...ordinary, isPrimary: true, isAcker: false };

const onOff = (isOn: boolean) => (isOn ? 'ON' : 'OFF');
const isOn = (value: string) => ['ON', '1'].includes(value.toUpperCase());

interface Effect {
  readonly get: (server: FakeServer) => string;
  readonly set: (server: FakeServer, value: string) => void;
}

const readOnly: Effect = {
  get: ({ writable }) => onOff(!writable),
  set: (server, value) => {
    server.writable = !isOn(value);
  },
};
const acknowledges: Effect = {
  get: (server) => onOff(server.acknowledges),
  set: (server, value) => {
    server.acknowledges = isOn(value);
  },
};
const waits: Effect = {
  get: ({ requiredAcks }) => onOff(requiredAcks > 0),
  set: (server, value) => {
    server.requiredAcks = isOn(value) ? 1 : 0;
  },
};
const count: Effect = {
  get: ({ requiredAcks }) => String(Math.max(1, requiredAcks)),
  set: (server, value) => {
    if (server.requiredAcks > 0) server.requiredAcks = Number(value);
  },
};

/** Those that are more than a value. */
const effects: Readonly<Record<string, Effect>> = {
  read_only: readOnly,
  super_read_only: readOnly,
  rpl_semi_sync_slave_enabled: acknowledges,
  rpl_semi_sync_replica_enabled: acknowledges,
  rpl_semi_sync_master_enabled: waits,
  rpl_semi_sync_source_enabled: waits,
  rpl_semi_sync_source_wait_for_replica_count: count,
};

/** Where the opposite is not what a server takes. */
const named: Readonly<Record<string, string>> = {
  gtid_mode: 'ON_PERMISSIVE',
  rpl_semi_sync_source_wait_for_replica_count: '2',
};

/** Somebody's idea of a better value. */
export function otherValue(name: string, value: string): string {
  const upper = value.toUpperCase();
  const opposite = {
    ON: 'OFF',
    OFF: 'ON',
    ROW: 'STATEMENT',
    STRICT: 'IDEMPOTENT',
    INNODB: 'Aria',
    '': 'InnoDB',
    AFTER_SYNC: 'AFTER_COMMIT',
    '1': '0',
    '0': '1',
  };
  return named[name] ?? opposite[upper as keyof typeof opposite] ?? '1000';
}

/** As a look names them. */
export function variablesOf(server: FakeServer): Readonly<Record<string, string>> {
  const own = {
    event_scheduler: onOff(server.writable),
    enforce_storage_engine: server.writable ? 'InnoDB' : '',
  } as Readonly<Record<string, string>>;
  return Object.fromEntries(
    guardsOf(server.flavor).map(({ name, wanted }) => {
      const value = effects[name]?.get(server) ?? server.changed.get(name) ?? own[name];
      return [name, value ?? wanted(ordinary) ?? wanted(leading) ?? ''];
    }),
  );
}

/** `SET GLOBAL`. */
export function setVariable(server: FakeServer, name: string, value: string): void {
  const effect = effects[name];
  if (effect === undefined) server.changed.set(name, value);
  else effect.set(server, value);
}

/** How commits wait is not as whoever made them wait has set it: the wait has an end, or comes too late. */
export function isWaitSpoilt({ changed }: FakeServer): boolean {
  return [...changed.keys()].some((name) => isWaitVariable(name));
}

/** Whoever makes commits wait sets all that belongs to it. */
export function forgetWaitChanges({ changed }: FakeServer): void {
  for (const name of changed.keys()) if (isWaitVariable(name)) changed.delete(name);
}

function isWaitVariable(name: string): boolean {
  return /^rpl_semi_sync_(master|source)_/.test(name);
}
