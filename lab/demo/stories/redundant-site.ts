/** The third story: the primary of a site's database loses its power while clients write; nothing acknowledged is lost. */
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { control } from '../../cli/control.ts';
import type { Kubectl } from '../../kube/kubectl.ts';
import { type EntryLog, EntryWriter } from '../entries.ts';
import type { Say, Story } from '../story.ts';
import { type FinishedPromotion, timelineOf } from '../timeline.ts';

const namespace = 'shop';
const checkout = path.resolve(import.meta.dirname, '..', '..', '..');
const clients = 8;
const waitLimitMs = 120_000;

export const redundantSite: Story = {
  name: 'redundant-site',
  namespace,
  timeoutSeconds: 600,

  async visit(kubectl, say) {
    await createAccount(kubectl, say);
    const addresses = await frontEnds(kubectl);
    const [old, epoch] = await primaryOf(kubectl);
    const writer = new EntryWriter(addresses, clients);
    say(
      `\n  ${clients} clients write through http://${addresses.join('/ and http://')}/; ${old} takes their writes.`,
    );
    await sleep(3_000);
    const cut = new Date();
    await cutPower(kubectl, old);
    say(`  ${writer.acknowledged} writes acknowledged; the power of ${old} is cut.`);
    const promotion = await finished(kubectl, `db-epoch-${epoch + 1}`);
    say(timelineOf(promotion, cut));
    await sleep(3_000);
    const log = await writer.stop();
    return report(promotion, log, await present(addresses[0] ?? ''));
  },

  tryNext: [
    'kubectl -n shop get rlm db -w                      # RestoringRedundancy, then Healthy: a fresh replica joins by itself',
    'kubectl -n shop describe rlp                       # every change of primary, step by step',
    'kubectl create -f examples/redundant-site/switch-over.yaml   # a planned change: writes pause for about a second',
    'kubectl -n shop get rlp -w                         # … and who leads to whom, live',
    'kubectl -n shop wait rlm/db --for=condition=Ready --timeout=5m   # redundant again; Available is enough to write',
    'kubectl -n shop get rlm db -o yaml                 # who takes writes, what a commit waits for, who is kept for inspection',
  ],
};

/** As its README tells people to do. */
async function createAccount(kubectl: Kubectl, say: Say): Promise<void> {
  const file = path.join('examples', 'redundant-site', 'create-account.yaml');
  say(`\n  kubectl create -f ${file}`);
  const created = await kubectl.run([
    'create',
    '--filename',
    path.join(checkout, file),
    '--output=jsonpath={.metadata.name}',
  ]);
  const run = `scriptruns.ridgeline.dev/${created}`;
  await kubectl.run(['--namespace', namespace, 'wait', run, '--for=condition=Finished', '--timeout=60s']);
  await kubectl.run(['--namespace', namespace, 'wait', run, '--for=condition=Succeeded', '--timeout=1s']);
}

async function read(kubectl: Kubectl, what: readonly string[], jsonPath: string): Promise<string> {
  return kubectl.run(['--namespace', namespace, 'get', ...what, `--output=jsonpath={${jsonPath}}`]);
}

async function frontEnds(kubectl: Kubectl): Promise<readonly string[]> {
  const what = ['servers.ridgeline.dev', '--selector=ridgeline.dev/array=front'];
  return (await read(kubectl, what, '.items[*].status.privateIP')).split(' ');
}

/** Name of the server that takes writes, and since which epoch. */
async function primaryOf(kubectl: Kubectl): Promise<readonly [string, number]> {
  const text = await read(kubectl, ['mysqlclusters.ridgeline.dev', 'db'], '.status.primary');
  const { server, epoch } = JSON.parse(text) as { server: string; epoch: number };
  return [server, epoch];
}

/** Silence first, then death; nobody tells the controller. */
async function cutPower(kubectl: Kubectl, server: string): Promise<void> {
  const id = await read(kubectl, ['servers.ridgeline.dev', server], '.status.instanceID');
  await control('POST', `instances/${id}/power-off`);
}

async function finished(kubectl: Kubectl, name: string): Promise<FinishedPromotion> {
  const deadline = Date.now() + waitLimitMs;
  for (;;) {
    const what = ['promotions.ridgeline.dev', name, '--ignore-not-found', '--output=json'];
    const text = await kubectl.run(['--namespace', namespace, 'get', ...what]);
    const promotion = text === '' ? undefined : (JSON.parse(text) as FinishedPromotion);
    const isFinished = promotion?.status?.conditions?.some(
      ({ type, status }) => type === 'Finished' && status === 'True',
    );
    if (promotion !== undefined && isFinished === true) return promotion;
    if (Date.now() > deadline) {
      const message = await read(
        kubectl,
        ['mysqlclusters.ridgeline.dev', 'db'],
        '.status.conditions[?(@.type=="FailingOver")].message',
      );
      throw new Error(`promotion ${name} is not finished after ${waitLimitMs / 1000} s: ${message}`);
    }
    await sleep(300);
  }
}

/** Every entry the new primary has. */
async function present(address: string): Promise<ReadonlySet<string>> {
  const answer = await fetch(`http://${address}/entries`, { signal: AbortSignal.timeout(30_000) });
  if (!answer.ok) throw new Error(`http://${address}/entries answered ${answer.status}`);
  return new Set((await answer.text()).trim().split('\n'));
}

function report(
  { status }: FinishedPromotion,
  { acknowledged, refused, outage }: EntryLog,
  there: ReadonlySet<string>,
): string {
  const lost = acknowledged.filter((entry) => !there.has(entry));
  if (lost.length > 0) throw new Error(`${lost.length} acknowledged writes are lost: ${lost.join(', ')}`);
  const measured = ((status?.writeOutageMilliseconds ?? 0) / 1000).toFixed(1);
  const seen = (outage.milliseconds / 1000).toFixed(1);
  return [
    `${acknowledged.length} of ${acknowledged.length} acknowledged writes found; ${refused} attempts were answered otherwise.`,
    `No write was acknowledged for ${seen} s from ${outage.began.toISOString().slice(11, 23)} on; the promotion says ${measured} s.`,
    '',
  ].join('\n');
}
