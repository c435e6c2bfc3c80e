/** Signs of a well cluster of three, for tests to make worse. */
import type { ErrorCode } from '../../../controller/base/errors.ts';
import type { Acks, Look, Replication } from '../../../controller/database/port.ts';
import type { RecordedAcks } from '../../../controller/supervision/port.ts';
import type {
  PrimarySigns,
  ReplicaSigns,
  Signs,
  Silence,
  WitnessSigns,
} from '../../../controller/supervision/signs.ts';

export const address = '10.77.1.1';
/** The instant at which everything is judged. */
export const now = 100_000;

export function acks(changes: Partial<Acks> = {}): Acks {
  const some = { armed: true, connected: 2, required: 1, waiting: 0, acknowledged: 7, unacknowledged: 0 };
  return { ...some, ...changes };
}

export function look(changes: Partial<Look> = {}): Look {
  return {
    version: '11.8.6',
    identity: '1',
    readOnly: false,
    executed: '0-1-7',
    purged: '',
    epoch: 3,
    acks: acks(),
    followers: [],
    variables: {},
    ...changes,
  };
}

export function replication(changes: Partial<Replication> = {}): Replication {
  return {
    source: address,
    receiver: 'Running',
    applier: 'Running',
    received: '0-1-7',
    heard: 11,
    acknowledges: true,
    lagSeconds: 0,
    ...changes,
  };
}

/** A replica that was looked at just now and has heard nothing of its source for so many milliseconds. */
export function replica(server: string, heardAgo: number, changes: Partial<Replication> = {}): ReplicaSigns {
  const own = look({ readOnly: true, replication: replication(changes) });
  return { server, look: own, lookedAt: now - 50, heardAt: now - 50 - heardAgo, misses: 0 };
}

export function unreachable(server: string): ReplicaSigns {
  return { ...replica(server, 500), misses: 1 };
}

export function witness(server: string, reaches: boolean, ago = 100): WitnessSigns {
  return { server, at: now - ago, reaches };
}

/** A row of failed looks that began so long ago. */
export function silence(ago: number, misses: number, code: ErrorCode = 'database.silent'): Silence {
  return { since: now - ago, misses, code, message: 'no answer within 1 s' };
}

export function refused(first: number, last: number): Silence {
  const row = { refused: { first: now - first, last: now - last } };
  return { ...silence(first, 2, 'database.refused'), ...row };
}

export function primary(changes: Partial<PrimarySigns> = {}): PrimarySigns {
  const good = { look: look(), lookedAt: now - 100, wroteAt: now - 90 };
  return { server: 'db-1', address, epoch: 1, ...good, ...changes };
}

/** Every commit waits for one of two. */
export const recorded: RecordedAcks = { required: 1, ackers: ['db-2', 'db-3'], decisive: 2 };

/** What the host of a replica sees that has tried for so long. */
export function host(server: string, reaches: boolean, tries = 3_000): WitnessSigns {
  const at = now - 100;
  return { server, at, reaches, ...(reaches ? {} : { missingSince: at - tries }) };
}

/** A primary that gave its last sign of life so long ago. */
export function mute(ago: number, row: Silence = silence(ago - 400, 3)): PrimarySigns {
  return primary({ silence: row, lookedAt: now - ago, wroteAt: now - ago - 200 });
}

export function signs(changes: Partial<Signs> = {}): Signs {
  return {
    now,
    primary: primary(),
    replicas: [replica('db-2', 400), replica('db-3', 600)],
    witnesses: [],
    machineState: 'running',
    hosts: [],
    acks: recorded,
    silence: 3_000,
    stall: 10_000,
    ...changes,
  };
}
