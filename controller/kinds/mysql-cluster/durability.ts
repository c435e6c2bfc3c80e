/** Takes one step in what commits wait for: the record by compare-and-swap, the servers by their verbs, in the safe order. */
import { type DurabilityRecord, type MySQLCluster, mySQLClusterKind } from '../../api/mysql-cluster.ts';
import { type Clock, type Millis, timestamp } from '../../base/clock.ts';
import { AppError } from '../../base/errors.ts';
import type { Failpoints } from '../../base/failpoints.ts';
import type { Database, Gtids, Stamp } from '../../database/port.ts';
import { amendDurability } from '../../failover/proof.ts';
import type { Events, Kube } from '../../kube/port.ts';
import type { DurabilityStep } from './decide/durability.ts';

export interface DurabilityPorts {
  readonly kube: Kube;
  readonly clock: Clock;
  readonly failpoints: Failpoints;
  readonly events: Events;
}

/** The cluster as last written, and the databases of its members by Server name. */
export interface DurabilityTargets {
  readonly cluster: MySQLCluster;
  readonly databases: ReadonlyMap<string, Database>;
}

export interface DurabilityOutcome {
  /** As last written: go on with this one. */
  readonly cluster: MySQLCluster;
  /** Why the step could not be taken to its end. What is on record holds, and the step may be taken again. */
  readonly failure?: AppError;
}

const lookLimit: Millis = 1_000;
/** A commit that waits longer than this for its acknowledgement has nobody who gives it in time. */
const canaryLimit: Millis = 1_000;

/**
 * Takes the step. Every change of a server follows a write of the record, even where the record says it already, and is
 * stamped with its serial: who is no longer in charge fails at the write, or is refused by the server.
 * Failures of the API server are thrown (`kube.*`), those of servers returned.
 */
export async function takeStep(
  ports: DurabilityPorts,
  targets: DurabilityTargets,
  step: DurabilityStep,
): Promise<DurabilityOutcome> {
  const writer = new DurabilityWriter(ports, targets);
  try {
    await steps[step.do](writer, step as never);
  } catch (error) {
    if (!(error instanceof AppError) || error.code.startsWith('kube.')) throw error;
    return { cluster: writer.cluster, failure: error };
  }
  return { cluster: writer.cluster };
}

type Taker<Name extends DurabilityStep['do']> = (
  writer: DurabilityWriter,
  step: Extract<DurabilityStep, { readonly do: Name }>,
) => Promise<void>;

const steps: { readonly [Name in DurabilityStep['do']]: Taker<Name> } = {
  RecordAckers: (writer, { servers }) => writer.write({ ackers: [...writer.record.ackers, ...servers] }),
  RecordStrays: async (writer, { count, text }) => {
    await writer.write({ strays: count });
    writer.warnOfStrays(text);
  },
  ForgetStrays: async (writer) => {
    const base = writer.record.state === 'Protected' ? { baseGTIDs: await writer.holdAll() } : {};
    await writer.write({ ...base, strays: 0 });
  },
  AddAcker: addAcker,
  RemoveAcker: removeAcker,
  Degrade: async (writer) => {
    await writer.write({ state: 'Degrading' });
    writer.hit('durability.after-degrading-recorded');
  },
  Reprieve: (writer) => writer.write({ state: 'Protected' }),
  Release: releaseCommits,
  RecordDegraded: async (writer) => {
    await writer.write({ state: 'Degraded', requiredAcks: 0 });
    writer.warn('Somebody else has ended the wait for replicas');
  },
  Rearm: rearmCommits,
};

async function addAcker(writer: DurabilityWriter, { server }: { readonly server: string }): Promise<void> {
  const others = writer.record.ackers.filter((acker) => acker !== server);
  await writer.write({ ackers: [...others, server] });
  writer.hit('durability.after-acker-recorded');
  await writer.database(server).acknowledge(true, writer.stamp);
  writer.hit('durability.after-acker-enabled');
}

/** What only this replica may have acknowledged must be held by another before it is forgotten. */
async function removeAcker(
  writer: DurabilityWriter,
  { server, gone }: { readonly server: string; readonly gone: boolean },
): Promise<void> {
  if (!gone) {
    await writer.touch();
    await writer.database(server).acknowledge(false, writer.stamp);
    writer.hit('durability.after-acker-disabled');
  }
  const ackers = writer.record.ackers.filter((acker) => acker !== server);
  const base = writer.record.state === 'Protected' ? { baseGTIDs: await writer.holdAll() } : {};
  await writer.write({ ackers, ...base });
  writer.hit('durability.after-acker-removed');
}

