/** From a seed to a scenario of faults around a change of primary, played to its end. The same seed plays the same. */

import type { Millis } from '../../controller/base/clock.ts';
import {
  armFailpoint,
  type FailpointName,
  type Failpoints,
  failpointNames,
  noFailpoints,
} from '../../controller/base/failpoints.ts';
import type { Rules } from '../../controller/failover/rules.ts';
import type { FakeDatabasesOptions } from '../fakes/databases.ts';
import { FailoverController } from './failover-controller.ts';
import { FailoverWorld } from './failover-world.ts';
import { MortalProcess } from './mortal.ts';
import { type Random, randomFrom } from './random.ts';

/** What a scenario is played with; mutants replace a part. */
export interface Variant {
  readonly rules?: Partial<Rules>;
  readonly databaseRules?: FakeDatabasesOptions['rules'];
  readonly sendsFirst?: boolean;
}

export interface Outcome {
  readonly seed: number;
  /** What happened, for whoever has to understand a violation. */
  readonly story: readonly string[];
  readonly violations: readonly string[];
  readonly acknowledged: number;
  readonly endings: Readonly<Record<string, string>>;
  /** A write was good in the end. */
  readonly isServing: boolean;
  readonly controllersLost: number;
}

type Surprise = (process: MortalProcess) => void;
type Act = (world: FailoverWorld, name: string) => void;

/** What can happen to a server. */
const blows: Readonly<Record<string, Act>> = {
  crash: (world, name) => world.databases.crash(name),
  'power off': (world, name) => world.databases.powerOff(name),
  hang: (world, name) => world.databases.hang(name),
  suspend: (world, name) => world.databases.suspend(name),
  reboot: (world, name) => {
    world.databases.powerOff(name);
    world.databases.powerOn(name);
  },
  isolate: (world, name) => world.databases.isolate(name),
  'isolate but for its clients': (world, name) => world.databases.isolate(name, ['controller']),
  'cut off from the controller': (world, name) => world.databases.partition('controller', name),
  'thaw and mend': (world, name) => {
    world.databases.resume(name);
    world.databases.heal();
  },
};

export const failoverFailpoints = failpointNames.filter((name) => name.startsWith('failover.'));

/** Where the death of the new primary hurts most. */
const aroundCommit: readonly FailpointName[] = [
  'failover.before-commit',
  'failover.after-commit',
  'failover.after-take-lead',
  'failover.after-follow',
  'failover.after-open',
];

/** Calls that change something: on a server, in the API server, or among the clients. */
const changingCalls = [
  'freeze',
  'thaw',
  'catchUp',
  'takeLead',
  'requireAcks',
  'follow',
  'open',
  'close',
  'kill',
  'cut',
  'move',
  'publish',
  'writeStatus',
  'create',
] as const;

const settling: Millis = 40_000;
const tick: Millis = 100;

export async function playFailover(seed: number, variant: Variant = {}): Promise<Outcome> {
  const random = randomFrom(seed);
  const { world, story } = stage(seed, random, variant);
  await world.start();
  const surprises = new Map<FailpointName, Surprise>();
  const events = plot(world, random, (place, act) => surprises.set(place, act));
  const cast = new Cast(world, random, surprises);
  for (let client = 0; client < 3; client += 1) void world.client(randomFrom(seed * 10 + client));
  const origin = world.clock.now();
  const length = Math.max(...events.map(({ at }) => at)) + tick;
  for (let now = 0; now < length; now += tick) {
    for (const { at, what, act } of events) {
      if (at < now || at >= now + tick) continue;
      story.push(`${at} ms: ${what}`);
      act();
    }
    cast.watch(story, now);
    await world.clock.advance(tick);
  }
  cast.resumeAll();
  for (let now = 0; now === 0 || (now < settling && !isCalm(world)); now += 500) {
    if (now % 5_000 === 0) world.heal();
    cast.watch(story, length + now);
    await world.clock.advance(500);
  }
  const last = world.databases.commit(world.primary, 'last', 'x', 2_000);
  // Commands of whoever was paused arrive, and clients learn what became of their writes.
  await world.clock.advance(2_500);
  const isServing = (await last) === 'acknowledged';
  world.isOver = true;
  await world.clock.advance(5_000);
  return {
    seed,
    story: [...story, `${(world.clock.now() - origin) / 1000} s in all; ${JSON.stringify(world.endings)}`],
    violations: world.violations(),
    acknowledged: world.databases.acknowledgements.length,
    endings: world.endings,
    isServing,
    controllersLost: cast.lost,
  };
}

