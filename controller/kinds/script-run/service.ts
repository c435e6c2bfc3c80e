/** How a server stands with its load balancers, as far as a run that drains must know. Reads the cache only. */
import {
  balancersOf,
  isDrained,
  isLastInService,
  isLeaving,
  isOutOfService,
  isServing,
} from '../../api/drain.ts';
import { loadBalancerKind } from '../../api/load-balancer.ts';
import type { ScriptRun } from '../../api/script-run.ts';
import { arrayOf, type Server, serverKind } from '../../api/server.ts';
import { serverArrayKind } from '../../api/server-array.ts';
import type { Cache } from '../../kube/port.ts';
import type { ServiceFacts } from './decide/facts.ts';
import { isOut } from './decide/record.ts';
import { isMarkedFor } from './marks.ts';

/** `server`: undefined when it is gone. */
export function serviceOf(cache: Cache, run: ScriptRun, server: Server | undefined): ServiceFacts {
  if (server === undefined) return goneService;
  const { namespace = '', name } = server.metadata;
  const array = arrayOf(server) ?? '';
  const balancers = balancersOf(array, cache.list(loadBalancerKind, { namespace }));
  const spec = cache.get(serverArrayKind, { namespace, name: array })?.spec;
  const isMarked = isOutOfService(server);
  const isEmptied = isDrained(name, balancers);
  // Marks that are on record count before they are written.
  const leaving = new Set((run.status?.results ?? []).filter(isOut).map((result) => result.server));
  const others = cache.list(serverKind, { namespace }).filter((other) => !leaving.has(other.metadata.name));
  return {
    isMarked: isMarkedFor(server, run),
    isLeaving: isLeaving(server),
    isDrained: isMarked && isEmptied,
    isForgetting:
      !isMarked && balancers.some(({ status }) => status?.drainedServers?.includes(name) === true),
    isServing: !isMarked && isServing(name, array, balancers),
    isLast: isLastInService(server, others, balancers),
    patience: (spec?.drainSeconds ?? 0) * 1_000,
  };
}

const goneService: ServiceFacts = {
  isMarked: false,
  isLeaving: true,
  isDrained: true,
  isForgetting: false,
  isServing: false,
  isLast: false,
  patience: 0,
};
