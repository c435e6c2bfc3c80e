/** Looks on machines' consoles for the word that somebody else used their upload address; at most once a minute each. */
import { conflictMarker } from '../../api/launch-batch.ts';
import type { Instant, Millis } from '../../base/clock.ts';
import type { Machines } from '../../cloud/port.ts';

const period: Millis = 60_000;

interface Memory {
  readonly readAt: Instant;
  readonly hasConflict: boolean;
}

export class ConsoleWatch {
  readonly #memory = new Map<string, Memory>();

  async hasConflict(machines: Machines, instanceID: string, now: Instant): Promise<boolean> {
    const last = this.#memory.get(instanceID);
    // The console never takes it back.
    if (last !== undefined && (last.hasConflict || now - last.readAt < period)) return last.hasConflict;
    const hasConflict = (await machines.consoleOutput(instanceID)).includes(conflictMarker);
    this.#memory.set(instanceID, { readAt: now, hasConflict });
    return hasConflict;
  }

  forget(instanceID: string): void {
    this.#memory.delete(instanceID);
  }
}
