/** What to say of the ways to a cluster: its local proxies and its names. Pure. */

import type { ReasonOf } from '../api/conditions.ts';
import type { SiteDeployment } from '../api/deployment.ts';
import { ageOf } from '../api/meta.ts';
import type { MySQLCluster } from '../api/mysql-cluster.ts';
import type { Report } from '../balancer/fleet.ts';
import { renderConfig } from '../balancer/render.ts';
import type { Published } from '../dns/publisher.ts';
import { proxyModelOf, type Route } from './model.ts';
import { explainFailure, homelessName, misplacedName } from './records.ts';

/** What `EndpointsReady` says. */
export type EndpointsCondition = ReasonOf<'MySQLCluster', 'EndpointsReady'>;

export interface RouteContext {
  readonly cluster: MySQLCluster;
  readonly deployment: SiteDeployment | undefined;
  /** Names of the ServerArrays of the namespace. */
  readonly arrays: ReadonlySet<string>;
  /** The other clusters of the namespace. */
  readonly others: readonly MySQLCluster[];
}

/** What is known of the ways, after a pass over them. */
export interface RouteReports {
  readonly route: Route | undefined;
  /** By name of the server that runs the proxy. */
  readonly proxies: ReadonlyMap<string, Report>;
  readonly names: readonly Published[];
}

/** Arrays whose servers run this cluster's proxy: there is one proxy on a host, and it is the oldest cluster's. */
export function ownArrays({ cluster, others }: RouteContext): ReadonlySet<string> {
  const wanted = cluster.spec.endpoints?.localProxy?.arrays ?? [];
  return new Set(wanted.filter((array) => holderOf(array, cluster, others) === undefined));
}

/** The first that applies: a mistake in the spec, a proxy, a name; else whether all is in place. */
export function endpointsConditionOf(around: RouteContext, ways: RouteReports): EndpointsCondition {
  if (around.cluster.spec.endpoints === undefined) {
    return { reason: 'NotConfigured', message: 'spec.endpoints is unset.' };
  }
  return (
    mistakeCondition(around) ??
    proxyTrouble(ways) ??
    nameTrouble(ways) ??
    (isUpdating(around.cluster, ways)
      ? { reason: 'Updating', message: 'Local proxies or names are on their way.' }
      : { reason: 'Current', message: summarize(ways) })
  );
}

function mistakeCondition(around: RouteContext): EndpointsCondition | undefined {
  const { cluster, arrays, others } = around;
  const wanted = cluster.spec.endpoints?.localProxy?.arrays ?? [];
  const missing = wanted.find((array) => !arrays.has(array));
  if (missing !== undefined) {
    const message = `ServerArray/${missing} (spec.endpoints.localProxy.arrays) does not exist. Create it or correct the name.`;
    return { reason: 'ArrayNotFound', message };
  }
  for (const array of wanted) {
    const holder = holderOf(array, cluster, others);
    if (holder === undefined) continue;
    const message = `The local proxies of ServerArray/${array} lead to MySQLCluster/${holder.metadata.name}, which is older. Take the array off one of the two; ${cluster.metadata.name} can still be reached by name.`;
    return { reason: 'ProxiesTaken', message };
  }
  const misplaced = misplacedName(around);
  if (misplaced !== undefined) return { reason: 'NameOutsideDomain', message: misplaced };
  const homeless = homelessName(around);
  return homeless === undefined ? undefined : { reason: 'ZoneNotFound', message: homeless };
}

function holderOf(
  array: string,
  cluster: MySQLCluster,
  others: readonly MySQLCluster[],
): MySQLCluster | undefined {
  return others.find(
    (other) => other.spec.endpoints?.localProxy?.arrays.includes(array) === true && isBefore(other, cluster),
  );
}

function isBefore(a: MySQLCluster, b: MySQLCluster): boolean {
  return ageOf(a) < ageOf(b);
}

function proxyTrouble({ proxies }: RouteReports): EndpointsCondition | undefined {
  const troubled = [...proxies].filter(([, { trouble }]) => trouble !== undefined);
  const rejected = troubled.find(([, { trouble }]) => trouble?.kind !== 'unreachable');
  const [server, report] = rejected ?? troubled[0] ?? [];
  if (server === undefined) return undefined;
  const reason = rejected === undefined ? 'HostUnreachable' : 'ProxyRejected';
  const message = `The local proxy of ${server} cannot be set: ${report?.trouble?.message ?? ''}.`;
  const more = troubled.length > 1 ? ` ${troubled.length} of ${proxies.size} have trouble.` : '';
  return { reason, message: message.replace(/\.+$/, '.') + more };
}

function nameTrouble({ names }: RouteReports): EndpointsCondition | undefined {
  const failure = names.find((name) => name.failure !== undefined)?.failure;
  return failure === undefined ? undefined : explainFailure(failure);
}

function isUpdating(cluster: MySQLCluster, { route, proxies, names }: RouteReports): boolean {
  if (route === undefined) return true;
  const current = [...proxies].filter(([server, report]) => isFollowing(report, { cluster, route, server }));
  return current.length < proxies.size || names.some(({ inSync }) => !inSync);
}

function isFollowing(
  { observation }: Report,
  { cluster, route, server }: { cluster: MySQLCluster; route: Route; server: string },
): boolean {
  const model = proxyModelOf(cluster, route, server);
  return model !== undefined && observation?.running?.base === renderConfig(model).base;
}

function summarize({ route, proxies, names }: RouteReports): string {
  const count = proxies.size === 1 ? '1 local proxy leads' : `${proxies.size} local proxies lead`;
  const parts = [
    ...(proxies.size === 0 ? [] : [`${count} to ${route?.writer.server ?? ''}`]),
    ...names.flatMap(({ record }) =>
      record === undefined ? [] : [`${record.name} is ${record.addresses.join(', ')}`],
    ),
  ];
  return parts.length === 0 ? 'No server runs a local proxy yet.' : `${parts.join('; ')}.`;
}
