/** The bounds in force at an instant: computed from the schedules alone, so nothing can be missed. Pure. */
import { Cron } from 'croner';
import type { Instant } from '../../../base/clock.ts';

/** Between which numbers votes may decide now. */
export interface Bounds {
  readonly minReplicas: number;
  readonly maxReplicas: number;
  /** Name of the schedule they come from; absent when no schedule has fired yet. */
  readonly schedule?: string;
}

export interface Schedule {
  readonly name: string;
  /** Five fields. */
  readonly cron: string;
  /** IANA. */
  readonly timeZone: string;
  readonly minReplicas: number;
  readonly maxReplicas: number;
}

export interface ScheduleProblem {
  readonly schedule: string;
  readonly message: string;
}

/**
 * The bounds of the schedule that fired last, or `base` when none ever did. Of two that fire at the same minute the
 * later one in the list wins. Schedules that `problemsOf` names are left out.
 */
export function boundsAt(base: Bounds, schedules: readonly Schedule[], now: Instant): Bounds {
  let latest: { readonly at: number; readonly bounds: Bounds } | undefined;
  for (const schedule of schedules) {
    const cron = parse(schedule);
    // Runs are looked for strictly before the reference, so a schedule starts with its first millisecond.
    const at = 'message' in cron ? undefined : cron.previousRuns(1, new Date(now + 1))[0]?.getTime();
    if (at === undefined || at < (latest?.at ?? Number.NEGATIVE_INFINITY)) continue;
    const { name, minReplicas, maxReplicas } = schedule;
    latest = { at, bounds: { minReplicas, maxReplicas, schedule: name } };
  }
  return latest?.bounds ?? base;
}

/** When the bounds can change next; undefined when no schedule will ever fire again. */
export function nextChange(schedules: readonly Schedule[], now: Instant): Instant | undefined {
  const times = schedules.flatMap((schedule) => {
    const cron = parse(schedule);
    return 'message' in cron ? [] : cron.nextRuns(1, new Date(now)).map((date) => date.getTime());
  });
  return times.length === 0 ? undefined : Math.min(...times);
}

/** Schedules that cannot work, with what to do about each. */
export function problemsOf(schedules: readonly Schedule[], now: Instant): readonly ScheduleProblem[] {
  return schedules.flatMap((schedule) => {
    const cron = parse(schedule);
    if ('message' in cron) return [{ schedule: schedule.name, message: cron.message }];
    if (cron.nextRuns(1, new Date(now)).length > 0) return [];
    return [
      { schedule: schedule.name, message: `'${schedule.cron}' never fires; correct its day and month` },
    ];
  });
}

function parse({ cron, timeZone }: Schedule): Cron | { readonly message: string } {
  try {
    Intl.DateTimeFormat('en', { timeZone });
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    return { message: `'${timeZone}' is not an IANA time zone; write it like Europe/Berlin` };
  }
  try {
    return new Cron(cron, { timezone: timeZone, mode: '5-part' });
  } catch (error) {
    const why = error instanceof Error ? error.message.replace(/^CronPattern: /, '') : String(error);
    return { message: `'${cron}' is not a five-field cron expression: ${why}` };
  }
}
