/** How a server leaves service: whoever wants it gone marks it, every LoadBalancer lets go of it and says so. Pure. */
import type { LoadBalancer } from './load-balancer.ts';
import { group } from './meta.ts';
import type { Server } from './server.ts';

/**
 * On a Server: since when it should get no new requests (RFC 3339). Also on servers that must not get any yet, or that
 * are only kept. LoadBalancers give a server with this mark nothing; taking the mark off brings it back.
 */
export const drainAnnotation = `${group}/drain-since`;

/** Since when the server should get no requests; undefined while it should. A server that is being deleted should not. */
export function drainSince({ metadata }: Server): string | undefined {
  return metadata.annotations?.[drainAnnotation] ?? metadata.deletionTimestamp;
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

function isFrontend(array: string, spec: LoadBalancer['spec']): boolean {
  return spec.frontendArrayRef.name === array;
}

function isMember(array: string, spec: LoadBalancer['spec']): boolean {
  return spec.backends.some(({ members }) => members.some((member) => member.array === array));
}
