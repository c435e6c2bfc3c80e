/** Which servers have a data disk that keeps them from leading, as their hosts say, which are asked now and then. */
import type { Clock, Instant, Millis } from '../../base/clock.ts';
import { ask, patience } from '../../cluster-access/ask.ts';
import type { Member } from '../../database/port.ts';
import { describeDisk } from '../../failover/disk.ts';

/** It fills in minutes, and whoever makes room wants to see it. */
const period: Millis = 10_000;

interface Known {
  readonly askedAt: Instant;
  /** By server: why it could take no writes; goes on after its name. */
  readonly problems: ReadonlyMap<string, string>;
}

const nothing: ReadonlyMap<string, string> = new Map();

/** Nothing is known after a restart until they were asked. */
export class DiskWatch {
  readonly #clock: Clock;
  /** By uid of the cluster. */
  readonly #known = new Map<string, Known>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** By server: why it could not lead, as answered last. */
  of(uid: string): ReadonlyMap<string, string> {
    return this.#known.get(uid)?.problems ?? nothing;
  }

  /** Asks all of them when it is time to. One that does not answer is what it was. */
  async ask(uid: string, members: readonly Member[], now: Instant): Promise<void> {
    const known = this.#known.get(uid);
    if (known !== undefined && now - known.askedAt < period) return;
    this.#known.set(uid, { askedAt: now, problems: known?.problems ?? nothing });
    const found = await Promise.all(
      members.map(async (member) => [member.server, await this.#read(uid, member)] as const),
    );
    const problems = new Map(
      found.flatMap(([server, problem]) => (problem === undefined ? [] : [[server, problem]])),
    );
    this.#known.set(uid, { askedAt: now, problems });
  }

  async #read(uid: string, { server, database }: Member): Promise<string | undefined> {
    const found = await ask(this.#clock, database.inspect(patience));
    return found === undefined ? this.of(uid).get(server) : describeDisk(found);
  }

  forget(uid: string): void {
    this.#known.delete(uid);
  }
}