function isCalm(world: FailoverWorld): boolean {
  const primary = world.databases.server(world.primary);
  return world.cluster.status?.currentPromotionRef === undefined && primary.writable && primary.speaks;
}

function stage(seed: number, random: Random, variant: Variant): { world: FailoverWorld; story: string[] } {
  const flavor = random.pick(['MySQL', 'MariaDB'] as const);
  const instances = random.pick([2, 3, 3, 3]);
  const durability = random.pick(['Balanced', 'Balanced', 'Balanced', 'Strict'] as const);
  const atMost = random.pick([0, 10, 40, 150]);
  const farthest = random.pick([0, 10, 50]);
  const world = new FailoverWorld({
    flavor,
    instances,
    durability,
    latency: { seed, atMost },
    travel: () => random.below(farthest + 1),
    powerCutTakes: random.pick([500, 3_000, 10_000]),
    ...variant,
  });
  return {
    world,
    story: [`${flavor}, ${instances} servers, ${durability}, up to ${atMost} ms between them`],
  };
}

interface Scheduled {
  readonly at: Millis;
  readonly what: string;
  readonly act: () => void;
}

/** What happens when. Some replicas apply late; in the end everything that stood still goes on. */
function plot(world: FailoverWorld, random: Random, when: Scene['when']): readonly Scheduled[] {
  const scene: Scene = { world, random, when, names: world.members.map(({ server }) => server) };
  const lag = 500 + random.below(4_000);
  const slow = scene.names.slice(1).filter(() => random.chance(0.3));
  const late = slow.map(
    (name): Scheduled => ({
      at: 0,
      what: `${name} applies ${lag} ms late`,
      act: () => world.databases.trouble(name, { applyDelay: lag }),
    }),
  );
  const main = random.pick([struck, struck, struck, wished, alone, overtaken, regretted])(scene);
  const end = Math.max(...main.map(({ at }) => at));
  return [...late, ...main, strike(scene, end + 5_000 + random.below(3_000), ['thaw and mend', 'db-1'])];
}

interface Scene {
  /** Calls `act` once, when the next controller passes this failpoint. */
  readonly when: (place: FailpointName, act: Surprise) => void;
  readonly world: FailoverWorld;
  readonly random: Random;
  readonly names: readonly string[];
}

function strike({ world }: Scene, at: Millis, [kind, name]: readonly [string, string]): Scheduled {
  return { at, what: `${kind}: ${name}`, act: () => blows[kind]?.(world, name) };
}

function part({ world }: Scene, at: Millis, replica: string): Scheduled {
  const act = () => world.databases.partition('db-1', replica);
  return { at, what: `nothing passes between db-1 and ${replica}`, act };
}

/** The primary is struck, often right after it lost a replica, and often not it alone. */
function struck(scene: Scene): readonly Scheduled[] {
  const { random, names } = scene;
  const first = 1_500 + random.below(2_000);
  const kinds = Object.keys(blows);
  const loss = part(scene, first - random.below(1_200), random.pick(names.slice(1)));
  const second = strike(scene, first + random.below(4_000), [random.pick(kinds), random.pick(names)]);
  return [
    ...(random.chance(0.4) ? [loss] : []),
    strike(scene, first, [random.pick([...kinds, 'cut off from the controller']), 'db-1']),
    ...(random.chance(0.5) ? [second] : []),
  ];
}

/** A person asks for one change, or for two; somebody may be struck meanwhile. */
function wished(scene: Scene): readonly Scheduled[] {
  const { world, random, names } = scene;
  const first = 1_500 + random.below(1_500);
  const times = random.chance(0.5) ? [first] : [first, first + 2_000 + random.below(2_000)];
  const wishes = times.map((at): Scheduled => {
    const mode = random.pick(['Graceful', 'Graceful', 'Forced']);
    return { at, what: `a person asks: ${mode}`, act: () => void world.request(`wish-${at}`, { mode }) };
  });
  const at = first + random.below(2_000);
  const blow = strike(scene, at, [random.pick(Object.keys(blows)), random.pick(names)]);
  return random.chance(0.4) ? [...wishes, blow] : wishes;
}

