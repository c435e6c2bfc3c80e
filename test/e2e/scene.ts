/** What a failed test leaves to read: what is not ready and why, the machines, and the controller's last complaints. */
import { afterEach } from 'vitest';
import type { Condition } from '../../controller/api/conditions.ts';
import type { AnyObject } from '../../controller/api/meta.ts';
import { instances } from '../../lab/cli/control.ts';
import type { Installation } from './setup.ts';

type Shown = AnyObject & { readonly status?: { readonly conditions?: readonly Condition[] } };
type Scene = Pick<Installation, 'kubectl' | 'controllerRuns' | 'controllerLog'>;

afterEach(async ({ task }) => {
  if (task.result?.state !== 'fail') return;
  // Late, for every file of real tests runs this, and few open an installation.
  const { openedInstallation } = await import('./setup.ts');
  const site = openedInstallation();
  // An error of its own, beside the test's: vitest reports both.
  if (site !== undefined) throw new Error(await describeScene(site));
});

/** A line each, the most telling first: CI shows the end of its output, and of a failure its first lines. */
async function describeScene({ kubectl, controllerRuns, controllerLog }: Scene): Promise<string> {
  const objects = (await kubectl.get(['ridgeline', '--all-namespaces'])) as readonly Shown[];
  const unready = objects.flatMap(describeUnready).slice(0, 6);
  const machines = (await instances()).filter(({ state }) => state !== 'terminated');
  const complaints = controllerLog()
    .split('\n')
    .filter((line) => /"level":"(warn|error|fatal)"/.test(line));
  return [
    `When it failed, the controller ${controllerRuns() ? 'ran' : 'did not run'}.`,
    ...unready,
    `Machines: ${machines.map(({ id, state, condition }) => `${id} ${state} ${condition}`).join(', ') || 'none'}.`,
    ...complaints.slice(-4),
  ].join('\n');
}

function describeUnready({ kind, metadata, status }: Shown): readonly string[] {
  const ready = status?.conditions?.find(({ type }) => type === 'Ready');
  if (ready === undefined || ready.status === 'True') return [];
  return [`${kind}/${metadata.name}: ${ready.reason} since ${ready.lastTransitionTime}: ${ready.message}`];
}
