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
import type { DurabilityPlan } from './decide/durability-plan.ts';
import type { Decision } from './decide/index.ts';
import type { Member } from './decide/member.ts';
import { type DurabilityPorts, takeStep } from './durability.ts';
import type { HostJobs } from './host-jobs.ts';
import type { ClusterPass } from './pass.ts';
import { askForSwitchover } from './promote.ts';
import { changeServers } from './servers.ts';

export interface ActPorts extends ClusterAccessPorts, DurabilityPorts {
  readonly kube: Kube;
  readonly hostJobs: HostJobs;
}

/** What was decided, about whom, and the cluster with the record of it. */
export interface Decided {
  readonly pass: ClusterPass;
  readonly written: MySQLCluster;
  readonly members: readonly Member[];
  readonly decision: Decision;
}

/** Servers first, then what happens on their hosts, then what commits wait for. Fails only when the API server does. */
export async function act(ports: ActPorts, decided: Decided, log: Logger): Promise<void> {
  const { pass, written, members, decision } = decided;
  await changeServers(ports.kube, written, decision.servers);
  const access = await openClusterAccess(ports, written, pass.access.credentials);
  await ports.hostJobs.carryOut({ cluster: written, access, log }, decision.joins);
  await askForSwitchover(ports.kube, written, decision.switchover);
  try {
    await changeDurability(ports, { cluster: written, access, members }, decision.durability);
  } catch (error) {
    // What is on record holds; the next pass tries again.
    if (!(error instanceof AppError) || error.code.startsWith('kube.')) throw error;
    log.warn({ err: error }, 'could not change what commits wait for');
  }
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
): Promise<void> {
  switch (plan?.do) {
    case 'Open':
      return await openForWrites(cluster, access, plan);
    case 'Step': {
      const { failure } = await takeStep(
        ports,
        { cluster, databases: databasesOf(access, members) },
        plan.step,
      );
      if (failure !== undefined) throw failure;
      return;
    }
    case undefined:
  }
}

/** What commits wait for is on record already. Nobody has written anything: the order among servers does not matter. */
async function openForWrites(
  cluster: MySQLCluster,
  access: ClusterAccess,
  { primary, ackers, record }: DurabilityPlan & { readonly do: 'Open' },
): Promise<void> {
  const stamp = stampOf(cluster);
  const database = access.member(primary.server)?.database;
  if (database === undefined || stamp === undefined) return;
  for (const { server } of ackers) await access.member(server)?.database.acknowledge(true, stamp);
  await database.requireAcks(record.requiredAcks, stamp);
  await database.open(stamp);
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
