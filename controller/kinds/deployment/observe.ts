/** Reads what a deployment depends on: its account, its inputs, its servers and whatever makes them. */

import { isAllowed } from '../../accounts/gate.ts';
import { cloudAccountKind } from '../../api/cloud-account.ts';
import type { SiteDeployment } from '../../api/deployment.ts';
import { loadBalancerKind } from '../../api/load-balancer.ts';
import { type AnyObject, ageOf } from '../../api/meta.ts';
import { mySQLClusterKind } from '../../api/mysql-cluster.ts';
import { serverKind } from '../../api/server.ts';
import { serverArrayKind } from '../../api/server-array.ts';
import type { Instant } from '../../base/clock.ts';
import { chooseInputs, describeSource } from '../../inputs/resolve.ts';
import { readSources } from '../../inputs/sources.ts';
import type { Cache, Kube } from '../../kube/port.ts';
import type { Observed } from './decide.ts';

export interface ObservePorts {
  readonly kube: Kube;
  readonly cache: Cache;
}

/** Reads the cache, and namespaces, Secrets and ConfigMaps live. */
export async function observe(
  ports: ObservePorts,
  deployment: SiteDeployment,
  now: Instant,
): Promise<Observed> {
  const { namespace = '', name } = deployment.metadata;
  const account = ports.cache.get(cloudAccountKind, { name: deployment.spec.accountRef.name });
  const servers = ports.cache
    .list(serverKind, { namespace })
    .filter((server) => server.spec.deploymentRef.name === name)
    .toSorted((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1));
  const balancers = ports.cache
    .list(loadBalancerKind, { namespace })
    .filter((balancer) => balancer.spec.deploymentRef.name === name)
    .toSorted((a, b) => (ageOf(a) < ageOf(b) ? -1 : 1));
  return {
    now,
    deployment,
    account,
    balancers,
    owners: ownersOf(ports.cache, deployment),
    isAllowed: account !== undefined && (await isAllowed(ports.kube, account, namespace)),
    inputProblems: await unreadableInputs(ports, deployment),
    servers,
  };
}

function ownersOf(cache: Cache, { metadata }: SiteDeployment): readonly AnyObject[] {
  const { namespace = '', name } = metadata;
  return [...cache.list(mySQLClusterKind, { namespace }), ...cache.list(serverArrayKind, { namespace })]
    .filter(({ spec }) => spec.deploymentRef.name === name)
    .toSorted((a, b) => (ageOf(a) < ageOf(b) ? -1 : 1));
}

async function unreadableInputs(
  ports: ObservePorts,
  { metadata, spec }: SiteDeployment,
): Promise<Observed['inputProblems']> {
  const levels = [{ level: 'Deployment' as const, name: metadata.name, inputs: spec.inputs }];
  const choices = [...chooseInputs(levels).values()];
  const readings = await readSources(ports, metadata.namespace ?? '', choices);
  return choices.flatMap(({ input, source }) => {
    const reading = source.from === 'Literal' ? undefined : readings.get(describeSource(source));
    if (reading === undefined || !('reason' in reading)) return [];
    return [{ reason: reading.reason, message: `${input}: ${reading.message}` }];
  });
}