async function releaseCommits(writer: DurabilityWriter): Promise<void> {
  await writer.write({ state: 'Releasing', requiredAcks: 0 });
  writer.hit('durability.after-releasing-recorded');
  await writer.primary.requireAcks(0, writer.stamp);
  writer.hit('durability.after-released');
  await writer.write({ state: 'Degraded' });
  writer.warn(writer.isUnwanted ? 'spec.durability is Async' : 'No replica was left to wait for');
}

async function rearmCommits(writer: DurabilityWriter): Promise<void> {
  await writer.write({ state: 'Rearming', requiredAcks: 0 });
  writer.hit('durability.after-rearming-recorded');
  await writer.primary.requireAcks(1, writer.stamp);
  writer.hit('durability.after-armed');
  let baseGTIDs: Gtids;
  try {
    baseGTIDs = await writer.holdAll();
  } catch (error) {
    // Nobody acknowledges in time: applications must not wait for the next try, unless they are to wait for ever.
    if (!writer.isStrict) await writer.primary.requireAcks(0, writer.stamp);
    throw error;
  }
  await writer.write({ state: 'Protected', requiredAcks: 1, baseGTIDs });
  writer.hit('durability.after-protected-recorded');
  writer.tell();
}

/** The record under hand, and the servers it is about. */
class DurabilityWriter {
  readonly #ports: DurabilityPorts;
  readonly #databases: ReadonlyMap<string, Database>;
  #cluster: MySQLCluster;

  constructor(ports: DurabilityPorts, { cluster, databases }: DurabilityTargets) {
    this.#ports = ports;
    this.#databases = databases;
    this.#cluster = cluster;
  }

  get cluster(): MySQLCluster {
    return this.#cluster;
  }

  get record(): DurabilityRecord {
    const record = this.#cluster.status?.durability;
    if (record === undefined) throw new AppError('invariant', 'what commits wait for is not on record');
    return record;
  }

  /** Commits are not to wait, whoever is there. */
  get isUnwanted(): boolean {
    return this.#cluster.spec.durability === 'Async';
  }

  /** Commits wait, whoever is there. */
  get isStrict(): boolean {
    return this.#cluster.spec.durability === 'Strict';
  }

  /** Of the record as last written. */
  get stamp(): Stamp {
    return { epoch: this.#leader.epoch, serial: this.record.serial ?? 0 };
  }

  get primary(): Database {
    return this.database(this.#leader.server);
  }

  database(server: string): Database {
    const database = this.#databases.get(server);
    if (database === undefined) throw new AppError('database.silent', `${server} cannot be asked`);
    return database;
  }

  hit(name: Parameters<Failpoints['hit']>[0]): void {
    this.#ports.failpoints.hit(name);
  }

  /** Changes the record, if nobody else has changed the cluster. */
  async write(changes: Partial<DurabilityRecord>): Promise<void> {
    const { kube, clock } = this.#ports;
    const durability = amendDurability(this.record, changes, timestamp(clock.now()));
    const status = { ...this.#cluster.status, durability };
    this.#cluster = await kube.writeStatus(mySQLClusterKind, this.#cluster, status);
  }

  /** Writes the record as it is, with another serial: proves that we are in charge, and outdates what others may still send. */
  touch(): Promise<void> {
    return this.write({});
  }

  /**
   * What the primary holds now, proven to be held by one of those who acknowledge now: replication is in order, so whoever
   * acknowledges a later write has all that came before. A write that was under way may have been acknowledged by somebody
   * who does no more; the second one has surely begun after that.
   */
  async holdAll(): Promise<Gtids> {
    const before = await this.primary.look(lookLimit);
    await this.primary.beat(this.#leader.epoch, canaryLimit);
    await this.primary.beat(this.#leader.epoch, canaryLimit);
    const after = await this.primary.look(lookLimit);
    const isProven =
      after.acks.armed &&
      after.acks.acknowledged > before.acks.acknowledged &&
      after.acks.unacknowledged === before.acks.unacknowledged;
    if (!isProven) throw new AppError('database.failed', `${this.#leader.server} acknowledged a write alone`);
    return before.executed;
  }

  warn(why: string): void {
    const text = `${why}: commits on ${this.#leader.server} no longer wait for an acknowledgement. A failover could lose writes now.`;
    this.#ports.events.warning(this.#cluster, 'SemiSyncDegraded', text);
  }

  warnOfStrays(text: string): void {
    this.#ports.events.warning(this.#cluster, 'StrayAcker', text);
  }

  tell(): void {
    const text = `Commits on ${this.#leader.server} wait for one of ${this.record.ackers.join(', ')}.`;
    this.#ports.events.normal(this.#cluster, 'SemiSyncArmed', text);
  }

  get #leader(): { readonly server: string; readonly epoch: number } {
    const primary = this.#cluster.status?.primary;
    if (primary === undefined) throw new AppError('invariant', 'no primary is on record');
    return primary;
  }
}
