/** What this process knows about jobs under way besides their record; all of it may be lost without harm. */
import type { Instant, Millis } from '../../base/clock.ts';

const livePeriod: Millis = 10_000;

/** Lost with the process: then secrets of running jobs are resolved anew, if they have not changed. */
export class JobMemory {
  readonly #secrets = new Map<string, readonly string[]>();
  readonly #stored = new Map<string, { readonly at: Instant; readonly bytes: number }>();

  /** Secrets may change while a job runs: what it was given is what must be hidden. */
  rememberSecrets(jobID: string, secrets: readonly string[]): void {
    this.#secrets.set(jobID, secrets);
  }

  secretsOf(jobID: string): readonly string[] | undefined {
    return this.#secrets.get(jobID);
  }

  /** Whether a running job's log has grown and was not stored for a while. */
  isLogDue(jobID: string, logBytes: number, now: Instant): boolean {
    const last = this.#stored.get(jobID);
    if (last === undefined) {
      this.#stored.set(jobID, { at: now, bytes: 0 });
      return false;
    }
    if (now - last.at < livePeriod || logBytes === last.bytes) return false;
    this.#stored.set(jobID, { at: now, bytes: logBytes });
    return true;
  }

  forget(jobID: string): void {
    this.#secrets.delete(jobID);
    this.#stored.delete(jobID);
  }
}
