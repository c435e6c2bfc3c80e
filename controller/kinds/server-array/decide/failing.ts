/** Which servers are not well, since when, and whether so many that our own view is to be doubted. Pure. */
import type { ServerArray, ServerArrayStatus } from '../../../api/server-array.ts';
import { type Instant, timestamp } from '../../../base/clock.ts';
import { isFailing, type Member } from './member.ts';

type Entries = NonNullable<ServerArrayStatus['failing']>;

/** Servers that are not well, and what follows. */
export interface Failing {
  /** For status: who, how, since when. */
  readonly record: Entries;
  /** Not well for longer than `afterSeconds`. */
  readonly overdue: ReadonlySet<string>;
  /** More than `maxPercent` at once: nothing is replaced. */
  readonly meltdown: boolean;
  /** When the next one becomes overdue. */
  readonly nextAt: Instant | undefined;
}

/** More than these are not remembered one by one; they get their turn later. */
const remembered = 100;

/** `meltdown`: so many are not well that nothing should be replaced. */
export function decideFailing(
  { spec, status }: ServerArray,
  members: readonly Member[],
  now: Instant,
): Failing {
  const failing = members.filter(isFailing);
  const before = new Map((status?.failing ?? []).map((entry) => [entry.server, entry.since]));
  const record = failing
    .map(({ name, state }) => ({ server: name, reason: state, since: before.get(name) ?? timestamp(now) }))
    .toSorted((a, b) => (a.since < b.since ? -1 : Number(a.since > b.since)))
    .slice(0, remembered);
  const dueAt = ({ since }: { readonly since: string }) =>
    Date.parse(since) + spec.unhealthy.afterSeconds * 1_000;
  const overdue = record.filter((entry) => dueAt(entry) <= now);
  const later = record.filter((entry) => dueAt(entry) > now).map(dueAt);
  const size = members.filter(({ place }) => place === 'Active' || place === 'Candidate').length;
  const limit = Math.max(1, Math.ceil((size * spec.unhealthy.maxPercent) / 100));
  return {
    record,
    overdue: new Set(overdue.map(({ server }) => server)),
    meltdown: failing.length > limit,
    nextAt: later.length === 0 ? undefined : Math.min(...later),
  };
}
