/** Canary writes at 100 Hz through a local proxy, and when none of them was acknowledged. */
import type { ProxyClient, Session } from './proxy-client.ts';

/** Milliseconds of the wall clock. */
export interface Outage {
  /** Last acknowledgement before, and first one after. */
  readonly from: number;
  readonly to: number;
}

const periodMs = 10;
/** A write that was not answered for this long may be stuck; another session is tried beside it. */
const stuckAfterMs = 200;
/** Long enough for whatever cuts stuck sessions to do so. */
const writeTimeoutMs = 15_000;
const mostSessions = 8;

export class OutageMeter {
  readonly #client: ProxyClient;
  readonly #timer: NodeJS.Timeout;
  readonly #idle: Session[] = [];
  readonly #pending = new Set<number>();
  readonly #acknowledged: number[] = [];
  #sequence = 0;

  /** Starts at once. The account may write to table `canary (id, at)` of its database. */
  constructor(client: ProxyClient) {
    this.#client = client;
    this.#timer = setInterval(() => this.#tick(), periodMs);
  }

  /** Times of all acknowledgements so far. */
  get acknowledged(): readonly number[] {
    return this.#acknowledged;
  }

  /** Spans of at least so many milliseconds without an acknowledgement, oldest first; the last one may go on. */
  outages(atLeastMs: number): readonly Outage[] {
    return outagesOf(this.#acknowledged, atLeastMs, Date.now());
  }

  stop(): void {
    clearInterval(this.#timer);
    for (const session of this.#idle.splice(0)) session.destroy();
  }

  #tick(): void {
    const now = Date.now();
    const newest = Math.max(0, ...this.#pending);
    if (this.#pending.size >= mostSessions || (this.#pending.size > 0 && now - newest < stuckAfterMs)) return;
    this.#pending.add(now);
    void this.#write().finally(() => this.#pending.delete(now));
  }

  async #write(): Promise<void> {
    let session = this.#idle.pop();
    try {
      session ??= await this.#client.session();
      this.#sequence += 1;
      const sql = 'REPLACE INTO canary (id, at) VALUES (?, ?)';
      await session.query(sql, [this.#sequence % 100, Date.now()], writeTimeoutMs);
      this.#acknowledged.push(Date.now());
      this.#idle.push(session);
    } catch {
      session?.destroy();
    }
  }
}

/** The gaps between acknowledgements, and from the last one until `now`, that are at least so long. */
export function outagesOf(
  acknowledged: readonly number[],
  atLeastMs: number,
  now: number,
): readonly Outage[] {
  const times = acknowledged.toSorted((a, b) => a - b);
  return [...times, now].flatMap((to, index) => {
    const from = times[index - 1];
    return from === undefined || to - from < atLeastMs ? [] : [{ from, to }];
  });
}
