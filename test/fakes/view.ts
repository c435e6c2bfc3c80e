/** A MachineView that is always up to date with a FakeMachines; how long an id was missed is the test's word. */
import type { Clock, Instant } from '../../controller/base/clock.ts';
import type { Machine, MachineView } from '../../controller/cloud/port.ts';
import type { FakeMachines } from './machines.ts';

export class FakeView implements MachineView {
  /** Evidence per absent id; one sweep just now when not listed. */
  readonly misses = new Map<string, { readonly sweeps: number; readonly since: Instant }>();
  /** False until the first sweep: the picture is empty then. */
  swept = true;
  readonly #machines: FakeMachines;
  readonly #clock: Clock;

  constructor(machines: FakeMachines, clock: Clock) {
    this.#machines = machines;
    this.#clock = clock;
  }

  get sweptAt(): Instant | undefined {
    return this.swept ? this.#clock.now() : undefined;
  }

  get(id: string): Machine | undefined {
    return this.all().find((machine) => machine.id === id);
  }

  all(): readonly Machine[] {
    return this.swept ? this.#machines.picture() : [];
  }

  missing(id: string): { readonly sweeps: number; readonly since: Instant | undefined } {
    if (this.get(id) !== undefined) return { sweeps: 0, since: undefined };
    return this.misses.get(id) ?? { sweeps: 1, since: this.#clock.now() };
  }

  learn(): void {
    // Nothing to learn: the picture is live.
  }
}
