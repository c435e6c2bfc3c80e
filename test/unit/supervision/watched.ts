/** A cluster in memory under a supervisor, on a clock of its own. */
import { pino } from 'pino';
import { Registry } from 'prom-client';
import { expect } from 'vitest';
import type { MachineState } from '../../../controller/cloud/port.ts';
import type { Member } from '../../../controller/database/port.ts';
import { createSupervisionMetrics } from '../../../controller/supervision/metrics.ts';
import type { Supervised, Verdict } from '../../../controller/supervision/port.ts';
import { Supervisor } from '../../../controller/supervision/supervisor.ts';
import { stamp } from '../../builders/stamp.ts';
import { FakeClock } from '../../fakes/clock.ts';
import { FakeDatabases } from '../../fakes/databases.ts';

export const witnessAddress = '10.77.3.1';
const open: Supervisor[] = [];

/** Ends all that was begun. */
export function closeAll(): void {
  for (const supervisor of open.splice(0)) supervisor.close();
}

interface WatchOptions {
  readonly replicas?: number;
  readonly witnesses?: boolean;
  readonly silenceSeconds?: number;
}

/** A primary with replicas, watched for 5 s and 400 ms: what happens now happens between two ticks. */
export async function watched(options: WatchOptions = {}) {
  const clock = new FakeClock();
  const databases = new FakeDatabases(clock);
  const primary = databases.addServer('db-1', '10.77.1.1');
  const replicas: Member[] = [];
  for (let at = 2; at < 2 + (options.replicas ?? 2); at += 1) {
    const replica = databases.addServer(`db-${at}`, `10.77.1.${at}`);
    await settle(clock, replica.database.follow(databases.sourceOf('db-1'), stamp(1)));
    replicas.push(replica);
  }
  await settle(clock, primary.database.open(stamp(1)));
  await settle(clock, primary.database.requireAcks(1, stamp(1)));
  const world = { machineState: 'running' as MachineState, mayAct: true };
  /** Each verdict once, while it lasts. */
  const heard: Verdict[] = [];
  const told: (Verdict | undefined)[] = [];
  const registry = new Registry();
  const supervisor = new Supervisor({
    clock,
    log: pino({ level: 'silent' }),
    metrics: createSupervisionMetrics(registry),
    mayAct: () => world.mayAct,
    onChange: (uid) => {
      const verdict = supervisor.of(uid)?.verdict;
      if (verdict !== undefined && verdict !== told.at(-1)) heard.push(verdict);
      told.push(verdict);
    },
  });
  open.push(supervisor);
  const host = { address: witnessAddress, port: 22, user: 'admin', privateKey: '', hostKeys: [] };
  const cluster: Supervised = {
    uid: 'uid-db',
    name: 'shop/db',
    epoch: 1,
    primary: 'db-1',
    members: [primary, ...replicas],
    witnesses: new Map(options.witnesses === true ? [['app-1', databases.witness(host)]] : []),
    replicaHosts: new Map(
      replicas.map(({ server, address }) => [server, databases.witness({ ...host, address })]),
    ),
    acks: {
      required: 1,
      ackers: replicas.map(({ server }) => server),
      decisive: replicas.length,
    },
    silenceSeconds: options.silenceSeconds ?? 3,
    stallSeconds: 10,
    machineState: () => world.machineState,
  };
  supervisor.watch(cluster);
  await clock.advance(5_400);
  expect(supervisor.of('uid-db')?.verdict).toBe('Healthy');
  heard.splice(0);
  const verdict = () => supervisor.of('uid-db')?.verdict;
  /** Milliseconds until the verdict; fails after 30 s. */
  const until = async (wanted: Verdict): Promise<number> => {
    const began = clock.monotonic();
    while (verdict() !== wanted && clock.monotonic() - began < 30_000) await clock.advance(50);
    expect(verdict()).toBe(wanted);
    return clock.monotonic() - began;
  };
  return { clock, databases, supervisor, cluster, world, heard, told, verdict, until, registry };
}

/** Lets time pass until the work is done. */
async function settle(clock: FakeClock, work: Promise<unknown>): Promise<void> {
  const done = work.then(() => true);
  for (;;) {
    const step = clock.advance(50).then(() => false);
    const isDone = await Promise.race([done, step]);
    await step;
    if (isDone) return;
  }
}
