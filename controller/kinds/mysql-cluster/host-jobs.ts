/** Works on the hosts of members on their way in: starts and ends their jobs, and makes replicas follow. */
import type { MySQLCluster } from '../../api/mysql-cluster.ts';
import { withDeadline } from '../../base/abort.ts';
import type { Clock, Millis } from '../../base/clock.ts';
import { AppError } from '../../base/errors.ts';
import type { Logger } from '../../base/log.ts';
import type { ClusterAccess } from '../../cluster-access/access.ts';
import { stampOf } from '../../cluster-access/stamp.ts';
import type { Member as DatabaseMember, Source, Stamp } from '../../database/port.ts';
import type { Shell } from '../../shell/port.ts';
import { changeCertificate } from './certificates.ts';
import type { HostAction } from './decide/plan.ts';
import { jobIDs } from './job-id.ts';
import { jobsOf, revivalOf, rolloutOf } from './jobs.ts';

export interface HostJobPorts {
  readonly shell: Shell;
  readonly clock: Clock;
}

/** What the actions of one pass are about. */
export interface HostJobContext {
  readonly cluster: MySQLCluster;
  readonly access: ClusterAccess;
  readonly log: Logger;
}

/** How long a pass waits for its actions; what takes longer goes on alone. */
const patience: Millis = 2_000;
/** A replica that is hardly behind has applied the rest long before. */
const drainTime: Millis = 10_000;

/** One action at a time on each host, whatever pass it came from. */
export class HostJobs {
  readonly #ports: HostJobPorts;
  readonly #busy = new Set<string>();
  readonly #failures = new Map<string, AppError>();
  readonly #passwords = new Map<string, number>();

  constructor(ports: HostJobPorts) {
    this.#ports = ports;
  }

  /** Why the newest action on this Server, by uid, did not work. */
  failureOf(serverUid: string): AppError | undefined {
    return this.#failures.get(serverUid);
  }

  /** Number of the passwords with which this Server, by uid, was last told to follow anew. */
  passwordsOf(serverUid: string): number | undefined {
    return this.#passwords.get(serverUid);
  }

  /** Never fails: what did not work is logged, and seen in the next look. */
  async carryOut(work: HostJobContext, actions: readonly HostAction[]): Promise<void> {
    const { clock } = this.#ports;
    const free = actions.filter(({ member }) => !this.#busy.has(member.server.metadata.uid));
    await withDeadline(clock, patience, Promise.all(free.map((action) => this.#guarded(work, action))));
  }

  async #guarded(work: HostJobContext, action: HostAction): Promise<void> {
    const { uid } = action.member.server.metadata;
    this.#busy.add(uid);
    try {
      await this.#do(work, action);
      this.#failures.delete(uid);
    } catch (error) {
      const text = 'could not do what a member needs';
      const fields = { err: error, server: action.member.name, action: action.do };
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

  async #do(work: HostJobContext, action: HostAction): Promise<void> {
    switch (action.do) {
      case 'start':
        return await this.#start(work, action);
      case 'cancel':
        return await this.#cancel(work, action);
      case 'follow':
        return await this.#follow(work, action);
      case 'restore':
        return await restoreVariables(work, action);
      case 'revive':
        return await this.#revive(work, action);
      case 'check':
        return await this.#roll(work, action);
      case 'restart':
        return await this.#roll(work, action, await drainReplica(work, action));
      case 'certify':
      case 'trust':
      case 'present':
      case 'discard':
        return await changeCertificate(work, action);
    }
  }

  async #follow(work: HostJobContext, action: HostAction & { readonly do: 'follow' }): Promise<void> {
    await followPrimary(work, action);
    if (action.anew !== undefined) this.#passwords.set(action.member.server.metadata.uid, action.anew);
  }

  /** Preparation starts a server that holds data and does not run; it comes up read-only and follows nobody. */
  async #revive(
    { cluster, access }: HostJobContext,
    { member, since }: HostAction & { readonly do: 'revive' },
  ): Promise<void> {
    const host = access.host(member.server);
    if (host !== undefined)
      await this.#ports.shell.startJob(host, revivalOf(cluster, access, { member, since }));
  }

  async #start(
    { cluster, access }: HostJobContext,
    action: HostAction & { readonly do: 'start' },
  ): Promise<void> {
    const { own, donor } = await jobsOf(cluster, access, action);
    const host = access.host(action.member.server);
    const donorHost = action.donor === undefined ? undefined : access.host(action.donor.server);
    if (donor !== undefined && donorHost !== undefined) await this.#ports.shell.startJob(donorHost, donor);
    if (host !== undefined) await this.#ports.shell.startJob(host, own);
  }

  async #roll(
    { cluster, access }: HostJobContext,
    { member, since }: HostAction & { readonly do: 'check' | 'restart' },
    restart?: Stamp,
  ): Promise<void> {
    const host = access.host(member.server);
    if (host === undefined) return;
    const turn = { member, since, ...(restart === undefined ? {} : { restart }) };
    await this.#ports.shell.startJob(host, rolloutOf(cluster, access, turn));
  }

  async #cancel(
    { cluster, access }: HostJobContext,
    action: HostAction & { readonly do: 'cancel' },
  ): Promise<void> {
    const ids = jobIDs(cluster, action.member.record);
    const host = access.host(action.member.server);
    const donorHost = action.donor === undefined ? undefined : access.host(action.donor.server);
    if (host !== undefined) await this.#ports.shell.cancelJob(host, ids.own);
    if (donorHost !== undefined) await this.#ports.shell.cancelJob(donorHost, ids.donor);
  }
}

/**
 * A replica that has applied all it has received forgets nothing when it stops (MariaDB, MDEV-4698). Returns the stamp
 * under which it was told to receive no more.
 */
async function drainReplica(
  { cluster, access }: HostJobContext,
  { member: { server, name } }: HostAction,
): Promise<Stamp> {
  const stamp = stampOf(cluster);
  const database = access.member(server)?.database;
  if (stamp === undefined || database === undefined) {
    throw new AppError('shell.unreachable', `${name} cannot be reached`);
  }
  const { received } = await database.freeze(stamp);
  if (await database.catchUp(received, drainTime)) return stamp;
  await database.thaw(stamp);
  throw new AppError('database.failed', `${name} has not applied what it received within 10 s`);
}

/** Acknowledges only who is recorded to: the record never lags behind the truth. */
async function followPrimary(
  { cluster, access }: HostJobContext,
  { member: { server, name }, anew }: HostAction & { readonly do: 'follow' },
): Promise<void> {
  const stamp = stampOf(cluster);
  const member = access.member(server);
  const leader = access.leader();
  if (stamp === undefined || member === undefined || leader === undefined) return;
  const acknowledges = cluster.status?.durability?.ackers.includes(name) === true;
  const source = await sourceOf(access, leader, acknowledges);
  await member.database.follow(anew === undefined ? source : { ...source, anew: true }, stamp);
}

async function restoreVariables(
  { cluster, access }: HostJobContext,
  { member: { server }, variables }: HostAction & { readonly do: 'restore' },
): Promise<void> {
  const stamp = stampOf(cluster);
  if (stamp !== undefined) await access.member(server)?.database.restore(variables, stamp);
}

/** How a member follows `primary`. */
export async function sourceOf(
  { credentials }: ClusterAccess,
  { address, database, server }: DatabaseMember,
  acknowledges: boolean,
): Promise<Source> {
  if (credentials === undefined) {
    throw new AppError('database.denied', `no password to follow ${server} with is known`);
  }
  const certificate = await database.certificate();
  return { address, password: credentials.replication, certificate, acknowledges };
}
