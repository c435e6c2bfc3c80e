/** Reads whom machines belong to: live from the API server, after the sweep, because a stale cache would cost machines. */

import { listInScope } from '../../accounts/scope.ts';
import { type LaunchBatch, launchBatchKind } from '../../api/launch-batch.ts';
import { type Server, serverKind } from '../../api/server.ts';
import type { Machine } from '../../cloud/port.ts';
import type { Kube } from '../../kube/port.ts';

/** All objects that can own a machine, read live. */
export interface Ownership {
  readonly servers: readonly Server[];
  readonly batches: readonly LaunchBatch[];
}

/** `namespaces`: the only ones this process looks after; empty = all. */
export async function readOwnership(kube: Kube, namespaces: readonly string[]): Promise<Ownership> {
  return {
    // Batches first: a machine that a batch hands over while we read is found with its Server.
    batches: await listInScope(kube, launchBatchKind, namespaces),
    servers: await listInScope(kube, serverKind, namespaces),
  };
}

/** Machines that a Server has, or may yet get. */
export function ownedIds(machines: readonly Machine[], { servers, batches }: Ownership): ReadonlySet<string> {
  const byUid = new Map(servers.map((server) => [server.metadata.uid, server]));
  const byBatch = new Map(batches.map((batch) => [batch.metadata.uid, batch]));
  const taken = servers.flatMap((server) => server.status?.instanceID ?? []);
  const expected = machines.filter((machine) => {
    const batch = byBatch.get(machine.tags['ridgeline:batch'] ?? '');
    return batch !== undefined && isExpected(machine, batch, byUid);
  });
  return new Set([...taken, ...expected.map(({ id }) => id)]);
}

/** The batch has no outcome yet, or its Server has not taken the machine yet. */
function isExpected(
  { launchIndex }: Machine,
  { spec, status }: LaunchBatch,
  byUid: ReadonlyMap<string, Server>,
): boolean {
  if (status?.outcome !== 'Completed' && status?.outcome !== 'Failed') return true;
  const slot = spec.slots.find(({ index }) => index === launchIndex);
  const server = byUid.get(slot?.serverUID ?? '');
  if (slot === undefined || server === undefined) return false;
  return server.status?.instanceID === undefined && server.status?.incarnation === slot.incarnation;
}
