/** Looks on machines' consoles for the word that somebody else used their upload address; at most once a minute each. */
import { conflictMarker } from '../../api/launch-batch.ts';
import type { Instant, Millis } from '../../base/clock.ts';
import type { Machines } from '../../cloud/port.ts';

const period: Millis = 60_000;
/** EC2 answers few questions a second. A thousand silent machines must not keep all others waiting for theirs. */
const mostAtOnce = 2;

interface Memory {
  readonly readAt: Instant;
  readonly hasConflict: boolean;
}

/** Consoles are read in the background, few at once. */
export class ConsoleWatch {
  readonly #memory = new Map<string, Memory>();
  readonly #asked = new Set<string>();

  /** What is known by now. Never waits for EC2: the answer is there at a later look. */
  hasConflict(machines: Machines, instanceID: string, now: Instant): boolean {
    const last = this.#memory.get(instanceID);
    // The console never takes it back.
    const isDue = last === undefined || (!last.hasConflict && now - last.readAt >= period);
    if (isDue && this.#asked.size < mostAtOnce && !this.#asked.has(instanceID)) {
      void this.#ask(machines, instanceID, now);
    }
    return last?.hasConflict === true;
  }

  forget(instanceID: string): void {
    this.#memory.delete(instanceID);
  }

  async #ask(machines: Machines, instanceID: string, now: Instant): Promise<void> {
    this.#asked.add(instanceID);
    try {
      const hasConflict = (await machines.consoleOutput(instanceID)).includes(conflictMarker);
      this.#memory.set(instanceID, { readAt: now, hasConflict });
    } catch {
      // A console that cannot be read tells nothing.
      this.#memory.set(instanceID, { readAt: now, hasConflict: false });
    } finally {
      this.#asked.delete(instanceID);
    }
  }
}
