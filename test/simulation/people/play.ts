/** Plays the story of one seed to its end, or to the first promise that is broken. */
import { findCondition } from '../../../controller/api/conditions.ts';
import { hasSucceeded, type Promotion } from '../../../controller/api/promotion.ts';
import type { Millis } from '../../../controller/base/clock.ts';
import { type Random, randomFrom } from '../random.ts';
import { happenings } from './happenings.ts';
import { endFaults, heal, whatIsWrong } from './healing.ts';
import { House } from './house.ts';
import { Invariants } from './invariants.ts';
import { type Moment, type Story, storyOf } from './story.ts';
import { named } from './victims.ts';
import type { Violation } from './violation.ts';

export interface Played {
  readonly seed: number;
  readonly story: readonly string[];
  readonly violation: Violation | undefined;
  /** Conditions and objects in the end, a line each. */
  readonly end: readonly string[];
  readonly acknowledged: number;
  readonly seconds: number;
}

export interface Playing {
  /** The primary loses its power in this step, and the rest of the story does not happen. */
  readonly killAt?: number;
  /** Moments that do not happen, by their place in the story. */
  readonly without?: ReadonlySet<number>;
}

/** Steps after the last moment, before everything is mended. */
const quiet: Millis = 20_000;
/** A primary that was said to be replaced by itself is, within this time. */
const failoverLimit: Millis = 120_000;
/** Conditions have that long to learn of what happened before anybody counts on them. */
const settled: Millis = 12_000;

/** Also asks whether a sampled FailoverArmed=True was true, by playing the same story up to then. */
export async function play(seed: number, playing: Playing = {}): Promise<Played> {
  const first = await new Run(seed, playing).play();
  if (first.violation !== undefined || playing.killAt !== undefined || first.sample === undefined)
    return first;
  const second = await new Run(seed, { ...playing, killAt: first.sample }).play();
  return second.violation === undefined ? first : second;
}

class Run {
  readonly #seed: number;
  readonly #told: Story;
  readonly #playing: Playing;
  readonly #house: House;
  readonly #invariants: Invariants;
  readonly #samples: Random;
  #step = 0;
  #armedSteps = 0;
  /** A step at which the primary could be killed. */
  #sample: number | undefined;
  #lastMoment = 0;

  constructor(seed: number, playing: Playing) {
    this.#seed = seed;
    this.#told = storyOf(seed);
    this.#playing = playing;
    this.#house = new House(seed, this.#told.setting);
    this.#invariants = new Invariants(this.#house);
    this.#samples = randomFrom(seed + 1);
  }

