/** Ways in: the hosts of a cluster's members, their databases, and the cloud they are rented from. */

import { hostOf } from '../accounts/host.ts';
import type { Accounts, Login, OpenAccount } from '../accounts/port.ts';
import { type Site, siteOf } from '../accounts/site.ts';
import type { CloudAccount } from '../api/cloud-account.ts';
import type { MySQLCluster } from '../api/mysql-cluster.ts';
import { type Server, serverKind } from '../api/server.ts';
import { type ServerTemplate, serverTemplateKind } from '../api/server-template.ts';
import { AppError } from '../base/errors.ts';
import type { MachineState } from '../cloud/port.ts';
import type { Database, Member as DatabaseMember, Databases, Passwords } from '../database/port.ts';
import type { Cache } from '../kube/port.ts';
import type { Host } from '../shell/port.ts';

export interface ClusterAccessPorts {
  readonly cache: Cache;
  readonly accounts: Accounts;
  readonly databases: Databases;
}

/** What a cluster refers to, and how to reach what it owns. */
export interface ClusterAccess extends Site {
  readonly template: ServerTemplate | undefined;
  /** Those that its servers accept. */
  readonly credentials: Passwords | undefined;
  /** Undefined while it has no address, or no key is pinned. */
  host(server: Server): Host | undefined;
  /** The database on a server; undefined while it cannot be reached at all. */
  member(server: Server): DatabaseMember | undefined;
  /** The recorded primary, if its Server can be reached. */
  leader(): DatabaseMember | undefined;
  /** The account its machines are in. */
  open(): Promise<OpenAccount>;
  /** What is known of a machine without asking EC2. */
  machineState(instanceID: string): MachineState | undefined;
}

/** Reads the cache and Secrets, asks no host. What cannot be had is undefined in the answer, not an error. */
export async function openClusterAccess(
  { cache, accounts, databases }: ClusterAccessPorts,
  cluster: MySQLCluster,
  credentials: Passwords | undefined,
): Promise<ClusterAccess> {
  const { namespace = '' } = cluster.metadata;
  const { deploymentRef, serverTemplateRef, engine } = cluster.spec;
  const template = cache.get(serverTemplateKind, { namespace, name: serverTemplateRef.name });
  const site = siteOf(cache, cluster);
  const { account } = site;
  const login = account === undefined ? undefined : await loginOf(accounts, account);
  const view = account === undefined ? undefined : await viewOf(accounts, account);
  const host = (server: Server) =>
    account === undefined || login === undefined ? undefined : hostOf(server, account, login);
  const databaseOf = (server: Server, at: Host): Database | undefined =>
    credentials === undefined
      ? undefined
      : databases.of({
          name: server.metadata.name,
          host: at,
          flavor: engine.flavor,
          password: credentials.admin,
        });
  const member = (server: Server): DatabaseMember | undefined => {
    const { instanceID, privateIP: address, zone } = server.status ?? {};
    const at = host(server);
    const database = at === undefined ? undefined : databaseOf(server, at);
    if (instanceID === undefined || address === undefined || database === undefined) return undefined;
    const where = zone === undefined ? {} : { zone };
    return { server: server.metadata.name, instanceID, address, ...where, database };
  };
  return {
    ...site,
    template,
    credentials,
    host,
    member,
    leader: () => {
      const name = cluster.status?.primary?.server;
      const server = name === undefined ? undefined : cache.get(serverKind, { namespace, name });
      return server === undefined ? undefined : member(server);
    },
    open: async () => {
      if (account === undefined) {
        throw new AppError('cloud.account-not-ready', `Deployment/${deploymentRef.name} has no CloudAccount`);
      }
      return await accounts.open(account);
    },
    machineState: (instanceID) => view?.get(instanceID)?.state,
  };
}

/** Undefined while its Secret is missing: what was joined is then only out of reach. */
async function loginOf(accounts: Accounts, account: CloudAccount): Promise<Login | undefined> {
  return await unlessUnready(() => accounts.login(account));
}

async function viewOf(accounts: Accounts, account: CloudAccount) {
  return (await unlessUnready(() => accounts.open(account)))?.view;
}

async function unlessUnready<T>(work: () => Promise<T>): Promise<T | undefined> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof AppError && error.code === 'cloud.account-not-ready') return undefined;
    throw error;
  }
}
