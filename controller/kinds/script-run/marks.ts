/** The marks that keep servers out of service while a run works on them: they follow its record. */
import { operationAnnotation } from '../../api/drain.ts';
import type { AnyObject, ObjectKey } from '../../api/meta.ts';
import type { ScriptRun } from '../../api/script-run.ts';
import { type Server, serverKind } from '../../api/server.ts';
import type { Failpoints } from '../../base/failpoints.ts';
import type { Cache, Kube } from '../../kube/port.ts';
import { isOut } from './decide/record.ts';

export interface MarkPorts {
  readonly kube: Kube;
  readonly cache: Cache;
  readonly failpoints: Failpoints;
}

/**
 * Marks the servers that `run` has on record as out of service, and takes the mark of every run of this name off all
 * others. `run`: undefined when it is over or gone. Safe to repeat.
 */
export async function writeMarks(
  ports: MarkPorts,
  key: ObjectKey,
  run: ScriptRun | undefined,
): Promise<void> {
  const { kube, cache, failpoints } = ports;
  const out = new Set((run?.status?.results ?? []).filter(isOut).map((result) => result.server));
  for (const server of cache.list(serverKind, { namespace: key.namespace ?? '' })) {
    const mark = server.metadata.annotations?.[operationAnnotation];
    if (run !== undefined && out.has(server.metadata.name)) {
      if (mark === markOf(run)) continue;
      await kube.patch(serverKind, server, annotationPatch(markOf(run)));
      failpoints.hit('operation.after-drain-marked');
    } else if (nameIn(mark) === key.name) {
      await kube.patch(serverKind, server, annotationPatch(null));
      failpoints.hit('operation.after-mark-removed');
    }
  }
}

/** Whether the mark on the Server is this run's, by uid. */
export function isMarkedFor({ metadata }: Server, run: ScriptRun): boolean {
  return metadata.annotations?.[operationAnnotation] === markOf(run);
}

/** The run whose mark a server has: it looks after it even when it was deleted while no controller ran. */
export function byMark({ metadata }: AnyObject): readonly ObjectKey[] {
  const name = nameIn(metadata.annotations?.[operationAnnotation]);
  const { namespace } = metadata;
  return name === undefined ? [] : [{ ...(namespace === undefined ? {} : { namespace }), name }];
}

/** The uid tells a run from a later one of the same name. */
function markOf({ metadata: { uid, name } }: ScriptRun): string {
  return `${uid} ${name}`;
}

function nameIn(mark: string | undefined): string | undefined {
  return mark?.split(' ')[1];
}

function annotationPatch(mark: string | null): object {
  return { metadata: { annotations: { [operationAnnotation]: mark } } };
}
