/** Which runs that the controller made for a server are too old to keep. Reads the cache only. */
import { hasCondition } from '../../api/conditions.ts';
import { type ScriptRun, scriptRunKind } from '../../api/script-run.ts';
import { serverKind } from '../../api/server.ts';
import type { Cache } from '../../kube/port.ts';

/** Boots and goodbyes of one server, each, that stay for people to read. */
const kept = 5;

/** Finished runs of the server of `run`, older than the newest five of its phase. Those that people made stay. */
export function surplusOf(cache: Cache, { metadata, spec }: ScriptRun): readonly ScriptRun[] {
  const owner = metadata.ownerReferences?.find(({ kind }) => kind === serverKind.kind);
  if (owner === undefined || spec.phase === 'Operational') return [];
  return cache
    .list(scriptRunKind, { namespace: metadata.namespace ?? '', ownerUid: owner.uid })
    .filter((sibling) => sibling.spec.phase === spec.phase)
    .toSorted((a, b) => createdAt(b) - createdAt(a))
    .slice(kept)
    .filter((sibling) => hasCondition(sibling.status, 'Finished'));
}

function createdAt({ metadata }: ScriptRun): number {
  return Date.parse(metadata.creationTimestamp);
}
