/** Plays the story of one seed to its end, or to the first promise that is broken. */
import { findCondition } from '../../../controller/api/conditions.ts';
import { hasSucceeded, type Promotion } from '../../../controller/api/promotion.ts';
import type { Millis } from '../../../controller/base/clock.ts';
import { randomFrom } from '../random.ts';
import { siteThatIsUp } from './beginnings.ts';
import { happenings } from './happenings.ts';
import { endFaults, heal, whatIsWrong } from './healing.ts';
import { House, tick } from './house.ts';
import { Invariants } from './invariants.ts';
import { type Ending, type Moment, type Story, storyOf } from './story.ts';
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

/** A primary that was said to be replaced by itself is, within this time. */
const failoverLimit: Millis = 120_000;
/** Clients write fast for so long before something happens. */
const hurriedBefore: Millis = 100;
/** So long is waited for FailoverArmed to be True. */
const armedLimit: Millis = 60_000;

/** Without those moments that `without` names, by their place in the story. */
export async function play(seed: number, without: ReadonlySet<number> = new Set()): Promise<Played> {
  const told = storyOf(seed);
  const { setting } = told;
  const before = setting.fromNothing ? undefined : await siteThatIsUp(setting);
  return await new Run(told, seed, without, before).play();
}

class Run {
  readonly #seed: number;
  readonly #told: Story;
  readonly #without: ReadonlySet<number>;
  readonly #house: House;
  readonly #invariants: Invariants;

  constructor(told: Story, seed: number, without: ReadonlySet<number>, before: House | undefined) {
    this.#seed = seed;
    this.#told = told;
    this.#without = without;
    this.#house = new House(seed, told.setting, before);
    this.#invariants = new Invariants(this.#house);
  }

  async play(): Promise<Played> {
    try {
      await this.#tell();
      return this.#result();
    } finally {
      this.#house.close();
    }
  }

  async #tell(): Promise<void> {
    const { setting, moments, ending } = this.#told;
    const house = this.#house;
    house.tell(JSON.stringify(setting));
    await this.#until(() => whatIsWrong(house) === undefined, 300_000);
    if (whatIsWrong(house) !== undefined) this.#invariants.report('NeverUp', whatIsWrong(house)!);
    house.tell('it is up');
    house.copyTakes = setting.copyTakes;
    for (const [index, moment] of moments.entries()) {
      await this.#pass(moment.after);
      if (this.#isOver) return;
      if (moment.after > 0) await this.#writeAndPass(moment.seed % hurriedBefore);
      if (!this.#without.has(index)) this.#happen(moment);
    }
    if (ending.type === 'PrimaryDies') await this.#trust(ending.after);
    else await this.#mend(ending);
  }

  async #mend({ after, leavesWreck }: Ending & { readonly type: 'Heals' }): Promise<void> {
    const house = this.#house;
    await this.#pass(after);
    if (this.#isOver) return;
    endFaults(house, leavesWreck);
    await heal(house, this.#invariants);
    if (this.#isOver) return;
    house.tell('all is well');
    this.#invariants.audit();
  }

  get #isOver(): boolean {
    return this.#invariants.violations.length > 0;
  }

  #happen({ name, seed }: Moment): void {
    const house = this.#house;
    const what = happenings[name].happen(house, randomFrom(seed));
    if (what === undefined) return;
    house.machinery.follow();
    house.clients.hurry();
    house.tell(what);
  }

  /** So that what happens next meets a write on its way. */
  async #writeAndPass(time: Millis): Promise<void> {
    this.#house.clients.hurry();
    await this.#house.step(time);
    this.#invariants.look();
  }

  async #pass(time: Millis): Promise<void> {
    await this.#until(() => false, time);
  }

  /** For so long at most, to the millisecond. */
  async #until(isDone: () => boolean, limit: Millis): Promise<void> {
    const { clock } = this.#house.site;
    const end = clock.now() + limit;
    while (!isDone() && clock.now() < end && !this.#isOver) {
      this.#house.clients.write();
      await this.#house.step(Math.min(tick, end - clock.now()));
      this.#invariants.look();
    }
  }

  /**
   * Once FailoverArmed has been True for so long, and the controller there, it is to be believed. What it said of a primary
   * before is nothing about the one that a commit has just recorded.
   */
  async #trust(time: Millis): Promise<void> {
    const house = this.#house;
    const { clock } = house.site;
    let since = clock.now();
    let before: number | undefined;
    await this.#until(() => {
      const { epoch } = house.cluster?.status?.primary ?? {};
      if (epoch !== before || !house.isControlled || !house.holds('FailoverArmed')) since = clock.now();
      before = epoch;
      return clock.now() - since >= time;
    }, armedLimit + time);
    if (!this.#isOver && clock.now() - since >= time) await this.#kill();
  }

  /** The primary dies now, and must be replaced by itself, without loss. */
  async #kill(): Promise<void> {
    const house = this.#house;
    const { primary, machinery } = house;
    if (primary === undefined) return;
    const epoch = house.cluster?.status?.primary?.epoch ?? 0;
    house.tell(`FailoverArmed is True: ${house.condition('FailoverArmed')?.message}`);
    house.tell(`power cut of ${named(house, primary)}`);
    house.callOff();
    await this.#writeAndPass(this.#seed % hurriedBefore);
    const isAccepted = house.cluster?.spec.failover.dataLoss === 'Accept';
    machinery.cutPower(primary);
    machinery.wrecks.add(primary);
    const change = await this.#replacement(epoch);
    if (this.#invariants.violations.length > 0) return;
    if (isGood(change, isAccepted)) return;
    const text = `the primary died when FailoverArmed was True: ${endingOf(change)}`;
    this.#invariants.report('FalseArmed', text);
  }

  /** The change of primary after this epoch, when it has succeeded or there was time enough for it. */
  async #replacement(epoch: number): Promise<Promotion | undefined> {
    const house = this.#house;
    const { clock } = house.site;
    const end = clock.now() + failoverLimit;
    const later = () => house.promotions.filter(({ status }) => (status?.epoch ?? 0) > epoch);
    const isOver = () => later().some(hasSucceeded) || this.#invariants.violations.length > 0;
    while (!isOver() && clock.now() < end) {
      house.clients.write();
      await house.step();
      this.#invariants.look();
    }
    return later().find(hasSucceeded) ?? later().at(-1);
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

/** A person may have said beforehand that losses are accepted. */
function isGood(change: Promotion | undefined, isAccepted: boolean): boolean {
  return change !== undefined && hasSucceeded(change) && (isAccepted || change.status?.dataLoss === 'None');
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
