/** Reads what a load balancer depends on: its arrays' servers, its front ends, its Secrets and its neighbors. */

import { hostOf } from '../../accounts/host.ts';
import type { Accounts } from '../../accounts/port.ts';
import { siteOf } from '../../accounts/site.ts';
import { type LoadBalancer, loadBalancerKind } from '../../api/load-balancer.ts';
import { type Server, serverKind } from '../../api/server.ts';
import { serverArrayKind } from '../../api/server-array.ts';
import type { Instant } from '../../base/clock.ts';
import type { Cache } from '../../kube/port.ts';
import type { MaterialReader } from './materials.ts';
import { frontendsOf } from './members.ts';
import { wantedHash } from './model.ts';
import type { Observed } from './observed.ts';
import { extraOf, findProblem } from './problems.ts';

export interface ObservePorts {
  readonly cache: Cache;
  readonly accounts: Accounts;
  readonly materials: MaterialReader;
}

/** Asks no front end. A mistake of a person is `problem`, not an error. */
export async function observe(ports: ObservePorts, balancer: LoadBalancer, now: Instant): Promise<Observed> {
  const { cache, accounts } = ports;
  const { namespace = '' } = balancer.metadata;
  const { deployment, account } = siteOf(cache, balancer);
  const servers = cache.list(serverKind, { namespace }).toSorted(byName);
  const reading = await ports.materials.read(balancer, now);
  const frontends = frontendsOf(balancer, servers);
  const login = account === undefined || frontends.length === 0 ? undefined : await accounts.login(account);
  const arrays = new Set(cache.list(serverArrayKind, { namespace }).map(({ metadata }) => metadata.name));
  const others = cache
    .list(loadBalancerKind, { namespace })
    .filter(({ metadata }) => metadata.uid !== balancer.metadata.uid);
  const pems = new Map([...reading.certificates].map(([name, { pem }]) => [name, pem]));
  const extra = { global: extraOf(balancer, 'global'), defaults: extraOf(balancer, 'defaults') };
  const problem = findProblem(balancer, { deployment, arrays, others }) ?? reading.problem;
  const materials = { balancer, servers, page: reading.page, certificates: pems, extra };
  const [first] = frontends;
  return {
    now,
    balancer,
    deployment,
    account,
    problem,
    materials,
    hash: first && (problem === undefined ? wantedHash(materials, first) : balancer.status?.configHash),
    certificates: reading.certificates,
    frontends: frontends.map((server) => ({
      server,
      host: account === undefined || login === undefined ? undefined : hostOf(server, account, login),
      address: server.status?.publicIP ?? server.status?.privateIP ?? '',
    })),
  };
}

function byName(a: Server, b: Server): number {
  return a.metadata.name < b.metadata.name ? -1 : 1;
}
