/** Which tables a failover or a restart would not keep, as the primary says, which is asked seldom. */
import type { Clock, Instant, Millis } from '../../base/clock.ts';
import { ask } from '../../cluster-access/ask.ts';
import type { Member, UnsafeTables } from '../../database/port.ts';

/** Servers make no such tables, and the question is a costly one where there are many of others. */
const period: Millis = 600_000;
/** Whoever converts them wants to see it. */
const foundPeriod: Millis = 60_000;

interface Known {
  readonly server: string;
  readonly askedAt: Instant;
  /** Undefined until one has answered. */
  readonly found: UnsafeTables | undefined;
}

/** Nothing is known after a restart until a primary was asked. */
export class TableWatch {
  readonly #clock: Clock;
  /** By uid of the cluster: tables replicate, so all its servers have the same. */
  readonly #known = new Map<string, Known>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** What was answered last. */
  of(uid: string): UnsafeTables | undefined {
    return this.#known.get(uid)?.found;
  }

  /** Asks when it is time to, and when another server leads. A late answer counts when it comes. */
  async ask(uid: string, member: Member, now: Instant): Promise<void> {
    const known = this.#known.get(uid);
    const { server } = member;
    if (known?.server === server && now - known.askedAt < pauseAfter(known)) return;
    const asked: Known = { server, askedAt: now, found: known?.found };
    this.#known.set(uid, asked);
    const answer = this.#read(uid, member, asked);
    // It may fail after everybody has stopped to wait; it is asked again as after any answer.
    answer.catch(() => undefined);
    await ask(this.#clock, answer);
  }

  async #read(uid: string, { database }: Member, asked: Known): Promise<void> {
    const found = await database.unsafeTables();
    if (this.#known.get(uid) === asked) this.#known.set(uid, { ...asked, found });
  }

  forget(uid: string): void {
    this.#known.delete(uid);
  }
}

function pauseAfter({ found }: Known): Millis {
  return found !== undefined && found.total === 0 ? period : foundPeriod;
}
