/** Ends the machine views of accounts that are gone, or that have other credentials by now. */
import { cloudAccountKind } from '../api/cloud-account.ts';
import type { Clock, Millis } from '../base/clock.ts';
import type { CloudTarget } from '../cloud/port.ts';
import type { Cache } from '../kube/port.ts';
import type { Accounts } from './port.ts';

export interface RetirePorts {
  readonly cache: Cache;
  readonly clock: Clock;
  readonly accounts: Accounts;
  /** Ends all views but those of these targets. */
  readonly keep: (targets: readonly CloudTarget[]) => void;
}

const period: Millis = 60_000;

/** Looks once a minute until the signal aborts; never rejects. */
export async function retireViews(
  { cache, clock, accounts, keep }: RetirePorts,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    const all = cache.list(cloudAccountKind).map((account) => accounts.target(account));
    const settled = await Promise.allSettled(all);
    const targets = settled.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
    // An account whose Secret cannot be read now may be readable in a minute: then nothing is ended.
    if (targets.length === settled.length) keep(targets);
    await clock.sleep(period, signal).catch(() => undefined);
  }
}
