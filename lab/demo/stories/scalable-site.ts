/** The second story: a site under load grows from 2 application servers to 5 and shrinks to 1; nobody notices. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Kubectl } from '../../kube/kubectl.ts';
import { BoundedLoad } from '../load.ts';
import type { Story } from '../story.ts';

const namespace = 'site';
/** Requests a second, for each front end and kind of client. */
const rate = 60;
const waitLimitMs = 240_000;

export const scalableSite: Story = {
  name: 'scalable-site',
  namespace,
  timeoutSeconds: 300,

  async visit(kubectl) {
    const addresses = await frontEnds(kubectl);
    // Ready speaks of the front ends that have booted; the last one may have done so this very moment.
    await untilServing(kubectl, 2);
    const answers = new Set<string>();
    for (const address of [...addresses, ...addresses, ...addresses]) answers.add(await ask(address));
    const lines = [
      `GET http://${addresses.join('/ and http://')}/`,
      ...[...answers].map((one) => `  ${one}`),
      '',
    ];
    const loads = addresses.flatMap((address) =>
      [true, false].map((keepAlive) => new BoundedLoad(`http://${address}/`, { rate, keepAlive })),
    );
    for (const replicas of [5, 1]) lines.push(await scale(kubectl, replicas));
    const counts = await Promise.all(loads.map((load) => load.stop()));
    const sent = counts.reduce((sum, count) => sum + count.sent, 0);
    const failed = counts.flatMap((count) => count.failed);
    lines.push(`${sent} requests sent meanwhile, ${failed.length} failed${reasons(failed)}`, '');
    return lines.join('\n');
  },

  tryNext: [
    'kubectl -n site get rl                             # arrays, load balancer, servers',
    'kubectl -n site scale rla/app --replicas=0         # the copies on the front ends carry on alone',
    'kubectl -n site get rllb www -o yaml               # what every front end runs and whom it serves',
    'kubectl -n site edit rllb www                      # e.g. maintenance, or a line that HAProxy rejects',
    'kubectl -n site get events                         # who joined, who left, what a reload took',
  ],
};

async function frontEnds(kubectl: Kubectl): Promise<readonly string[]> {
  const args = [
    '--namespace',
    namespace,
    'get',
    'servers.ridgeline.dev',
    '--selector=ridgeline.dev/array=front',
  ];
  const text = await kubectl.run([...args, '--output=jsonpath={.items[*].status.privateIP}']);
  return text.split(' ');
}

async function ask(address: string): Promise<string> {
  const answer = await fetch(`http://${address}/`, { signal: AbortSignal.timeout(5_000) });
  if (!answer.ok) throw new Error(`http://${address}/ answered ${answer.status}`);
  return (await answer.text()).trim();
}

/** Resolves with a line to print when every front end sends requests to the wanted servers, and only to them. */
async function scale(kubectl: Kubectl, replicas: number): Promise<string> {
  const started = performance.now();
  await kubectl.run([
    '--namespace',
    namespace,
    'scale',
    'serverarrays.ridgeline.dev/app',
    `--replicas=${replicas}`,
  ]);
  await untilServing(kubectl, replicas);
  const seconds = Math.round((performance.now() - started) / 1000);
  return `kubectl -n site scale rla/app --replicas=${replicas}    in service after ${seconds} s`;
}

/** Resolves when both front ends have the wanted configuration and send requests to these and to their own copies. */
async function untilServing(kubectl: Kubectl, replicas: number): Promise<void> {
  const started = performance.now();
  const wanted = `2 ${replicas + 2}`;
  const fields = '--output=jsonpath={.status.frontendsApplied} {.status.membersUp}';
  const args = ['--namespace', namespace, 'get', 'loadbalancers.ridgeline.dev', 'www', fields];
  while ((await kubectl.run(args)) !== wanted) {
    if (performance.now() - started > waitLimitMs) throw new Error(`not ${replicas} servers after 4 min`);
    await sleep(300);
  }
}

function reasons(failed: readonly string[]): string {
  return failed.length === 0 ? '.' : `: ${[...new Set(failed)].join(', ')}.`;
}
