/** `make bench-fleet`: 100 and then 1,000 servers of a cloud without hosts; a table says what each stage cost. */
import { loadavg } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { z } from 'zod';
import type { Server } from '../../controller/api/server.ts';
import { images } from '../../lab/config.ts';
import { object } from '../e2e/story.ts';
import { type FleetSite, openFleetSite } from './fleet-site.ts';
import { Meter, type Reading } from './meter.ts';

const patience = 900_000;
const namespace = 'fleet';

interface Plan {
  /** How many servers, one run after another, each with an installation of its own. */
  readonly servers: readonly number[];
  readonly restSeconds: number;
  /** Where the controller leaves CPU profiles. */
  readonly profile: string | undefined;
}

interface Stage {
  readonly servers: number;
  readonly name: string;
  readonly seconds: number;
  readonly spent: Reading;
  /** Programs that waited for one of this computer's processors, on average of the last minute. */
  readonly load: number;
}

/** @throws when an option is unknown or has no such value. */
function parsePlan(args: readonly string[]): Plan {
  const options = {
    servers: { type: 'string', default: '100,1000' },
    rest: { type: 'string', default: '60' },
    profile: { type: 'string' },
  } as const;
  const { values } = parseArgs({ args: [...args], options });
  const size = z.coerce.number().int().min(1).max(1_000);
  return {
    servers: z.array(size).parse(values.servers.split(',')),
    restSeconds: z.coerce.number().int().min(1).parse(values.rest),
    profile: values.profile,
  };
}

/** The life of one fleet. */
class Run {
  readonly #site: FleetSite;
  readonly #meter: Meter;
  readonly #count: number;
  readonly stages: Stage[] = [];

  constructor(site: FleetSite, count: number) {
    this.#site = site;
    this.#meter = new Meter(site.kubectl, site.metricsUrl);
    this.#count = count;
  }

  async play(restSeconds: number): Promise<void> {
    await this.#prepare();
    await this.#stage('ids recorded', async () => {
      const spec = { ...references, replicas: this.#count };
      await this.#apply(object('ServerArray', 'fleet', spec));
      await this.#until((servers) => servers.filter(hasInstance).length === this.#count);
    });
    await this.#stage('Operational', async () => {
      await this.#site.hosts.handIn(this.#site.aws, await this.#servers());
      await this.#until((servers) => servers.filter(isOperational).length === this.#count);
    });
    await sleep(20_000); // What follows a launch is not rest.
    await this.#stage('at rest', () => sleep(restSeconds * 1000));
    await this.#stage('all gone', async () => {
      await this.#kubectl('delete', 'serverarray', 'fleet', '--wait=false');
      await this.#until((servers) => servers.length === 0);
      while ((await this.#site.machines()) > 0) await sleep(500);
    });
  }

  async #prepare(): Promise<void> {
    await this.#site.kubectl.run(['create', 'namespace', namespace]);
    const instance = { types: ['t3.micro'] };
    const template = { image: { id: images.trixie.id }, instance, health: { type: 'None' } };
    await this.#apply(object('Deployment', 'site', {}), object('ServerTemplate', 'worker', template));
    await this.#kubectl('wait', 'rlt/worker', '--for=condition=Ready', '--timeout=60s');
  }

  async #stage(name: string, work: () => Promise<void>): Promise<void> {
    await this.#meter.reset();
    const began = performance.now();
    await work();
    const seconds = (performance.now() - began) / 1000;
    const stage = {
      servers: this.#count,
      name,
      seconds,
      spent: await this.#meter.read(),
      load: loadavg()[0]!,
    };
    this.stages.push(stage);
    console.error(`${this.#count} servers, ${name}: ${seconds.toFixed(1)} s`);
  }

  async #servers(): Promise<readonly Server[]> {
    const path = `/apis/ridgeline.dev/v1alpha1/namespaces/${namespace}/servers`;
    const list = await this.#site.kubectl.run(['get', '--raw', path]);
    return (JSON.parse(list) as { readonly items: readonly Server[] }).items;
  }

  async #until(isDone: (servers: readonly Server[]) => boolean): Promise<void> {
    const deadline = performance.now() + patience;
    while (!isDone(await this.#servers())) {
      this.#site.checkController();
      if (performance.now() > deadline) throw new Error(`not done after ${patience / 1000} s`);
      await sleep(1_000);
    }
  }

  async #apply(...items: readonly object[]): Promise<void> {
    const list = JSON.stringify({ apiVersion: 'v1', kind: 'List', items });
    const args = ['--namespace', namespace, 'apply', '--server-side', '--filename=-'];
    await this.#site.kubectl.run(args, list);
  }

  async #kubectl(...args: string[]): Promise<void> {
    await this.#site.kubectl.run(['--namespace', namespace, ...args]);
  }
}

const references = { deploymentRef: { name: 'site' }, serverTemplateRef: { name: 'worker' } };

function hasInstance({ status }: Server): boolean {
  return status?.instanceID !== undefined;
}

function isOperational({ status }: Server): boolean {
  return status?.operationalTime !== undefined;
}

function row({ servers, name, seconds, spent, load }: Stage): Readonly<Record<string, number | string>> {
  const perMinute = (value: number) => round((value * 60) / seconds);
  return {
    servers,
    stage: name,
    seconds: round(seconds),
    'EC2 calls': spent.ec2Calls,
    'EC2/min': perMinute(spent.ec2Calls),
    'S3 calls': spent.s3Calls,
    'kube writes': spent.kubeWrites,
    'CPU s': round(spent.cpuSeconds),
    'CPU %': round((spent.cpuSeconds / seconds) * 100),
    'RSS MB': Math.round(spent.residentBytes / 1e6),
    'loop p99 ms': round(spent.loopDelayP99 * 1000),
    'loop max ms': round(spent.loopDelayMax * 1000),
    load: round(load),
  };
}

/** How much more each stage of the largest fleet cost than that of the smallest. */
function slopes(stages: readonly Stage[]): readonly string[] {
  const sizes = [...new Set(stages.map(({ servers }) => servers))];
  const [small, large] = [Math.min(...sizes), Math.max(...sizes)];
  if (small === large) return [];
  return stages.flatMap((stage) => {
    const before = stages.find(({ servers, name }) => servers === small && name === stage.name);
    if (stage.servers !== large || before === undefined) return [];
    const times = (value: number, base: number) => (value === base ? '1x' : `${round(value / base)}x`);
    const { cpuSeconds, ec2Calls, kubeWrites } = stage.spent;
    const cost = [
      `${times(stage.seconds, before.seconds)} seconds`,
      `${times(cpuSeconds, before.spent.cpuSeconds)} CPU`,
      `${times(ec2Calls, before.spent.ec2Calls)} EC2 calls`,
      `${times(kubeWrites, before.spent.kubeWrites)} writes`,
    ];
    return [`${stage.name}, ${large / small}x the servers: ${cost.join(', ')}`];
  });
}

/** To one place after the point. */
function round(value: number): number {
  return Math.round(value * 10) / 10;
}

const plan = parsePlan(process.argv.slice(2));
const env = plan.profile === undefined ? {} : { NODE_OPTIONS: `--cpu-prof --cpu-prof-dir=${plan.profile}` };
const stages: Stage[] = [];
try {
  for (const count of plan.servers) {
    const site = await openFleetSite(env);
    const run = new Run(site, count);
    try {
      await run.play(plan.restSeconds);
    } finally {
      stages.push(...run.stages);
      await site.close();
    }
  }
} finally {
  console.table(stages.map(row));
  for (const line of slopes(stages)) console.log(line);
}
