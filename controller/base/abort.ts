/** Deadlines and linked aborts that clean up after themselves; `AbortSignal.any` keeps listeners on long-lived parents. */
import type { Clock, Millis } from './clock.ts';

/** A signal that lives for one piece of work; dispose it when the work ends. */
export interface Scope extends Disposable {
  readonly signal: AbortSignal;
  abort(reason: unknown): void;
}

/** The reason of a scope whose time ran out. */
export class DeadlineExceeded extends Error {
  constructor(ms: Millis) {
    super(`not done within ${ms / 1000} s`);
    this.name = 'DeadlineExceeded';
  }
}

/** Why a wait ends that nobody needs any more; made once, for an abort without a reason makes an error with a stack. */
export const noLongerNeeded = new Error('no longer needed');

/** Aborts when any parent does, or after `deadline` milliseconds with a DeadlineExceeded. */
export function openScope(parents: readonly (AbortSignal | undefined)[], deadline?: Millis): Scope {
  const controller = new AbortController();
  const abort = (reason: unknown) => controller.abort(reason);
  const timer =
    deadline === undefined ? undefined : setTimeout(() => abort(new DeadlineExceeded(deadline)), deadline);
  timer?.unref();
  const links = parents.flatMap((parent) => {
    if (parent === undefined) return [];
    const onAbort = () => abort(parent.reason);
    if (parent.aborted) onAbort();
    else parent.addEventListener('abort', onAbort, { once: true });
    return [{ parent, onAbort }];
  });
  return {
    signal: controller.signal,
    abort,
    [Symbol.dispose]: () => {
      clearTimeout(timer);
      for (const { parent, onAbort } of links) parent.removeEventListener('abort', onAbort);
    },
  };
}

/** What `work` resolves to, or `late` when it has not after `ms` milliseconds. The work itself goes on. */
export async function withDeadline<T>(clock: Clock, ms: Millis, work: Promise<T>): Promise<T | 'late'> {
  const scope = openScope([]);
  const patience = clock.sleep(Math.max(0, ms), scope.signal).then(
    (): 'late' => 'late',
    (): 'late' => 'late',
  );
  try {
    return await Promise.race([work, patience]);
  } finally {
    scope.abort(noLongerNeeded);
  }
}
