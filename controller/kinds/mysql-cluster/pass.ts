/** What one pass over a cluster works with: the objects as they stand, the ways in, and how its routes are. */
import type { Accounts } from '../../accounts/port.ts';
import type { MySQLCluster } from '../../api/mysql-cluster.ts';
import type { Server } from '../../api/server.ts';
import type { Instant } from '../../base/clock.ts';
import type { AppError } from '../../base/errors.ts';
import { type ClusterAccess, openClusterAccess } from '../../cluster-access/access.ts';
import type { CredentialStore, Credentials } from '../../cluster-access/credentials.ts';
import type { Databases } from '../../database/port.ts';
import type { Cache } from '../../kube/port.ts';
import { ownServers } from '../../owned-servers/servers.ts';
import type { Routes, Routing } from '../../routes/routes.ts';
import type { HostJobs } from './host-jobs.ts';

export interface PassPorts {
  readonly cache: Cache;
  readonly accounts: Accounts;
  readonly databases: Databases;
  readonly credentials: CredentialStore;
  readonly routes: Routes;
  readonly hostJobs: HostJobs;
}

export interface ClusterPass {
  readonly cluster: MySQLCluster;
  readonly access: ClusterAccess;
  readonly servers: readonly Server[];
  readonly now: Instant;
  readonly credentials: Credentials;
  /** Why there are no passwords at all. */
  readonly missing: string | undefined;
  /** Why the newest action on a Server, by uid, did not work. */
  readonly failureOf: (serverUid: string) => AppError | undefined;
  /** How the ways of applications to the cluster are, as the last round over them found. */
  readonly routing: Routing;
}

/** Also has its routes kept, as the recorded status says who leads; hosts and AWS are asked beside the pass. */
export async function openPass(ports: PassPorts, cluster: MySQLCluster, now: Instant): Promise<ClusterPass> {
  const credentials = await ports.credentials.read(cluster, now);
  const { current, mistake } = credentials;
  const access = await openClusterAccess(ports, cluster, current);
  return {
    cluster,
    access,
    servers: ownServers(ports.cache, cluster),
    now,
    credentials,
    missing: current === undefined ? mistake?.message : undefined,
    failureOf: (uid) => ports.hostJobs.failureOf(uid),
    routing: ports.routes.keep(cluster, access.suspended),
  };
}
