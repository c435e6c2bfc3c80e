/** What the front ends' HAProxies count of each server's answers, for whoever watches servers for errors. Pure. */
import type { AnswerCount } from '../../load-reports/load-reports.ts';
import { machineOf } from './model.ts';
import type { Observed } from './observed.ts';
import type { View } from './view.ts';

/** Every counter of every HAProxy that answers; one process of a server in one backend is one counter. */
export function answersOf({ balancer, materials }: Observed, { frontends }: View): readonly AnswerCount[] {
  const servers = new Map(
    materials.servers.map(({ metadata, status }) => [status?.instanceID ?? '', metadata.uid]),
  );
  return frontends.flatMap(({ server: { metadata }, running }) =>
    (running?.loads ?? []).flatMap(({ backend, name, requests, failures }) => {
      const server = servers.get(machineOf(name));
      const counter = `${balancer.metadata.uid} ${metadata.uid} ${backend}/${name}`;
      return server === undefined ? [] : [{ server, counter, requests, failures }];
    }),
  );
}
