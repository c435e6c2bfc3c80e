/** Which machines nobody owns, and what to do about them: mark, wait an hour, terminate; stop when there are too many. Pure. */
import { retainedTag } from '../../api/retained.ts';
import { type Instant, type Millis, timestamp } from '../../base/clock.ts';
import type { Machine } from '../../cloud/port.ts';

/** The tag that says since when a machine is known to be an orphan. */
export const orphanedTag = 'ridgeline:orphaned-at';
/** Tags by which people or a Server's deletionPolicy keep a machine on purpose. */
const keepingTags = ['ridgeline:inspect', retainedTag];

export interface Observed {
  readonly now: Instant;
  /** When the sweep behind `machines` began. */
  readonly sweptAt: Instant;
  readonly machines: readonly Machine[];
  /** Ids that a Server has, and ids whose launch is not settled. */
  readonly owned: ReadonlySet<string>;
  /** Since which sweep each ownerless id has been seen without an owner. */
  readonly suspects: ReadonlyMap<string, Instant>;
  /** When orphans were marked or terminated lately. */
  readonly recent: readonly Instant[];
}

export type Action =
  | { readonly do: 'quarantine'; readonly machine: Machine; readonly tag: string }
  | { readonly do: 'terminate'; readonly machine: Machine };

export interface Plan {
  readonly suspects: ReadonlyMap<string, Instant>;
  /** Machines that are orphans beyond doubt. */
  readonly orphans: readonly Machine[];
  readonly actions: readonly Action[];
  /** More orphans than a normal day brings: a restored cluster or a wiped namespace looks exactly like this. */
  readonly surge: boolean;
}

/** A machine younger than this may still be on its way into a status. */
const minimumAge: Millis = 5 * 60_000;
/** Between the first and the last sweep that saw it without an owner. */
const suspicion: Millis = 60_000;
/** Between the mark and the end: time for people to object. */
const quarantine: Millis = 60 * 60_000;
const window: Millis = 10 * 60_000;

/** `actions` is empty while there are too many orphans; pass `suspects` on to the next look. */
export function decide(observed: Observed): Plan {
  const { now, sweptAt, machines, owned } = observed;
  const ownerless = machines.filter(
    (machine) => isAlive(machine) && !owned.has(machine.id) && !isKept(machine),
  );
  const suspects = new Map(ownerless.map(({ id }) => [id, observed.suspects.get(id) ?? sweptAt]));
  const orphans = ownerless.filter(
    ({ id, launchTime }) =>
      now - launchTime >= minimumAge && sweptAt - (suspects.get(id) ?? sweptAt) >= suspicion,
  );
  const actions = orphans.flatMap((machine) => actionFor(machine, now));
  const recent = observed.recent.filter((at) => now - at < window);
  const surge = Math.max(orphans.length, recent.length + actions.length) > surgeLimit(machines.length);
  return { suspects, orphans, actions: surge ? [] : actions, surge };
}

/** At most 3 machines or 5 % of the fleet in 10 minutes, whichever is more. */
export function surgeLimit(fleet: number): number {
  return Math.max(3, Math.floor(fleet * 0.05));
}

function actionFor(machine: Machine, now: Instant): readonly Action[] {
  const marked = Date.parse(machine.tags[orphanedTag] ?? '');
  if (Number.isNaN(marked)) return [{ do: 'quarantine', machine, tag: timestamp(now) }];
  return now - marked >= quarantine ? [{ do: 'terminate', machine }] : [];
}

function isAlive({ state }: Machine): boolean {
  return state !== 'terminated' && state !== 'shutting-down';
}

function isKept({ tags }: Machine): boolean {
  return keepingTags.some((tag) => (tags[tag] ?? '') !== '');
}
