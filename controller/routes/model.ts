/** Where applications are led, over which hosts, and what HAProxy should do there. Pure. */
import { findCondition } from '../api/conditions.ts';
import { labels } from '../api/meta.ts';
import type { MySQLCluster } from '../api/mysql-cluster.ts';
import { saysItGoes } from '../api/ownership.ts';
import type { Server } from '../api/server.ts';
import { localProxyLayout } from '../balancer/layout.ts';
import type { Backend, Listener, ProxyModel, ProxyServer } from '../balancer/model.ts';
import { databasePort } from '../database/tcp-port.ts';

/** A server of the cluster as clients reach it. */
export interface Endpoint {
  readonly server: string;
  readonly address: string;
}

/** Where applications are led. */
export interface Route {
  readonly epoch: number;
  readonly writer: Endpoint;
  /** Replicas that reads may go to; without any they go to the writer. */
  readonly readers: readonly Endpoint[];
}

/** Undefined until there is a primary with an address. */
export function routeOf(cluster: MySQLCluster, servers: readonly Server[]): Route | undefined {
  const { primary } = cluster.status ?? {};
  const address = servers.find(({ metadata }) => metadata.name === primary?.server)?.status?.privateIP;
  if (primary === undefined || address === undefined) return undefined;
  const writer = { server: primary.server, address };
  return { epoch: primary.epoch, writer, readers: readersOf(cluster, servers, writer) };
}

/** Healthy replicas, as the status has them. */
export function readersOf(
  { status }: MySQLCluster,
  servers: readonly Server[],
  writer: Endpoint,
): Endpoint[] {
  const replicas = (status?.members ?? []).filter(
    ({ server, role, healthy }) => role === 'Replica' && healthy === true && server !== writer.server,
  );
  return replicas.flatMap(({ server }) => {
    const address = servers.find(({ metadata }) => metadata.name === server)?.status?.privateIP;
    return address === undefined ? [] : [{ server, address }];
  });
}

/**
 * Servers that run a local proxy. Health does not matter: an application may be unhealthy only because it cannot reach
 * its database yet.
 */
export function proxyServersOf(arrays: ReadonlySet<string>, servers: readonly Server[]): readonly Server[] {
  return servers.filter(
    (server) => arrays.has(server.metadata.labels?.[labels.array] ?? '') && isStanding(server),
  );
}

function isStanding(server: Server): boolean {
  const { status } = server;
  const hasBooted = status?.bootedTime !== undefined || status?.forcedTime !== undefined;
  const isOff = ['Stopping', 'Stopped', 'Terminated'].includes(findCondition(status, 'Ready')?.reason ?? '');
  return hasBooted && !isOff && !saysItGoes(server);
}

/** What the local proxy on `node` does; undefined when the cluster has none. */
export function proxyModelOf(
  { metadata, spec }: MySQLCluster,
  route: Route,
  node: string,
): ProxyModel | undefined {
  const { localProxy } = spec.endpoints ?? {};
  if (localProxy === undefined) return undefined;
  return {
    layout: localProxyLayout,
    owner: `MySQLCluster ${metadata.namespace ?? ''}/${metadata.name}`,
    node,
    listeners: [
      localListener('writer', localProxy.writerPort),
      localListener('reader', localProxy.readerPort),
    ],
    backends: [writerBackend(route), readerBackend(route)],
    maintenance: false,
    page: '',
    term: { of: metadata.uid, number: route.epoch },
    extra: { global: [], defaults: [] },
  };
}

function localListener(name: string, port: number): Listener {
  return { name, address: '127.0.0.1', port, protocol: 'TCP', backend: name };
}

/** Without a check, which must never choose a primary; one server, so that nobody writes to another. */
function writerBackend({ writer }: Route): Backend {
  return { name: 'writer', protocol: 'TCP', balance: 'RoundRobin', servers: [proxyServer(writer)] };
}

function readerBackend({ writer, readers }: Route): Backend {
  return {
    name: 'reader',
    protocol: 'TCP',
    balance: 'LeastConn',
    check: { path: '', greeting: true, periodMilliseconds: 2000, rise: 1, fall: 2 },
    servers: [...readers.map(proxyServer), { ...proxyServer(writer), backup: true }],
  };
}

/** The address is part of the name, so that a name is never used for another. */
function proxyServer({ server, address }: Endpoint): ProxyServer {
  return { name: `${server}-${address}`, address, port: databasePort, weight: 100, maxConnections: 0 };
}
