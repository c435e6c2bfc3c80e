/** What front ends measured of the servers behind them, kept in memory for whoever votes on it. */
import type { Instant } from '../base/clock.ts';

/** The load of one server: the sum over all front ends of a balancer. */
export interface LoadReport {
  readonly at: Instant;
  /** Requests or connections under way. */
  readonly sessions: number;
  /** Those that wait in HAProxy for a place. */
  readonly queued: number;
}

export class LoadReports {
  readonly #reports = new Map<string, ReadonlyMap<string, LoadReport>>();

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
}
