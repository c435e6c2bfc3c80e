/** Everything that can happen in a story, by name, with how often it is chosen. */
import type { Random } from '../random.ts';
import { acts } from './acts.ts';
import { farewells } from './farewells.ts';
import { faults } from './faults.ts';
import { handiwork } from './handiwork.ts';
import type { House } from './house.ts';
import { momentsThatMatter } from './moments.ts';
import { orderlyEnds } from './orderly.ts';

export interface Happening {
  readonly weight: number;
  /** Does it, to whom `random` says, and tells what it did; undefined when there is nobody to do it to. */
  readonly happen: (house: House, random: Random) => string | undefined;
}

export const happenings = {
  ...faults,
  ...momentsThatMatter,
  ...orderlyEnds,
  ...acts,
  ...handiwork,
  ...farewells,
} as const satisfies Readonly<Record<string, Happening>>;

export type HappeningName = keyof typeof happenings;
