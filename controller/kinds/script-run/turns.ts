/** Of the runs that take servers of one array out of service, one works at a time. */
import { hasCondition } from '../../api/conditions.ts';
import { keyText } from '../../api/meta.ts';
import { type ScriptRun, scriptRunKind } from '../../api/script-run.ts';
import { arrayOf, serverKind } from '../../api/server.ts';
import type { Cache } from '../../kube/port.ts';
import type { TargetRefusal } from './targets.ts';

/** One per process: only this knows who took a turn that is not in the cache yet. */
export class Turns {
  /** Uid of the run that had the last turn, by array: until its record is in the cache, only this knows. */
  readonly #holders = new Map<string, string>();

  /**
   * Takes the turn for `run`, or says which run it has to wait for: the one that works, else the oldest. A turn ends
   * with its run. Synchronous, so that no two runs can take one turn.
   */
  take(cache: Cache, run: ScriptRun): TargetRefusal | undefined {
    const array = arrayFor(cache, run);
    if (!run.spec.drain || array === undefined) return undefined;
    const { namespace = '', uid } = run.metadata;
    const key = keyText({ namespace, name: array });
    const rivals = cache
      .list(scriptRunKind, { namespace })
      .filter((other) => other.metadata.uid !== uid && isRival(other) && arrayFor(cache, other) === array);
    const holder = this.#holders.get(key);
    const first =
      rivals.find(({ metadata, status }) => metadata.uid === holder || status?.results !== undefined) ??
      rivals.find((rival) => isBefore(rival, run));
    if (first === undefined) {
      this.#holders.set(key, uid);
      return undefined;
    }
    const message = `ScriptRun/${first.metadata.name} takes servers of ServerArray/${array} out of service.`;
    return { reason: 'Queued', message, final: false };
  }
}

function isRival(run: ScriptRun): boolean {
  return run.spec.drain && !hasCondition(run.status, 'Finished');
}

/** The array whose servers it works on. */
function arrayFor(cache: Cache, { metadata, spec: { target } }: ScriptRun): string | undefined {
  if (target.server === undefined) return target.array;
  const server = cache.get(serverKind, { namespace: metadata.namespace ?? '', name: target.server });
  return server && arrayOf(server);
}

function isBefore({ metadata: a }: ScriptRun, { metadata: b }: ScriptRun): boolean {
  if (a.creationTimestamp !== b.creationTimestamp) return a.creationTimestamp < b.creationTimestamp;
  return a.name < b.name;
}
