/** What people have brought upon themselves: machines they ended, writes they gave up. */
import type { Instant, Millis } from '../../../controller/base/clock.ts';
import type { Acknowledgement, Handiwork } from '../../fakes/databases.ts';

/** So soon must the controller see what people did by hand. */
const notice: Millis = 6_000;

export class Pardons {
  /** Servers that a person deleted, by name. */
  readonly servers = new Set<string>();
  /** Machines that a person, or EC2, ended; by id. */
  readonly machines = new Set<string>();
  /** Keys of writes that were given up. */
  readonly writes = new Set<string>();
  /** The cluster itself was deleted by a person. */
  isCondemned = false;
  /** Somebody let promotions go on while the old primary may acknowledge still. */
  hasProceeded = false;
  /** Somebody typed at a database. */
  hasHandiwork = false;
  readonly #now: () => Instant;
  readonly #unprotected: { readonly server: string; readonly from: Instant }[] = [];
  readonly #opened = new Set<string>();
  readonly #errant = new Set<string>();

  constructor(now: () => Instant) {
    this.#now = now;
  }

  byHand(server: string, what: Handiwork): void {
    this.hasHandiwork = true;
    if (what === 'semiSyncOff') this.#unprotected.push({ server, from: this.#now() });
    if (what === 'takeWrites') this.#opened.add(server);
    if (what === 'writeErrant') this.#errant.add(server);
  }

  /** `SET GLOBAL`. */
  setByHand(server: string, variable: string): void {
    this.hasHandiwork = true;
    if (variable.startsWith('rpl_semi_sync')) this.#unprotected.push({ server, from: this.#now() });
    if (variable.endsWith('read_only')) this.#opened.add(server);
  }

  /** A server that a person opened for writes leads nobody. */
  isOpenedByHand(server: string): boolean {
    return this.#opened.has(server);
  }

  /** A person wrote rows on it that no primary had: only a person can say what those are worth. */
  hasOwnRows(server: string): boolean {
    return this.#errant.has(server);
  }

  /** Whether nobody could have kept this write: its commit waited for nobody, by a person's hand, a moment ago. */
  covers({ key, server, at }: Acknowledgement): boolean {
    if (this.writes.has(key)) return true;
    return this.#unprotected.some(
      (one) => one.server === server && at >= one.from && at <= one.from + notice,
    );
  }
}
