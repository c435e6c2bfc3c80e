/** Does what a pass decided, once it is on record; every action is safe to repeat. */
import type { MySQLCluster } from '../../api/mysql-cluster.ts';
import { AppError } from '../../base/errors.ts';
import type { Logger } from '../../base/log.ts';
import {
  type ClusterAccess,
  type ClusterAccessPorts,
  openClusterAccess,
} from '../../cluster-access/access.ts';
import { stampOf } from '../../cluster-access/stamp.ts';
import type { Database } from '../../database/port.ts';
import type { Kube } from '../../kube/port.ts';
import { makeUnlessRefused } from './creation.ts';
import type { CredentialWatch } from './credential-watch.ts';
import type { DurabilityPlan } from './decide/durability-plan.ts';
import type { Decision } from './decide/index.ts';
import type { Member } from './decide/member.ts';
import type { HostAction, ServerAction } from './decide/plan.ts';
import { type DurabilityOutcome, type DurabilityPorts, takeStep } from './durability.ts';
import type { HostJobs } from './host-jobs.ts';
import type { ClusterPass } from './pass.ts';
import { tellPrimary } from './passwords.ts';
import { askForSwitchover } from './promote.ts';
import { changeServers } from './servers.ts';

export interface ActPorts extends ClusterAccessPorts, DurabilityPorts {
  readonly kube: Kube;
  readonly hostJobs: HostJobs;
  readonly credentialWatch: CredentialWatch;
}

/** What was decided, about whom, and the cluster with the record of it. */
export interface Decided {
  readonly pass: ClusterPass;
  readonly written: MySQLCluster;
  readonly members: readonly Member[];
  readonly decision: Decision;
}

/**
 * Servers that change first, then what commits wait for, then passwords, then what happens on hosts, which may take seconds.
 * New servers come after what applications wait for, as they may be refused. Fails only when the API server does.
 */
export async function act(ports: ActPorts, decided: Decided, log: Logger): Promise<void> {
  const { pass, written, members, decision } = decided;
  const { create: creations = [], change: changes = [] } = Object.groupBy(decision.servers, kindOf);
  await changeServers(ports.kube, written, changes);
  if (decision.servers.some((action) => action.do === 'start')) ports.failpoints.hit('rejoin.after-started');
  if (decision.servers.some((action) => action.do === 'readmit'))
    ports.failpoints.hit('rejoin.after-readmitted');
  const access = await openClusterAccess(ports, written, pass.access.credentials);
  const reach = { cluster: written, access, members };
  const { cluster, failure } = await changeDurability(ports, reach, decision.durability);
  const makeServers = () => changeServers(ports.kube, cluster, creations);
  await makeUnlessRefused(ports, cluster, { what: 'No server can be made', make: makeServers });
  // What is on record holds; the next pass tries again.
  if (failure !== undefined) log.warn({ err: failure }, 'could not change what commits wait for');
  const telling = { leader: access.leader(), credentials: pass.credentials, now: pass.now };
  const refused = await tellPrimary(ports.credentialWatch, cluster, telling, decision.tell);
  if (refused !== undefined) log.warn({ err: refused }, 'could not change passwords');
  if (decision.tell !== undefined) ports.failpoints.hit('credentials.after-told');
  await ports.hostJobs.carryOut({ cluster, access, log }, decision.joins);
  for (const { do: what } of decision.joins) hitCertificate(ports, what);
  const ask = () => askForSwitchover(ports.kube, cluster, decision.switchover);
  await makeUnlessRefused(ports, cluster, { what: 'A change of primary cannot be asked for', make: ask });
}

const certificateFailpoints = {
  certify: 'certificates.after-made',
  trust: 'certificates.after-trusted',
  present: 'certificates.after-presented',
  discard: 'certificates.after-discarded',
} as const;

function hitCertificate({ failpoints }: ActPorts, what: HostAction['do']): void {
  if (what in certificateFailpoints)
    failpoints.hit(certificateFailpoints[what as keyof typeof certificateFailpoints]);
}

function kindOf(action: ServerAction): 'create' | 'change' {
  return action.do === 'create' ? 'create' : 'change';
}

interface Reach {
  readonly cluster: MySQLCluster;
  readonly access: ClusterAccess;
  readonly members: readonly Member[];
}

async function changeDurability(
  ports: ActPorts,
  { cluster, access, members }: Reach,
  plan: DurabilityPlan | undefined,
): Promise<DurabilityOutcome> {
  if (plan === undefined) return { cluster };
  return plan.do === 'Open'
    ? await openForWrites(cluster, access, plan)
    : await takeStep(ports, { cluster, databases: databasesOf(access, members) }, plan.step);
}

/** What commits wait for is on record already. Nobody has written anything: the order among servers does not matter. */
async function openForWrites(
  cluster: MySQLCluster,
  access: ClusterAccess,
  { primary, ackers, record }: DurabilityPlan & { readonly do: 'Open' },
): Promise<DurabilityOutcome> {
  const stamp = stampOf(cluster);
  const database = access.member(primary.server)?.database;
  if (database === undefined || stamp === undefined) return { cluster };
  try {
    for (const { server } of ackers) await access.member(server)?.database.acknowledge(true, stamp);
    await database.requireAcks(record.requiredAcks, stamp);
    await database.open(stamp);
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    return { cluster, failure: error };
  }
  return { cluster };
}

/** By Server; those that cannot be reached are absent. */
function databasesOf(access: ClusterAccess, members: readonly Member[]): ReadonlyMap<string, Database> {
  return new Map(
    members.flatMap(({ name, server }) => {
      const member = access.member(server);
      return member === undefined ? [] : [[name, member.database] as const];
    }),
  );
}
