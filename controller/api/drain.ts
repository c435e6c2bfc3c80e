/** How a server leaves service: whoever wants it gone marks it, every LoadBalancer lets go of it and says so. Pure. */
import type { LoadBalancer } from './load-balancer.ts';
import { group } from './meta.ts';
import { saysItGoes } from './ownership.ts';
import { arrayOf, type Server } from './server.ts';

/**
 * On a Server: since when it should get no new requests (RFC 3339). Also on servers that must not get any yet, or that
 * are only kept. LoadBalancers give a server with this mark nothing; taking the mark off brings it back.
 */
export const drainAnnotation = `${group}/drain-since`;

/**
 * On a Server: the ScriptRun that keeps it out of service while it works there, as `<uid> <name>`. Only ScriptRuns write
 * it; arrays leave such a server alone, because it comes back.
 */
export const operationAnnotation = `${group}/drained-for`;

/** Whether it should get no requests, for good or for a while. */
export function isOutOfService(server: Server): boolean {
  return isLeaving(server) || server.metadata.annotations?.[operationAnnotation] !== undefined;
}

/** Whether it is marked to get no requests by whoever owns it, or is being deleted. */
export function isLeaving(server: Server): boolean {
  return server.metadata.annotations?.[drainAnnotation] !== undefined || saysItGoes(server);
}

/** The load balancers that send requests to the array's servers, or run on them. */
export function balancersOf(array: string, balancers: readonly LoadBalancer[]): readonly LoadBalancer[] {
  return balancers.filter(({ spec }) => isFrontend(array, spec) || isMember(array, spec));
}

/** Whether a load balancer sends requests to the array's servers. */
export function isBalanced(array: string, balancers: readonly LoadBalancer[]): boolean {
  return balancers.some(({ spec }) => isMember(array, spec));
}

/** Whether no front end sends it requests and none of its sessions is left, as far as `balancers` say. */
export function isDrained(server: string, balancers: readonly LoadBalancer[]): boolean {
  return balancers.every(({ status }) => status?.drainedServers?.includes(server) === true);
}

/** Whether every one of `balancers` sends the server requests; when it runs HAProxy, whether it serves them. */
export function isServing(server: string, array: string, balancers: readonly LoadBalancer[]): boolean {
  return balancers.every(({ spec, status }) => {
    const serves = status?.frontends?.some((frontend) => frontend.server === server && frontend.inService);
    const isUp = status?.upServers?.includes(server) === true;
    return (!isFrontend(array, spec) || serves === true) && (!isMember(array, spec) || isUp);
  });
}

/**
 * Whether the server serves and a load balancer would have nobody else for a backend, or no other front end, without it.
 * `others`: who else may be counted on.
 */
export function isLastInService(
  server: Server,
  others: readonly Server[],
  balancers: readonly LoadBalancer[],
): boolean {
  const left = others.filter(
    (other) => other.metadata.name !== server.metadata.name && !isOutOfService(other),
  );
  return balancers.some(({ spec, status = {} }) => {
    const fronts = (status.frontends ?? []).flatMap((one) => (one.inService ? [one.server] : []));
    const backends = spec.backends.map(({ members }) => members.map(({ array }) => array));
    return [
      { arrays: [spec.frontendArrayRef.name], serving: fronts },
      ...backends.map((arrays) => ({ arrays, serving: status.upServers ?? [] })),
    ].some(({ arrays, serving }) => {
      const serves = (one: Server) =>
        serving.includes(one.metadata.name) && arrays.includes(arrayOf(one) ?? '');
      return serves(server) && !left.some(serves);
    });
  });
}

function isFrontend(array: string, spec: LoadBalancer['spec']): boolean {
  return spec.frontendArrayRef.name === array;
}

function isMember(array: string, spec: LoadBalancer['spec']): boolean {
  return spec.backends.some(({ members }) => members.some((member) => member.array === array));
}
