/** GTID sets as MySQL writes them: `uuid:1-5:7:tag:3-9,uuid:1`, tagged (8.3 and later) or not. Pure. */
import { AppError } from '../base/errors.ts';
import type { GtidNotation } from './gtid-notation.ts';

/** First and last number, both included. */
type Interval = readonly [bigint, bigint];

/** By `uuid` or `uuid:tag`, the numbers it has: in order, without overlap or touch, never empty. */
type GtidSet = ReadonlyMap<string, readonly Interval[]>;

const uuidText = /^[\da-f]{8}-[\da-f]{4}-[\da-f]{4}-[\da-f]{4}-[\da-f]{12}$/;
const tagText = /^[a-z_][a-z\d_]{0,31}$/;
const intervalText = /^(\d{1,19})(?:-(\d{1,19}))?$/;
const highest = 2n ** 63n - 2n;

export const mysqlGtids: GtidNotation<GtidSet> = {
  parse: (gtids) => {
    const found = new Map<string, Interval[]>();
    // The server breaks lines after commas, and takes letters of either case.
    for (const part of gtids.replaceAll(/\s/g, '').toLowerCase().split(',')) {
      if (part !== '') readPart(part, found);
    }
    return new Map([...found].map(([source, intervals]) => [source, mergeIntervals(intervals)]));
  },

  format: (set) => {
    const byUUID = new Map<string, string>();
    // `uuid` sorts before its `uuid:tag`s, so what has no tag comes first, as the server has it.
    for (const [source, intervals] of [...set].toSorted(([left], [right]) => (left < right ? -1 : 1))) {
      const [uuid = '', tag] = source.split(':');
      const words = intervals.map(([first, last]) => (first === last ? `${first}` : `${first}-${last}`));
      const before = byUUID.get(uuid) ?? uuid;
      byUUID.set(uuid, [before, ...(tag === undefined ? [] : [tag]), ...words].join(':'));
    }
    return [...byUUID.values()].join(',');
  },

  union: (left, right) => {
    const sources = new Set([...left.keys(), ...right.keys()]);
    return new Map(
      [...sources].map((source) => [
        source,
        mergeIntervals([...(left.get(source) ?? []), ...(right.get(source) ?? [])]),
      ]),
    );
  },

  subtract: subtractSets,

  countMissing: (left, right) =>
    [...subtractSets(left, right).values()]
      .flat()
      .reduce((sum, [first, last]) => sum + Number(last - first + 1n), 0),

  authors: (set) => new Set([...set.keys()].map((source) => source.split(':')[0] ?? '')),
};

function subtractSets(left: GtidSet, right: GtidSet): GtidSet {
  return new Map(
    [...left]
      .map(([source, intervals]) => [source, subtractIntervals(intervals, right.get(source) ?? [])] as const)
      .filter(([, intervals]) => intervals.length > 0),
  );
}

/** One `uuid:…`; a tag holds for the intervals behind it, until the next tag. */
function readPart(part: string, found: Map<string, Interval[]>): void {
  const [uuid = '', ...words] = part.split(':');
  if (!uuidText.test(uuid) || !intervalText.test(words.at(-1) ?? '')) throw unreadableError(part);
  let source = uuid;
  let isTagOpen = false;
  for (const word of words) {
    if (tagText.test(word)) {
      if (isTagOpen) throw unreadableError(part);
      source = `${uuid}:${word}`;
      isTagOpen = true;
    } else {
      const intervals = found.get(source) ?? [];
      intervals.push(readInterval(word, part));
      found.set(source, intervals);
      isTagOpen = false;
    }
  }
}

function readInterval(word: string, part: string): Interval {
  const [, first = '', last = first] = intervalText.exec(word) ?? [];
  if (first === '') throw unreadableError(part);
  const interval: Interval = [BigInt(first), BigInt(last)];
  if (interval[0] < 1n || interval[1] < interval[0] || interval[1] > highest) throw unreadableError(part);
  return interval;
}

function unreadableError(part: string): AppError {
  return new AppError('database.failed', `\`${part}\` is no GTID set of MySQL`);
}

/** In order; what overlaps or touches becomes one. */
function mergeIntervals(intervals: readonly Interval[]): readonly Interval[] {
  const merged: Interval[] = [];
  for (const [first, last] of intervals.toSorted(([left], [right]) => (left < right ? -1 : 1))) {
    const before = merged.at(-1);
    if (before === undefined || first > before[1] + 1n) merged.push([first, last]);
    else if (last > before[1]) merged[merged.length - 1] = [before[0], last];
  }
  return merged;
}

/** Both are merged. */
function subtractIntervals(intervals: readonly Interval[], holes: readonly Interval[]): readonly Interval[] {
  return intervals.flatMap(([first, last]) => {
    const kept: Interval[] = [];
    let next = first;
    for (const [holeFirst, holeLast] of holes) {
      if (holeLast < next) continue;
      if (holeFirst > last) break;
      if (holeFirst > next) kept.push([next, holeFirst - 1n]);
      next = holeLast + 1n;
    }
    if (next <= last) kept.push([next, last]);
    return kept;
  });
}
