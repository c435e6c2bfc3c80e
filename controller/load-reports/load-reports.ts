/** What front ends measured of the servers behind them, kept in memory for whoever votes on it or watches an update. */
import type { Instant, Millis } from '../base/clock.ts';

/** The load of one server: the sum over all front ends of a balancer. */
export interface LoadReport {
  readonly at: Instant;
  /** Requests or connections under way. */
  readonly sessions: number;
  /** Those that wait in HAProxy for a place. */
  readonly queued: number;
}

/** What a server answered to HAProxy. */
export interface Answers {
  readonly requests: number;
  /** Answers with 5xx, and broken ones. */
  readonly failures: number;
}

/** One counter of one HAProxy, as it stands. It begins anew when a process does. */
export interface AnswerCount extends Answers {
  /** uid of the Server. */
  readonly server: string;
  /** Which HAProxy counts, and for which backend. */
  readonly counter: string;
}

interface Point extends Answers {
  readonly at: Instant;
}

/** How far back answers can be asked for. */
const memory: Millis = 120_000;
/** Balancers in motion report four times a second; that fine nobody asks. */
const grain: Millis = 1_000;

/** Loads are those of the newest report; sums of answers reach back two minutes. */
export class LoadReports {
  readonly #reports = new Map<string, ReadonlyMap<string, LoadReport>>();
  /** By server and counter: where the counter stood last. */
  readonly #counters = new Map<string, Point>();
  /** By server: the sum of what was added since this process began, at several moments, oldest first. */
  readonly #sums = new Map<string, Point[]>();

  /** Replaces what `balancer` (its uid) said before; keys are uids of Servers. */
  report(balancer: string, loads: ReadonlyMap<string, LoadReport>): void {
    this.#reports.set(balancer, loads);
  }

  /** The balancer is gone. */
  forget(balancer: string): void {
    this.#reports.delete(balancer);
  }

  /** Sum over all balancers, as old as the oldest of them; undefined when none knows the server. */
  of(server: string): LoadReport | undefined {
    const all = [...this.#reports.values()].flatMap((loads) => loads.get(server) ?? []);
    const [first, ...others] = all;
    if (first === undefined) return undefined;
    return others.reduce(
      (sum, load) => ({
        at: Math.min(sum.at, load.at),
        sessions: sum.sessions + load.sessions,
        queued: sum.queued + load.queued,
      }),
      first,
    );
  }

  /**
   * Adds what counters went forward since they were seen last. One that is seen for the first time, or has gone back
   * because a process ended, adds nothing: what it counted before is not known to be new.
   */
  count(counts: readonly AnswerCount[], at: Instant): void {
    for (const { server, counter, requests, failures } of counts) {
      const key = `${server} ${counter}`;
      const before = this.#counters.get(key);
      this.#counters.set(key, { at, requests, failures });
      if (before === undefined || requests < before.requests || failures < before.failures) continue;
      const more = { requests: requests - before.requests, failures: failures - before.failures };
      if (more.requests + more.failures > 0) this.#add(server, at, more);
    }
    this.#tidy(at);
  }

  /** What `server` answered after `from`, up to and including `until`; as far back as is remembered. */
  answers(server: string, from: Instant, until: Instant): Answers {
    const points = this.#sums.get(server) ?? [];
    const standing = (at: Instant) => points.findLast((point) => point.at <= at) ?? points[0];
    const [begin, end] = [standing(from), standing(until)];
    if (begin === undefined || end === undefined) return { requests: 0, failures: 0 };
    return { requests: end.requests - begin.requests, failures: end.failures - begin.failures };
  }

  #add(server: string, at: Instant, more: Answers): void {
    const points = this.#sums.get(server) ?? [{ at: 0, requests: 0, failures: 0 }];
    const last = points.at(-1);
    const sum = {
      at,
      requests: (last?.requests ?? 0) + more.requests,
      failures: (last?.failures ?? 0) + more.failures,
    };
    const previous = points.at(-2);
    // Only the newest point may move: what was asked for once is answered the same again.
    const isDense = last !== undefined && previous !== undefined && at - previous.at < grain;
    const kept = isDense ? points.slice(0, -1) : points;
    // The last point that is too old says where the time that is remembered began.
    const first = kept.findLastIndex((point) => point.at < at - memory);
    this.#sums.set(server, [...kept.slice(Math.max(0, first)), sum]);
  }

  #tidy(now: Instant): void {
    for (const [key, { at }] of this.#counters) if (now - at > memory) this.#counters.delete(key);
    for (const [server, points] of this.#sums) {
      if (now - (points.at(-1)?.at ?? 0) > memory) this.#sums.delete(server);
    }
  }
}
