/** Which servers belong to a load balancer: its front ends, and those behind them. Pure. */
import { findCondition } from '../../api/conditions.ts';
import { isOutOfService } from '../../api/drain.ts';
import type { LoadBalancer } from '../../api/load-balancer.ts';
import type { AnyObject } from '../../api/meta.ts';
import { saysItGoes } from '../../api/ownership.ts';
import { arrayOf, type Server } from '../../api/server.ts';
import { requestOf } from '../../api/standing.ts';

/**
 * States in which a server that has booted stays where it is. Whether an unhealthy or silent one gets requests is
 * decided by the checks of the front ends: our own view may be the one that is broken.
 */
const standing = ['Operational', 'Unhealthy', 'Unreachable'];

/** Servers of the array that run HAProxy, also while they leave: until then they serve. */
export function frontendsOf({ spec }: LoadBalancer, servers: readonly Server[]): readonly Server[] {
  return servers.filter(
    (server) => arrayOf(server) === spec.frontendArrayRef.name && isStanding(server) && !saysItGoes(server),
  );
}

/** Servers of an array that should get requests. */
export function membersOf(
  { spec }: LoadBalancer,
  array: string,
  servers: readonly Server[],
): readonly Server[] {
  const isQuarantined = (name: string) => spec.quarantinedServers?.includes(name) === true;
  return servers.filter(
    (server) =>
      arrayOf(server) === array &&
      isStanding(server) &&
      !isOutOfService(server) &&
      !isQuarantined(server.metadata.name),
  );
}

/** Servers of its arrays that are marked to leave. */
export function leaversOf({ spec }: LoadBalancer, servers: readonly Server[]): readonly Server[] {
  const arrays = new Set([
    spec.frontendArrayRef.name,
    ...spec.backends.flatMap(({ members }) => members.map(({ array }) => array)),
  ]);
  return servers.filter((server) => arrays.has(arrayOf(server) ?? '') && isOutOfService(server));
}

/** All that a load balancer reads of a server: how it boots wakes nobody. */
export function standingOf(object: AnyObject): readonly unknown[] {
  const server = object as Server;
  const { instanceID, privateIP, publicIP, sshHostKeys } = server.status ?? {};
  return [requestOf(server), isStanding(server), instanceID, privateIP, publicIP, sshHostKeys];
}

function isStanding({ status }: Server): boolean {
  const hasMachine = status?.instanceID !== undefined && status.privateIP !== undefined;
  return hasMachine && standing.includes(findCondition(status, 'Ready')?.reason ?? '');
}
