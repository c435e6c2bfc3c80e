/** `make bench`: 1 server, then 50 at once, then a minute of rest; tables say what each cost. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Server } from '../../controller/api/server.ts';
import { openInstallation } from '../e2e/setup.ts';
import { Story, script, server, template } from '../e2e/story.ts';
import { type Memory, readMemory } from './memory.ts';
import { Meter, type Reading } from './meter.ts';

const many = 50;
const restSeconds = 60;
const patience = '--timeout=900s';

interface Round {
  readonly title: string;
  readonly servers: number;
  /** Seconds from `kubectl apply` to the first and the last Operational server, and to the end of the deletion. */
  readonly first?: number;
  readonly last?: number;
  readonly spent: Reading;
}

async function launch(story: Story, meter: Meter, prefix: string, count: number): Promise<Round> {
  const names = Array.from({ length: count }, (_, index) => `${prefix}-${index + 1}`);
  await meter.reset();
  const began = Date.now();
  await story.apply(...names.map((name) => server(name, 'worker')));
  await story.kubectl('wait', ...names.map((name) => `rlsrv/${name}`), '--for=condition=Ready', patience);
  const spent = await meter.read();
  const found = (await story.objects(...names.map((name) => `rlsrv/${name}`))) as readonly Server[];
  const seconds = found.map(({ status }) => (Date.parse(status?.operationalTime ?? '') - began) / 1000);
  const title = count === 1 ? '1 server' : `${count} servers at once`;
  return { title, servers: count, first: Math.min(...seconds), last: Math.max(...seconds), spent };
}

async function rest(meter: Meter): Promise<Round> {
  await sleep(15_000); // What follows a launch is not rest.
  await meter.reset();
  await sleep(restSeconds * 1000);
  return { title: `${restSeconds} s at rest`, servers: many + 1, spent: await meter.read() };
}

async function remove(story: Story, meter: Meter): Promise<Round> {
  await meter.reset();
  const began = Date.now();
  await story.kubectl('delete', 'rlsrv', '--all', patience);
  const last = (Date.now() - began) / 1000;
  return { title: 'delete all', servers: many + 1, last, spent: await meter.read() };
}

function row({ servers, first, last, spent }: Round): Readonly<Record<string, number | undefined>> {
  return {
    'first s': round(first),
    'last s': round(last),
    'EC2 calls': spent.ec2Calls,
    'S3 calls': spent.s3Calls,
    'kube writes': spent.kubeWrites,
    'writes/server': round(spent.kubeWrites / servers),
    'CPU s': round(spent.cpuSeconds),
    'RSS MB': Math.round(spent.residentBytes / 1e6),
    'loop p99 ms': round(spent.loopDelayP99 * 1000),
    'loop max ms': round(spent.loopDelayMax * 1000),
  };
}

/** What the controller held in the end of a round, in MB. */
function memoryRow(
  memory: Memory,
  { heapUsedBytes, externalBytes }: Reading,
): Readonly<Record<string, number>> {
  const heap = { 'heap used': Math.round(heapUsedBytes / 1e6), external: Math.round(externalBytes / 1e6) };
  return { ...memory, ...heap };
}

/** To one place after the point. */
function round(value: number | undefined): number | undefined {
  return value === undefined ? undefined : Math.round(value * 10) / 10;
}

const site = await openInstallation();
try {
  const began = performance.now();
  const { metricsUrl, pid } = await site.startController();
  const startSeconds = (performance.now() - began) / 1000;
  const meter = new Meter(site.kubectl, metricsUrl);
  const memory = new Map([['its start', memoryRow(readMemory(pid), await meter.read())]]);
  const story = await Story.open(site, 'bench');
  await story.apply(script('work', 'echo ready >/root/ready'), template('worker', { boot: ['work'] }));
  await story.waitFor('rlt/worker', 'Valid');
  const rounds: Round[] = [];
  const play = async (playing: Promise<Round>) => {
    const done = await playing;
    rounds.push(done);
    memory.set(done.title, memoryRow(readMemory(pid), done.spent));
  };
  await play(launch(story, meter, 'one', 1));
  await play(launch(story, meter, 'many', many));
  const machines = (await site.instances()).length;
  await play(rest(meter));
  await play(remove(story, meter));
  console.table(Object.fromEntries(rounds.map((one) => [one.title, row(one)])));
  console.log('The memory of the controller after each of these, in MB:');
  console.table(Object.fromEntries(memory));
  console.log(
    `bundled and started in ${startSeconds.toFixed(1)} s; machines: ${machines} for ${many + 1} servers; left after delete: ${(await site.instances()).length}`,
  );
  if (machines !== many + 1) process.exitCode = 1;
} finally {
  await site.close();
}
