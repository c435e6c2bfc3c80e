/** Watches a namespace until everything in it is Ready. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Kubectl } from '../kube/kubectl.ts';
import { allReady, type Row, rowsOf, type WatchedObject } from './progress.ts';
import { Screen } from './screen.ts';

const pollMs = 300;

/** Shows progress until all is Ready. Throws after `timeoutSeconds` or when a server is Stranded, saying what to look at. */
export async function watchUntilReady(
  kubectl: Kubectl,
  namespace: string,
  timeoutSeconds: number,
): Promise<void> {
  const started = performance.now();
  const screen = new Screen(process.stdout);
  let rows: readonly Row[] = [];
  for (;;) {
    const seconds = (performance.now() - started) / 1000;
    const objects = await Promise.all([
      kubectl.get(['cloudaccounts.ridgeline.dev', 'default']),
      kubectl.get(['rl', '--namespace', namespace]),
    ]);
    rows = rowsOf(objects.flat() as WatchedObject[], rows, seconds);
    screen.show(rows);
    if (allReady(rows)) return;
    const lost = rows.find(({ reason }) => reason === 'Stranded');
    if (lost !== undefined || seconds > timeoutSeconds) throw new Error(explain(rows, namespace, lost));
    await sleep(pollMs);
  }
}

function explain(rows: readonly Row[], namespace: string, lost: Row | undefined): string {
  const waiting = rows.filter(({ type, done }) => type === 'Ready' && !done);
  const what = lost === undefined ? waiting : [lost];
  return [
    ...what.map(({ object, reason, message }) => `${object} is not Ready: ${reason}: ${message}`),
    `More: kubectl -n ${namespace} describe rl, and .lab/controller/controller.log`,
  ].join('\n');
}
