/** Which accounts may write to a read-only server, as the primary says, which is asked once a minute. */
import type { Clock, Instant, Millis } from '../../base/clock.ts';
import { ask } from '../../cluster-access/ask.ts';
import type { Member, PrivilegedAccount } from '../../database/port.ts';

const period: Millis = 60_000;

interface Known {
  readonly askedAt: Instant;
  /** Undefined until one has answered. */
  readonly accounts: readonly PrivilegedAccount[] | undefined;
}

/** Nothing is known after a restart until a primary was asked. */
export class PrivilegeWatch {
  readonly #clock: Clock;
  /** By uid of the cluster: grants replicate, so all its servers have the same. */
  readonly #known = new Map<string, Known>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** What was answered last. */
  of(uid: string): readonly PrivilegedAccount[] | undefined {
    return this.#known.get(uid)?.accounts;
  }

  /** Asks when it is time to. One that does not answer is asked again after as long. */
  async ask(uid: string, { database }: Member, now: Instant): Promise<void> {
    const known = this.#known.get(uid);
    if (known !== undefined && now - known.askedAt < period) return;
    const accounts = await ask(this.#clock, database.privileged());
    this.#known.set(uid, { askedAt: now, accounts: accounts ?? known?.accounts });
  }

  forget(uid: string): void {
    this.#known.delete(uid);
  }
}
