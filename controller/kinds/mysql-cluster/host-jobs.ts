/** Works on the hosts of members on their way in: starts and ends their jobs, and makes replicas follow. */
import type { MySQLCluster } from '../../api/mysql-cluster.ts';
import { within } from '../../base/abort.ts';
import type { Clock, Millis } from '../../base/clock.ts';
import { AppError } from '../../base/errors.ts';
import type { Logger } from '../../base/log.ts';
import type { Member as DatabaseMember, Source, Stamp } from '../../database/port.ts';
import type { Shell } from '../../shell/port.ts';
import type { JoinDeed } from './decide/plan.ts';
import { jobIDs } from './job-id.ts';
import { jobsOf, revivalOf, rolloutOf } from './jobs.ts';
import type { Site } from '../../cluster-access/access.ts';
import { stampOf } from '../../cluster-access/stamp.ts';

export interface HandsPorts {
  readonly shell: Shell;
  readonly clock: Clock;
}

/** What the deeds of one pass are about. */
export interface Work {
  readonly cluster: MySQLCluster;
  readonly site: Site;
  readonly log: Logger;
}

/** How long a pass waits for its deeds; what takes longer goes on alone. */
const patience: Millis = 2_000;
/** A replica that is hardly behind has applied the rest long before. */
const drainTime: Millis = 10_000;

/** One deed at a time on each host, whatever pass it came from. */
export class Hands {
  readonly #ports: HandsPorts;
  readonly #busy = new Set<string>();
  readonly #failures = new Map<string, AppError>();

  constructor(ports: HandsPorts) {
    this.#ports = ports;
  }

  /** Why the newest deed on this Server, by uid, did not work. */
  failureOf(serverUid: string): AppError | undefined {
    return this.#failures.get(serverUid);
  }

  /** Never fails: what did not work is logged, and seen in the next look. */
  async carryOut(work: Work, deeds: readonly JoinDeed[]): Promise<void> {
    const { clock } = this.#ports;
    const free = deeds.filter(({ member }) => !this.#busy.has(member.server.metadata.uid));
    await within(clock, patience, Promise.all(free.map((deed) => this.#guarded(work, deed))));
  }

  async #guarded(work: Work, deed: JoinDeed): Promise<void> {
    const { uid } = deed.member.server.metadata;
    this.#busy.add(uid);
    try {
      await this.#do(work, deed);
      this.#failures.delete(uid);
    } catch (error) {
      const text = 'could not do what a member needs';
      const fields = { err: error, server: deed.member.name, deed: deed.do };
      if (error instanceof AppError) {
        // It is tried with every pass, and said once.
        const isNew = this.#failures.get(uid)?.message !== error.message;
        this.#failures.set(uid, error);
        work.log[isNew ? 'warn' : 'debug'](fields, text);
      } else work.log.error(fields, text);
    } finally {
      this.#busy.delete(uid);
    }
  }

  async #do(work: Work, deed: JoinDeed): Promise<void> {
    switch (deed.do) {
      case 'start':
        return await this.#start(work, deed);
      case 'cancel':
        return await this.#cancel(work, deed);
      case 'follow':
        return await follow(work, deed);
      case 'revive':
        return await this.#revive(work, deed);
      case 'check':
        return await this.#roll(work, deed);
      case 'restart':
        return await this.#roll(work, deed, await drained(work, deed));
    }
  }

  /** Preparation starts a server that holds data and does not run; it comes up read-only and follows nobody. */
  async #revive(
    { cluster, site }: Work,
    { member, since }: JoinDeed & { readonly do: 'revive' },
  ): Promise<void> {
    const host = site.host(member.server);
    if (host !== undefined)
      await this.#ports.shell.startJob(host, revivalOf(cluster, site, { member, since }));
  }

  async #start({ cluster, site }: Work, deed: JoinDeed & { readonly do: 'start' }): Promise<void> {
    const { own, donor } = await jobsOf(cluster, site, deed);
    const host = site.host(deed.member.server);
    const donorHost = deed.donor === undefined ? undefined : site.host(deed.donor.server);
    if (donor !== undefined && donorHost !== undefined) await this.#ports.shell.startJob(donorHost, donor);
    if (host !== undefined) await this.#ports.shell.startJob(host, own);
  }

  async #roll(
    { cluster, site }: Work,
    { member, since }: JoinDeed & { readonly do: 'check' | 'restart' },
    restart?: Stamp,
  ): Promise<void> {
    const host = site.host(member.server);
    if (host === undefined) return;
    const turn = { member, since, ...(restart === undefined ? {} : { restart }) };
    await this.#ports.shell.startJob(host, rolloutOf(cluster, site, turn));
  }

  async #cancel({ cluster, site }: Work, deed: JoinDeed & { readonly do: 'cancel' }): Promise<void> {
    const ids = jobIDs(cluster, deed.member.record);
    const host = site.host(deed.member.server);
    const donorHost = deed.donor === undefined ? undefined : site.host(deed.donor.server);
    if (host !== undefined) await this.#ports.shell.cancelJob(host, ids.own);
    if (donorHost !== undefined) await this.#ports.shell.cancelJob(donorHost, ids.donor);
  }
}

/**
 * A replica that has applied all it has received forgets nothing when it stops (MariaDB, MDEV-4698). Returns the stamp
 * under which it was told to receive no more.
 */
async function drained({ cluster, site }: Work, { member: { server, name } }: JoinDeed): Promise<Stamp> {
  const stamp = stampOf(cluster);
  const database = site.member(server)?.database;
  if (stamp === undefined || database === undefined) {
    throw new AppError('shell.unreachable', `${name} cannot be reached`);
  }
  const { received } = await database.freeze(stamp);
  if (await database.catchUp(received, drainTime)) return stamp;
  await database.thaw(stamp);
  throw new AppError('database.failed', `${name} has not applied what it received within 10 s`);
}

/** Acknowledges only who is recorded to: the record never lags behind the truth. */
async function follow({ cluster, site }: Work, { member: { server, name } }: JoinDeed): Promise<void> {
  const stamp = stampOf(cluster);
  const member = site.member(server);
  const leader = site.leader();
  if (stamp === undefined || member === undefined || leader === undefined) return;
  const acknowledges = cluster.status?.durability?.ackers.includes(name) === true;
  await member.database.follow(await sourceOf(site, leader, acknowledges), stamp);
}

/** How a member follows `primary`. */
export async function sourceOf(
  { credentials }: Site,
  { address, database, server }: DatabaseMember,
  acknowledges: boolean,
): Promise<Source> {
  if (credentials === undefined) {
    throw new AppError('database.denied', `no password to follow ${server} with is known`);
  }
  const certificate = await database.certificate();
  return { address, password: credentials.replication, certificate, acknowledges };
}
