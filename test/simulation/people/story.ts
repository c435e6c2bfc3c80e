/** From a seed to a story: what site it plays on, what happens, and when. The same seed tells the same. */
import type { Millis } from '../../../controller/base/clock.ts';
import type { Flavor } from '../../../controller/database/port.ts';
import { type Random, randomFrom } from '../random.ts';
import { happenings } from './happenings.ts';

export interface Setting {
  readonly flavor: Flavor;
  readonly version: string;
  readonly instances: number;
  readonly durability: 'Strict' | 'Balanced';
  readonly dataLoss: 'Refuse' | 'Accept';
  readonly oldPrimary: 'Quarantine' | 'RejoinIfClean';
  /** Longest way of a transaction from server to server. */
  readonly atMost: Millis;
  /** How long the copy of a server takes. */
  readonly copyTakes: Millis;
}

export interface Moment {
  /** Time since the moment before. */
  readonly after: Millis;
  readonly name: string;
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

export function storyOf(seed: number): Story {
  const random = randomFrom(Math.imul(seed, 0x9e3779b1));
  const setting = { ...settingFrom(random), oldPrimary: oldPrimaryOf(seed) };
  const kinds = kindsFor(random);
  const count = 1 + random.below(5);
  const moments = Array.from({ length: count }, (): Moment => {
    const after = random.pick(pauses);
    return {
      after: after === 0 ? 0 : after + random.below(1_000),
      name: pickHappening(random, kinds),
      seed: random.below(2 ** 31),
    };
  });
  return { setting, moments, ending: endingFrom(random) };
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
  };
}

/** Half of the stories know a few kinds of happenings only: then the same ones meet again and again. */
function kindsFor(random: Random): readonly string[] {
  const names = Object.keys(happenings);
  if (random.chance(0.5)) return names;
  return Array.from({ length: 4 }, () => pickHappening(random, names));
}

function pickHappening(random: Random, names: readonly string[]): string {
  const weights = names.map((name) => happenings[name]!.weight);
  let left = random() * weights.reduce((sum, weight) => sum + weight, 0);
  for (const [index, name] of names.entries()) {
    left -= weights[index]!;
    if (left < 0) return name;
  }
  return names[0]!;
}
