/** From a seed to a story: what site it plays on, what happens, and when. The same seed tells the same. */
import type { Millis } from '../../../controller/base/clock.ts';
import type { Flavor } from '../../../controller/database/port.ts';
import { type Random, randomFrom } from '../random.ts';
import { type HappeningName, happenings } from './happenings.ts';
import { sceneFrom } from './themes.ts';

export interface Setting {
  readonly flavor: Flavor;
  readonly version: string;
  readonly instances: number;
  readonly durability: 'Strict' | 'Balanced';
  readonly dataLoss: 'Refuse' | 'Accept';
  readonly oldPrimary: 'Quarantine' | 'RejoinIfClean';
  /** Longest way of a transaction from server to server. */
  readonly atMost: Millis;
  /** It begins from nothing; else with a site that is up. */
  readonly fromNothing: boolean;
  /** How long the copy of a server takes. */
  readonly copyTakes: Millis;
}

export interface Moment {
  /** Time since the moment before. */
  readonly after: Millis;
  readonly name: HappeningName;
  /** Decides whom it hits; its own, so that a story without its neighbours is the same story. */
  readonly seed: number;
}

export type Ending =
  /** All faults end after a while and people stop; one dead machine may stay dead, if the others can do without it. */
  | { readonly type: 'Heals'; readonly after: Millis; readonly leavesWreck: boolean }
  /** Nothing is mended, and the primary dies when FailoverArmed has been True for so long. */
  | { readonly type: 'PrimaryDies'; readonly after: Millis };

export interface Story {
  readonly setting: Setting;
  readonly moments: readonly Moment[];
  readonly ending: Ending;
}

const pauses: readonly Millis[] = [0, 0, 0, 300, 1_500, 1_500, 6_000, 6_000, 20_000, 60_000];
/** Between two that belong together. */
const gaps: readonly Millis[] = [0, 0, 30, 200, 800, 2_000, 5_000, 10_000];
/** What comes right after something else, and matters then. */
const blows = [
  'power of the primary',
  'power of the primary',
  'crash of the primary',
  'hang of the primary',
  'SIGTERM of the primary',
  'isolation of the primary',
  'gone with the newest write',
  'ambush of the primary',
  'ambush of who is to lead',
  'loss of all ackers',
  'silence to the controller',
  'forced promotion',
  'planned promotion',
  'deletion of the primary',
  'mending of networks',
  'power returns',
] as const satisfies readonly HappeningName[];

export function storyOf(seed: number): Story {
  const random = randomFrom(Math.imul(seed, 0x9e3779b1));
  const setting = { ...settingFrom(random), oldPrimary: oldPrimaryOf(seed) };
  const kinds = kindsFor(random);
  const moments = random.chance(0.65) ? themeFrom(random, kinds) : mixtureFrom(random, kinds);
  return { setting, moments, ending: endingFrom(random) };
}

/** What leads to one rule of safety, and sometimes something else in between. */
function themeFrom(random: Random, kinds: readonly HappeningName[]): readonly Moment[] {
  const scene = sceneFrom(random).map((one) => ({ ...one, seed: random.below(2 ** 31) }));
  if (random.chance(0.6)) return scene;
  const [other] = momentsFrom(random, kinds);
  const place = random.below(scene.length + 1);
  return [...scene.slice(0, place), { ...other!, after: 0 }, ...scene.slice(place)];
}

function mixtureFrom(random: Random, kinds: readonly HappeningName[]): readonly Moment[] {
  const count = 1 + random.below(4);
  return Array.from({ length: count }, () => momentsFrom(random, kinds)).flat();
}

/** One moment, or two that follow each other closely. */
function momentsFrom(random: Random, kinds: readonly HappeningName[]): readonly Moment[] {
  const after = random.pick(pauses);
  const first = {
    after: after === 0 ? 0 : after + random.below(1_000),
    name: pickHappening(random, kinds),
    seed: random.below(2 ** 31),
  };
  if (random.chance(0.4)) return [first];
  const gap = random.pick(gaps);
  const second = {
    after: gap === 0 ? 0 : Math.round(gap * (0.5 + random())),
    name: random.pick(blows),
    seed: random.below(2 ** 31),
  };
  return [first, second];
}

function endingFrom(random: Random): Ending {
  if (random.chance(0.4)) return { type: 'PrimaryDies', after: 12_000 + random.below(20_000) };
  // Lies have time to be seen; in the longer ones a second try fails, too.
  const after = random.pick([14_000, 14_000, 14_000, 90_000]);
  return { type: 'Heals', after, leavesWreck: random.chance(0.4) };
}

/** Beside the dice, so that every other seed's story stays what it was. */
function oldPrimaryOf(seed: number): Setting['oldPrimary'] {
  return seed % 3 === 0 ? 'RejoinIfClean' : 'Quarantine';
}

function settingFrom(random: Random): Omit<Setting, 'oldPrimary'> {
  const flavor = random.pick(['MariaDB', 'MySQL'] as const);
  return {
    flavor,
    version: flavor === 'MySQL' ? '8.4' : '11.8',
    instances: random.pick([2, 2, 3, 3, 3, 4]),
    durability: random.pick(['Balanced', 'Balanced', 'Strict'] as const),
    dataLoss: random.pick(['Refuse', 'Refuse', 'Refuse', 'Accept'] as const),
    atMost: random.pick([0, 20, 100]),
    copyTakes: random.pick([1_000, 5_000, 60_000]),
    fromNothing: random.chance(0.1),
  };
}

/** Half of the stories know a few kinds of happenings only: then the same ones meet again and again. */
function kindsFor(random: Random): readonly HappeningName[] {
  const names = Object.keys(happenings) as HappeningName[];
  if (random.chance(0.5)) return names;
  return Array.from({ length: 4 }, () => pickHappening(random, names));
}

function pickHappening(random: Random, names: readonly HappeningName[]): HappeningName {
  const weights = names.map((name) => happenings[name].weight);
  let left = random() * weights.reduce((sum, weight) => sum + weight, 0);
  for (const [index, name] of names.entries()) {
    left -= weights[index]!;
    if (left < 0) return name;
  }
  return names[0]!;
}