/** The primary is alone so long that commits stop waiting; it is struck then, or when it has just been alone again. */
function alone(scene: Scene): readonly Scheduled[] {
  const { random, names } = scene;
  const first = names.slice(1).map((replica) => part(scene, 500, replica));
  const blow = random.pick(['power off', 'crash', 'isolate']);
  if (random.chance(0.4)) return [...first, strike(scene, 6_000 + random.below(2_000), [blow, 'db-1'])];
  const again = 12_000 + random.below(2_000);
  return [
    ...first,
    strike(scene, 7_000, ['thaw and mend', 'db-1']),
    ...names.slice(1).map((replica) => part(scene, again, replica)),
    strike(scene, again + 200 + random.below(1_000), [blow, 'db-1']),
  ];
}

/** One replica holds more than the other, is promoted, and dies at once. */
function overtaken(scene: Scene): readonly Scheduled[] {
  const { world, random, when } = scene;
  const first = 2_000 + random.below(1_000);
  const blow = random.pick(['power off', 'crash', 'isolate', 'hang']);
  when(random.pick(aroundCommit), () => {
    const { newPrimary } = world.promotions.at(-1)?.status ?? {};
    if (newPrimary !== undefined) world.databases.crash(newPrimary);
  });
  return [
    part(scene, first - 300 - random.below(700), scene.names.at(-1)!),
    strike(scene, first, [blow, 'db-1']),
  ];
}

/** A planned change is given up, by a controller that stands still in the middle of that and goes on in the next change. */
function regretted(scene: Scene): readonly Scheduled[] {
  const { world, random, when, names } = scene;
  const first = 1_500 + random.below(1_000);
  const again = first + 8_000 + random.below(1_000);
  const replicas = names.slice(1);
  when('failover.after-epoch-kept', (process) => {
    process.pause();
    when(random.pick(['failover.after-close', 'failover.after-catch-up', 'failover.after-commit']), () => {
      process.resume();
    });
  });
  const ask = (at: Millis): Scheduled => {
    return { at, what: 'a person asks: Graceful', act: () => void world.request(`wish-${at}`) };
  };
  const slow = (at: Millis, applyDelay: Millis): Scheduled => {
    const act = () => replicas.forEach((name) => world.databases.trouble(name, { applyDelay }));
    return { at, what: `all replicas apply ${applyDelay} ms late`, act };
  };
  return [ask(first), slow(first, 60_000), slow(first + 7_000, 0), ask(again)];
}

/** The controllers: one leads; it may die or stand still at a failpoint, and then another takes over. */
class Cast {
  readonly #world: FailoverWorld;
  readonly #random: Random;
  readonly #surprises: Map<FailpointName, Surprise>;
  readonly #all: FailoverController[] = [];
  #idleFor = 0;

  constructor(world: FailoverWorld, random: Random, surprises: Map<FailpointName, Surprise>) {
    this.#world = world;
    this.#random = random;
    this.#surprises = surprises;
    world.onDegrade = (process) => {
      if (random.chance(0.3)) world.databases.powerOff(world.primary);
      const fate = random.below(3);
      if (fate === 0) process.kill();
      if (fate === 1) process.pause();
    };
    this.#begin(random.chance(0.7));
  }

  get lost(): number {
    return this.#all.length - 1;
  }

  /** Another takes over when the leader has not moved for a while; one that was paused goes on some time later. */
  watch(story: string[], now: Millis): void {
    const leader = this.#all.at(-1)!;
    if (leader.process.isRunning) {
      this.#idleFor = 0;
      for (const other of this.#all) if (this.#random.chance(0.03)) other.process.resume();
      return;
    }
    this.#idleFor += 1;
    if (this.#idleFor < 5) return;
    story.push(`${now} ms: another controller takes over`);
    leader.dismiss();
    this.#begin(this.#random.chance(0.3));
  }

  resumeAll(): void {
    for (const one of this.#all) one.process.resume();
  }

  #begin(isMortal: boolean): void {
    const process = new MortalProcess();
    const doom = isMortal ? this.#doom(process) : noFailpoints;
    const hit = (place: FailpointName) => {
      const surprise = this.#surprises.get(place);
      this.#surprises.delete(place);
      surprise?.(process);
      doom.hit(place);
    };
    const controller = new FailoverController(this.#world, process, { hit });
    this.#all.push(controller);
    void controller.run();
  }

  /** Where it ends or stands still: at a named place, or in the middle of a call. */
  #doom(process: MortalProcess): Failpoints {
    const random = this.#random;
    const end = random.pick([() => process.kill(), () => process.pause()]);
    if (random.chance(0.5)) {
      return armFailpoint(`${random.pick(failoverFailpoints)}:${1 + random.below(2)}`, end);
    }
    process.arm(random.pick(changingCalls), 1 + random.below(4), end);
    return noFailpoints;
  }
}
