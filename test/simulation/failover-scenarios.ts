/** From a seed to a scenario of faults around a change of primary, played to its end. The same seed plays the same. */
import { armFailpoint, failpointNames, noFailpoints } from '../../controller/base/failpoints.ts';
import type { Millis } from '../../controller/base/clock.ts';
import type { Rules } from '../../controller/failover/rules.ts';
import type { FakeDatabasesOptions } from '../fakes/databases.ts';
import { FailoverController } from './failover-controller.ts';
import { FailoverWorld } from './failover-world.ts';
import { MortalProcess } from './mortal.ts';
import { randomFrom, type Random } from './random.ts';

/** What a scenario is played with; mutants replace a part. */
export interface Variant {
  readonly rules?: Partial<Rules>;
  readonly databaseRules?: FakeDatabasesOptions['rules'];
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

const length: Millis = 14_000;
const settling: Millis = 16_000;
const tick: Millis = 100;

export async function playFailover(seed: number, variant: Variant = {}): Promise<Outcome> {
  const random = randomFrom(seed);
  const { world, story } = stage(seed, random, variant);
  await world.start();
  const events = plot(world, random);
  const cast = new Cast(world, random);
  for (let client = 0; client < 3; client += 1) void world.client(randomFrom(seed * 10 + client));
  const origin = world.clock.now();
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
  world.heal();
  for (let now = 0; now < settling && !isCalm(world); now += 500) {
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

/** One blow to the primary or a change that a person asks for; often a second blow, to anybody; some replicas are slow. */
function plot(world: FailoverWorld, random: Random): readonly Scheduled[] {
  const names = world.members.map(({ server }) => server);
  const first = 1_500 + random.below(1_500);
  const kinds = Object.keys(blows);
  const strike = (at: Millis, kind: string, name: string): Scheduled => ({
    at,
    what: `${kind}: ${name}`,
    act: () => blows[kind]?.(world, name),
  });
  const lag = 500 + random.below(4_000);
  const events: Scheduled[] = names.slice(1).flatMap((name) =>
    random.chance(0.3)
      ? [
          {
            at: 0,
            what: `${name} applies ${lag} ms late`,
            act: () => world.databases.trouble(name, { applyDelay: lag }),
          },
        ]
      : [],
  );
  if (random.chance(0.25)) {
    const mode = random.pick(['Graceful', 'Graceful', 'Forced']);
    events.push({
      at: first,
      what: `a person asks: ${mode}`,
      act: () => void world.request('wish', { mode }),
    });
  } else {
    events.push(strike(first, random.pick(kinds), 'db-1'));
  }
  const replica = random.pick(names.slice(1));
  if (random.chance(0.3)) {
    events.push(strike(Math.max(0, first - random.below(1_500)), 'cut off from the primary', replica));
    events.push({
      at: Math.max(0, first - random.below(300)),
      what: `db-1 no longer reaches ${replica}`,
      act: () => world.databases.partition('db-1', replica),
    });
  }
  if (random.chance(0.5)) {
    events.push(strike(first + random.below(4_000), random.pick(kinds), random.pick(names)));
  }
  events.push(strike(first + 4_000 + random.below(4_000), 'thaw and mend', 'db-1'));
  return events;
}

/** The controllers: one leads; it may die or stand still at a failpoint, and then another takes over. */
class Cast {
  readonly #world: FailoverWorld;
  readonly #random: Random;
  readonly #all: FailoverController[] = [];
  #idleFor = 0;

  constructor(world: FailoverWorld, random: Random) {
    this.#world = world;
    this.#random = random;
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
      for (const other of this.#all) if (this.#random.chance(0.02)) other.process.resume();
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
    const place = `${this.#random.pick(failoverFailpoints)}:${1 + this.#random.below(2)}`;
    const end = this.#random.chance(0.5) ? () => process.kill() : () => process.pause();
    const controller = new FailoverController(
      this.#world,
      process,
      isMortal ? armFailpoint(place, end) : noFailpoints,
    );
    this.#all.push(controller);
    void controller.run();
  }
}
