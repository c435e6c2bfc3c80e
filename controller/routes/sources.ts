/** Reads what the ways to a cluster depend on: its servers, its neighbors, the hosts with proxies, and its DNS. */

import { hostOf } from '../accounts/host.ts';
import type { Accounts } from '../accounts/port.ts';
import { siteOf } from '../accounts/site.ts';
import type { CloudAccount } from '../api/cloud-account.ts';
import { type MySQLCluster, mySQLClusterKind } from '../api/mysql-cluster.ts';
import { type Server, serverKind } from '../api/server.ts';
import { serverArrayKind } from '../api/server-array.ts';
import { AppError } from '../base/errors.ts';
import type { Dns } from '../cloud/port.ts';
import type { Cache } from '../kube/port.ts';
import type { Host } from '../shell/port.ts';
import { proxyServersOf } from './model.ts';
import { ownArrays, type RouteContext } from './verdict.ts';

export interface ProxyHost {
  readonly server: Server;
  /** Undefined while it has no address or no pinned key. */
  readonly host: Host | undefined;
}

/** Asks no host. */
export class RouteSources {
  readonly #cache: Cache;
  readonly #accounts: Accounts;

  constructor(cache: Cache, accounts: Accounts) {
    this.#cache = cache;
    this.#accounts = accounts;
  }

  around(cluster: MySQLCluster): RouteContext {
    const { namespace = '', uid } = cluster.metadata;
    const arrays = this.#cache.list(serverArrayKind, { namespace }).map(({ metadata }) => metadata.name);
    const clusters = this.#cache.list(mySQLClusterKind, { namespace });
    return {
      cluster,
      deployment: siteOf(this.#cache, cluster).deployment,
      arrays: new Set(arrays),
      others: clusters.filter(({ metadata }) => metadata.uid !== uid),
    };
  }

  /** Of the namespace. */
  servers({ metadata: { namespace = '' } }: MySQLCluster): readonly Server[] {
    return this.#cache.list(serverKind, { namespace });
  }

  /** Servers that run this cluster's local proxy. */
  proxyServers(cluster: MySQLCluster): readonly Server[] {
    return proxyServersOf(ownArrays(this.around(cluster)), this.servers(cluster));
  }

  async hosts(cluster: MySQLCluster): Promise<readonly ProxyHost[]> {
    const servers = this.proxyServers(cluster);
    if (servers.length === 0) return [];
    const account = this.#account(cluster);
    const login = await this.#accounts.login(account);
    return servers.map((server) => ({ server, host: hostOf(server, account, login) }));
  }

  async dns(cluster: MySQLCluster): Promise<Dns> {
    return (await this.#accounts.open(this.#account(cluster))).cloud.dns;
  }

  #account(cluster: MySQLCluster): CloudAccount {
    const { account } = siteOf(this.#cache, cluster);
    if (account !== undefined) return account;
    const { name } = cluster.spec.deploymentRef;
    throw new AppError('cloud.account-not-ready', `Deployment/${name} or its CloudAccount is gone`);
  }
}