  async play(): Promise<Played & { readonly sample: number | undefined }> {
    try {
      await this.#tell();
      return { ...this.#result(), sample: this.#sample };
    } finally {
      this.#house.close();
    }
  }

  async #tell(): Promise<void> {
    const { setting, moments, leavesWreck } = this.#told;
    const house = this.#house;
    house.tell(JSON.stringify(setting));
    await this.#until(() => whatIsWrong(house) === undefined, 300_000);
    if (whatIsWrong(house) !== undefined) this.#invariants.report('NeverUp', whatIsWrong(house)!);
    house.tell('it is up');
    house.copyTakes = setting.copyTakes;
    for (const [index, moment] of moments.entries()) {
      await this.#pass(moment.after);
      if (this.#isOver) return;
      if (this.#playing.without?.has(index) !== true) this.#happen(moment);
    }
    await this.#pass(quiet);
    if (this.#isOver) return;
    endFaults(house, leavesWreck);
    await heal(house, this.#invariants);
    if (this.#invariants.violations.length > 0) return;
    house.tell('all is well');
    this.#invariants.audit();
  }

  get #isOver(): boolean {
    return this.#invariants.violations.length > 0 || this.#killed;
  }

  #killed = false;

  #happen({ name, seed }: Moment): void {
    const house = this.#house;
    const what = happenings[name]!.happen(house, randomFrom(seed));
    if (what === undefined) return;
    this.#lastMoment = house.site.clock.now();
    house.machinery.follow();
    house.tell(what);
  }

  async #pass(time: Millis): Promise<void> {
    const end = this.#house.site.clock.now() + time;
    await this.#until(() => this.#house.site.clock.now() >= end, time + 1_000);
  }

  async #until(isDone: () => boolean, limit: Millis): Promise<void> {
    const { clock } = this.#house.site;
    const end = clock.now() + limit;
    while (!isDone() && clock.now() < end && !this.#isOver) {
      this.#house.clients.write();
      await this.#house.step();
      this.#step += 1;
      this.#invariants.look();
      if (this.#step === this.#playing.killAt) await this.#kill();
      else this.#consider();
    }
  }

  /** Draws one of the steps at which FailoverArmed is to be believed. */
  #consider(): void {
    const house = this.#house;
    const isSettled = house.site.clock.now() - this.#lastMoment >= settled && this.#lastMoment > 0;
    if (!isSettled || !house.isControlled || !house.holds('FailoverArmed')) return;
    this.#armedSteps += 1;
    if (this.#samples.below(this.#armedSteps) === 0) this.#sample = this.#step;
  }

  /** The primary dies now, and must be replaced by itself, without loss. */
  async #kill(): Promise<void> {
    this.#killed = true;
    const house = this.#house;
    const { primary, machinery } = house;
    if (primary === undefined) return;
    const epoch = house.cluster?.status?.primary?.epoch ?? 0;
    house.tell(`FailoverArmed is True: ${house.condition('FailoverArmed')?.message}`);
    house.tell(`power cut of ${named(house, primary)}`);
    machinery.cutPower(primary);
    machinery.wrecks.add(primary);
    const change = await this.#replacement(epoch);
    if (this.#invariants.violations.length > 0) return;
    const ending = endingOf(change);
    if (ending !== 'Completed, dataLoss None' && ending !== 'CompletedWithWarnings, dataLoss None') {
      this.#invariants.report('FalseArmed', `the primary died when FailoverArmed was True: ${ending}`);
    }
  }

  /** The change of primary after this epoch, when it has succeeded or there was time enough for it. */
  async #replacement(epoch: number): Promise<Promotion | undefined> {
    const house = this.#house;
    const { clock } = house.site;
    const end = clock.now() + failoverLimit;
    const newest = () => house.promotions.findLast(({ status }) => (status?.epoch ?? 0) > epoch);
    const isOver = () => hasSucceeded(newest() ?? {}) || this.#invariants.violations.length > 0;
    while (!isOver() && clock.now() < end) {
      house.clients.write();
      await house.step();
      this.#invariants.look();
    }
    return newest();
  }

  #result(): Played {
    const house = this.#house;
    const [violation] = this.#invariants.violations;
    return {
      seed: this.#seed,
      story: house.story,
      violation,
      end: violation === undefined ? [] : describe(house),
      acknowledged: house.databases.acknowledgements.length,
      seconds: house.second,
    };
  }
}

function endingOf(change: Promotion | undefined): string {
  if (change === undefined) return 'no Promotion';
  return `${findCondition(change.status, 'Succeeded')?.reason}, dataLoss ${change.status?.dataLoss ?? '-'}`;
}

function describe({ cluster, servers, promotions }: House): readonly string[] {
  const { conditions = [], durability, primary, members = [], quarantined = [] } = cluster?.status ?? {};
  return [
    ...conditions.map(({ type, status, reason, message }) => `${type}=${status} ${reason}: ${message}`),
    `primary ${JSON.stringify(primary)}`,
    `durability ${JSON.stringify(durability)}`,
    `quarantined ${JSON.stringify(quarantined)}`,
    ...members.map(
      ({ server, role, step, healthy, message }) =>
        `member ${server} ${role} ${step} ${healthy === true ? 'healthy' : 'not healthy'} ${message ?? ''}`,
    ),
    ...servers.map(({ metadata, status }) => {
      const ready = findCondition(status, 'Ready')?.reason ?? '-';
      return `server ${metadata.name} ${status?.privateIP ?? '-'} ${ready}${metadata.deletionTimestamp === undefined ? '' : ' leaving'}`;
    }),
    ...promotions.map(({ metadata, status }) => {
      const { reason, message } = findCondition(status, 'Succeeded') ?? {};
      return `promotion ${metadata.name} ${status?.oldPrimary} -> ${status?.newPrimary} ${status?.currentStep}: ${reason} ${message} dataLoss ${status?.dataLoss}`;
    }),
  ];
}
