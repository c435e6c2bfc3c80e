/** What the observer knows of machines, merged from sweeps, lookups and launch answers; pure bookkeeping, no calls. */
import { isDeepStrictEqual } from 'node:util';
import type { Instant, Millis } from '../base/clock.ts';
import type { Machine, MachineState } from './port.ts';

/** One machine's news; `after` is absent when it left the picture. */
export interface Delta {
  readonly id: string;
  readonly before: Machine | undefined;
  readonly after: Machine | undefined;
}

/** For how many complete sweeps in a row a machine was not listed, and when the first of them began. */
export interface Absence {
  readonly sweeps: number;
  readonly since: Instant | undefined;
}

/** States only move to the right, until a stopped machine is started again (a new launch time). */
const order: readonly MachineState[] = [
  'pending',
  'running',
  'stopping',
  'stopped',
  'shutting-down',
  'terminated',
];

/** How long a launch's answer is believed while no sweep shows the machine. */
const learnedFor: Millis = 300_000;
/** How long absences are counted for machines that were seen once. */
const absenceKept: Millis = 86_400_000;

/**
 * A machine leaves with the first complete sweep that lacks it, unless a launch answered with it in the last 5
 * minutes.
 */
export class Picture {
  readonly #machines = new Map<string, Machine>();
  readonly #learnedAt = new Map<string, Instant>();
  readonly #absences = new Map<string, { sweeps: number; readonly since: Instant }>();
  #sweeps = 0;
  #firstSweep: Instant | undefined;

  get(id: string): Machine | undefined {
    return this.#machines.get(id);
  }

  all(): readonly Machine[] {
    return [...this.#machines.values()];
  }

  /** Machines whose state is about to change. */
  moving(): readonly Machine[] {
    return this.all().filter(({ state }) => ['pending', 'stopping', 'shutting-down'].includes(state));
  }

  /** See `MachineView.missing`; an id that was never seen is missing since the first sweep. */
  missing(id: string): Absence {
    const absence = this.#absences.get(id);
    if (absence !== undefined) return { sweeps: absence.sweeps, since: absence.since };
    if (this.#machines.has(id)) return { sweeps: 0, since: undefined };
    return { sweeps: this.#sweeps, since: this.#firstSweep };
  }

  /** Takes rows of a lookup by id. */
  update(machines: readonly Machine[]): readonly Delta[] {
    return machines.flatMap((machine) => this.#put(machine));
  }

  /** Takes what a launch answered: kept although sweeps may not show it yet. */
  learn(machines: readonly Machine[], now: Instant): readonly Delta[] {
    for (const { id } of machines) if (!this.#machines.has(id)) this.#learnedAt.set(id, now);
    return this.update(machines);
  }

  /** Takes a complete sweep that began at `began`: what it lacks is counted absent and leaves the picture. */
  replace(machines: readonly Machine[], began: Instant): readonly Delta[] {
    this.#sweeps += 1;
    this.#firstSweep ??= began;
    const seen = new Set(machines.map(({ id }) => id));
    for (const id of seen) {
      this.#absences.delete(id);
      this.#learnedAt.delete(id);
    }
    const lost = [...this.#machines.keys()].filter((id) => !seen.has(id));
    this.#countAbsences(lost, began);
    return [
      ...machines.flatMap((machine) => this.#put(machine)),
      ...lost.flatMap((id) => this.#drop(id, began)),
    ];
  }

  #countAbsences(lost: readonly string[], began: Instant): void {
    for (const [id, absence] of this.#absences) {
      absence.sweeps += 1;
      if (began - absence.since > absenceKept) this.#absences.delete(id);
    }
    for (const id of lost) if (!this.#absences.has(id)) this.#absences.set(id, { sweeps: 1, since: began });
  }

  #put(machine: Machine): readonly Delta[] {
    const before = this.#machines.get(machine.id);
    if (before !== undefined && isOlder(machine, before)) return [];
    this.#machines.set(machine.id, machine);
    return isDeepStrictEqual(before, machine) ? [] : [{ id: machine.id, before, after: machine }];
  }

  #drop(id: string, began: Instant): readonly Delta[] {
    const learnedAt = this.#learnedAt.get(id);
    if (learnedAt !== undefined && began - learnedAt < learnedFor) return [];
    const before = this.#machines.get(id);
    this.#machines.delete(id);
    this.#learnedAt.delete(id);
    return [{ id, before, after: undefined }];
  }
}

/** Whether `row` is a stale answer: same start of the machine, earlier state. */
function isOlder(row: Machine, known: Machine): boolean {
  return row.launchTime <= known.launchTime && order.indexOf(row.state) < order.indexOf(known.state);
}
