/** Reads what an array's decision needs: its servers, their load balancers, zones, and the figures of voters. */

import type { Accounts } from '../../accounts/port.ts';
import { siteOf } from '../../accounts/site.ts';
import { loadBalancerKind } from '../../api/load-balancer.ts';
import { fieldManager, keyOf } from '../../api/meta.ts';
import type { Server } from '../../api/server.ts';
import { type ServerArray, serverArrayKind } from '../../api/server-array.ts';
import { serverTemplateKind } from '../../api/server-template.ts';
import type { Instant } from '../../base/clock.ts';
import type { Cache, Kube } from '../../kube/port.ts';
import type { LoadReports } from '../../load-reports/load-reports.ts';
import { zonesOf } from '../../owned-servers/zones.ts';
import { memberOf } from './decide/member.ts';
import type { Observed } from './decide/plan.ts';
import type { Sampler } from './sampler.ts';
import { answersOf, votersOf } from './voters.ts';

export interface ObservePorts {
  readonly kube: Kube;
  readonly cache: Cache;
  readonly accounts: Accounts;
  readonly loads: LoadReports;
  readonly sampler: Sampler;
}

/** Everything but the breaker's word. `servers`: from the cache, or live when something is about to be changed. */
export async function observe(
  ports: ObservePorts,
  array: ServerArray,
  servers: readonly Server[],
  now: Instant,
): Promise<Omit<Observed, 'allowance'>> {
  const { cache } = ports;
  const { namespace = '' } = array.metadata;
  const { spec } = array;
  const { deployment, account, suspended } = siteOf(cache, array);
  const template = cache.get(serverTemplateKind, { namespace, name: spec.serverTemplateRef.name });
  const balancers = cache.list(loadBalancerKind, { namespace });
  const minReady = spec.update.minReadySeconds * 1_000;
  return {
    now,
    array,
    status: array.status ?? {},
    suspended,
    templateRevision: template?.status?.revision,
    members: servers.map((server) => memberOf(server, { now, array, balancers, minReady })),
    zones: spec.zones ?? (await zonesOf(ports.accounts, deployment, account)),
    ...votersOf(ports, array, now),
    ...answersOf(ports.loads, array, servers, now),
    otherWriter: await otherWriterOf(ports.kube, array),
  };
}

/** Who wrote `spec.replicas` last, besides us; asked only when somebody overruled us lately. */
async function otherWriterOf(kube: Kube, array: ServerArray): Promise<string | undefined> {
  if ((array.status?.scale?.overruled.length ?? 0) === 0) return undefined;
  const live = await kube.get(serverArrayKind, keyOf(array));
  const writers = (live?.metadata.managedFields ?? [])
    .filter(({ manager, fieldsV1 }) => manager !== fieldManager && ownsReplicas(fieldsV1))
    .toSorted((a, b) => ((a.time ?? '') < (b.time ?? '') ? 1 : -1));
  return writers[0]?.manager;
}

function ownsReplicas(fields: object | undefined): boolean {
  const spec = (fields as Readonly<Record<string, object>> | undefined)?.['f:spec'];
  return spec !== undefined && 'f:replicas' in spec;
}
