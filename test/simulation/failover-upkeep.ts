/** Keeps replicas in line and commits waiting, as little as a simulation needs, in the order that is always safe. */
import {
  type DurabilityRecord,
  type MySQLCluster,
  mySQLClusterKind,
} from '../../controller/api/mysql-cluster.ts';
import { type Clock, type Instant, timestamp } from '../../controller/base/clock.ts';
import type { Look, Member, Stamp } from '../../controller/database/port.ts';
import { amendDurability } from '../../controller/failover/proof.ts';
import type { Kube } from '../../controller/kube/port.ts';
import type { FailoverWorld } from './failover-world.ts';
import type { MortalProcess } from './mortal.ts';

export interface UpkeepPorts {
  readonly kube: Kube;
  readonly clock: Clock;
  readonly members: readonly Member[];
}

/** The primary has had no replica for so long. */
const degradeAfter = 1_000;

export class Upkeep {
  readonly #world: FailoverWorld;
  readonly #process: MortalProcess;
  readonly #ports: UpkeepPorts;
  #aloneSince: Instant | undefined;

  constructor(world: FailoverWorld, process: MortalProcess, ports: UpkeepPorts) {
    this.#world = world;
    this.#process = process;
    this.#ports = ports;
  }

  /** Follows, arms and degrades, in the order that keeps the record at least as bad as the truth. */
  async tidy(cluster: MySQLCluster): Promise<void> {
    const { primary, durability } = cluster.status!;
    if (durability === undefined || cluster.spec.durability === 'Async') return;
    let connected = 0;
    for (const member of this.#ports.members.filter(({ server }) => server !== primary!.server)) {
      const state = await this.#lead(cluster, member);
      if (state === 'Recorded') return;
      if (state === 'Running') connected += 1;
    }
    if (connected === 0) {
      await this.#bearAlone(cluster);
      return;
    }
    this.#aloneSince = undefined;
    if (durability.state !== 'Protected') await this.#arm(cluster);
  }

  async #bearAlone(cluster: MySQLCluster): Promise<void> {
    const isProtected = cluster.status?.durability?.state === 'Protected';
    this.#aloneSince ??= this.#ports.clock.now();
    const isLong = this.#ports.clock.now() - this.#aloneSince > degradeAfter;
    if (isProtected && isLong && cluster.spec.durability === 'Balanced') await this.#degrade(cluster);
  }

  /**
   * On record first, so that nobody who was to end the waiting can still do so. The primary waits again then; at last the
   * record says so, and what replicas may still lack.
   */
  async #arm(cluster: MySQLCluster): Promise<void> {
    const { database } = this.#member(cluster.status!.primary!.server);
    const rearming = await this.#record(cluster, { state: 'Rearming', requiredAcks: 0 });
    await database.requireAcks(1, stampOf(rearming));
    const { executed } = await database.look(500);
    await this.#record(rearming, { state: 'Protected', requiredAcks: 1, baseGTIDs: executed });
  }

  /** The record says so first; then the primary waits no more. Anything may happen in between. */
  async #degrade(cluster: MySQLCluster): Promise<void> {
    const { database } = this.#member(cluster.status!.primary!.server);
    const record = () => this.#record(cluster, { state: 'Releasing', requiredAcks: 0 });
    if (this.#world.sendsFirst) {
      await database.requireAcks(0, stampOf(cluster));
      this.#world.onDegrade(this.#process);
      await record();
      return;
    }
    const releasing = await record();
    this.#world.onDegrade(this.#process);
    await database.requireAcks(0, stampOf(releasing));
  }

  /** Makes a replica follow; what that needs on record is recorded first, and the next pass goes on. */
  async #lead(cluster: MySQLCluster, member: Member): Promise<'Running' | 'Recorded' | 'Waiting'> {
    const { primary } = cluster.status!;
    const leader = this.#member(primary!.server);
    const found = await member.database.look(300).catch(() => undefined);
    if (found === undefined || !found.readOnly) return 'Waiting';
    const { replication } = found;
    const isLed = replication?.source === leader.address && replication.acknowledges;
    if (isLed && replication.receiver !== 'Stopped') {
      return replication.receiver === 'Running' ? 'Running' : 'Waiting';
    }
    const { databases } = this.#world;
    const own = databases.server(member.server).log;
    // One that went another way would have to be built anew.
    if (own.some(({ gtid }) => !databases.server(leader.server).holds(gtid))) return 'Waiting';
    const changes = recordBefore(cluster, member.server, found);
    if (changes !== undefined) {
      await this.#record(cluster, changes);
      return 'Recorded';
    }
    await member.database.follow(databases.sourceOf(leader.server), stampOf(cluster));
    return 'Waiting';
  }

  async #record(cluster: MySQLCluster, changes: Partial<DurabilityRecord>): Promise<MySQLCluster> {
    const durability = amendDurability(
      cluster.status!.durability!,
      changes,
      timestamp(this.#ports.clock.now()),
    );
    return await this.#ports.kube.writeStatus(mySQLClusterKind, cluster, { ...cluster.status, durability });
  }

  #member(name: string): Member {
    return this.#ports.members.find(({ server }) => server === name)!;
  }
}

function stampOf({ status }: MySQLCluster): Stamp {
  return { epoch: status!.primary!.epoch, serial: status!.durability!.serial ?? 0 };
}

/** Nobody acknowledges who is not on record; and one that was restarted may have forgotten what it acknowledged. */
function recordBefore(
  { status }: MySQLCluster,
  server: string,
  { replication }: Look,
): Partial<DurabilityRecord> | undefined {
  const { ackers, state } = status!.durability!;
  const isAcker = ackers.includes(server);
  const hasForgotten = replication?.applier === 'Stopped' && state === 'Protected';
  if (isAcker && !hasForgotten) return undefined;
  return {
    ackers: isAcker ? ackers : [...ackers, server],
    ...(hasForgotten ? { state: 'Rearming', requiredAcks: 0 } : {}),
  };
}
