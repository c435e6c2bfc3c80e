/** Leader election on a Lease: judged by the local monotonic clock only, never by comparing wall clocks. */
import type { AnyObject, ObjectKey } from '../api/meta.ts';
import type { Resource } from '../api/resource.ts';
import { withDeadline } from '../base/abort.ts';
import { backoffDelay } from '../base/backoff.ts';
import type { Clock, Instant, Millis } from '../base/clock.ts';
import { AppError, hasCode } from '../base/errors.ts';
import type { Logger } from '../base/log.ts';
import type { Kube } from '../kube/port.ts';
import type { Metrics } from './metrics.ts';

export interface Lease extends AnyObject {
  readonly spec?: {
    readonly holderIdentity?: string;
    readonly leaseDurationSeconds?: number;
    readonly acquireTime?: string;
    readonly renewTime?: string;
    readonly leaseTransitions?: number;
  };
}

export const leases: Resource<Lease> = {
  group: 'coordination.k8s.io',
  version: 'v1',
  kind: 'Lease',
  plural: 'leases',
  scope: 'Namespaced',
};

export interface LeaderOptions {
  /** A client with connections of its own, so that other traffic cannot delay a renewal. */
  readonly kube: Kube;
  readonly lease: ObjectKey;
  /** Unique among all processes that ever run, e.g. pod name and a random suffix. */
  readonly identity: string;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: Metrics;
  readonly timings?: LeaderTimings;
}

/** The same in all processes that share a lease. */
export interface LeaderTimings {
  /** Others wait this long without a renewal before they take over. */
  readonly lease: Millis;
  /** The leader gives up when it could not renew for this long. */
  readonly renewDeadline: Millis;
  /** Between attempts. */
  readonly retry: Millis;
}

const defaultTimings: LeaderTimings = { lease: 15_000, renewDeadline: 10_000, retry: 2_000 };

/** Call `acquire`, `hold` while working, and `release`; a lease that is lost ends the process. */
export class Leader {
  readonly #options: LeaderOptions;
  readonly #timings: LeaderTimings;
  #held: Lease | undefined;
  #validUntil: Millis = Number.NEGATIVE_INFINITY;
  /** The last change of somebody else's lease, and when we saw it. */
  #observed: { readonly version: string; readonly at: Millis } | undefined;

  constructor(options: LeaderOptions) {
    this.#options = options;
    this.#timings = options.timings ?? defaultTimings;
  }

  /**
   * The monotonic time until which nobody else can have become leader; in the past when we do not lead. Check it
   * right before an irreversible call: signals arrive late when the process was suspended.
   */
  leaseValidUntil(): Millis {
    return this.#validUntil;
  }

  /** Resolves when this process leads; rejects with the signal's reason. */
  async acquire(signal: AbortSignal): Promise<void> {
    while (!(await this.#attempt(() => this.#tryAcquire()))) {
      await this.#options.clock.sleep(
        backoffDelay({ base: this.#timings.retry, cap: this.#timings.retry }, 1),
        signal,
      );
    }
    this.#options.metrics.leading.set({ name: this.#options.lease.name }, 1);
    this.#options.log.info({ identity: this.#options.identity }, 'became leader');
  }

  /** Renews until `signal` aborts; returns earlier, with `lost`, when the lease could not be kept. */
  async hold(signal: AbortSignal): Promise<'stopped' | 'lost'> {
    const { clock } = this.#options;
    for (;;) {
      try {
        await clock.sleep(Math.min(this.#timings.retry, this.#timeLeft()), signal);
      } catch (error) {
        if (signal.aborted) return 'stopped';
        throw error;
      }
      // An attempt may hang; the deadline may not.
      await withDeadline(
        clock,
        this.#timeLeft(),
        this.#attempt(() => this.#tryRenew()),
      );
      if (this.#held === undefined || this.#timeLeft() === 0) return this.#lose();
    }
  }

  /** Lets go, so that the next leader need not wait. Never throws: the lease runs out by itself. */
  async release(): Promise<void> {
    const held = this.#held;
    this.#forget();
    if (held === undefined) return;
    await this.#attempt(async () => {
      const spec = {
        holderIdentity: '',
        leaseDurationSeconds: 1,
        renewTime: microTime(this.#options.clock.now()),
      };
      await this.#options.kube.patch(leases, held, { spec });
      return true;
    });
    this.#options.log.info({}, 'released leadership');
  }

  /** Until a renewal must have succeeded. */
  #timeLeft(): Millis {
    const deadline = this.#validUntil - this.#timings.lease + this.#timings.renewDeadline;
    return Math.max(0, deadline - this.#options.clock.monotonic());
  }

  #lose(): 'lost' {
    this.#forget();
    this.#options.log.error({}, 'lost leadership');
    return 'lost';
  }

  #forget(): void {
    this.#held = undefined;
    this.#validUntil = Number.NEGATIVE_INFINITY;
    this.#options.metrics.leading.set({ name: this.#options.lease.name }, 0);
  }

  /** Runs one exchange; false when it failed in a way that may pass. */
  async #attempt(exchange: () => Promise<boolean>): Promise<boolean> {
    try {
      return await exchange();
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      this.#options.log.warn({ err: error, code: error.code }, 'talking to the leader lease failed');
      return false;
    }
  }

  async #tryAcquire(): Promise<boolean> {
    const { kube, lease: key, clock } = this.#options;
    const sentAt = clock.monotonic();
    const found = await kube.get(leases, key);
    if (found === undefined) {
      const metadata = { ...key };
      const spec = this.#claim(undefined);
      const lease = { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', metadata, spec };
      return this.#hasTaken(await kube.create(leases, lease), sentAt);
    }
    if (!this.#isFree(found)) return false;
    return this.#hasTaken(await kube.patch(leases, found, { spec: this.#claim(found) }), sentAt);
  }

  async #tryRenew(): Promise<boolean> {
    const { kube, clock, lease: key } = this.#options;
    if (this.#held === undefined) return false;
    const sentAt = clock.monotonic();
    const spec = { renewTime: microTime(clock.now()) };
    try {
      return this.#hasTaken(await kube.patch(leases, this.#held, { spec }), sentAt);
    } catch (error) {
      if (!hasCode(error, 'kube.conflict', 'kube.not-found')) throw error;
    }
    // Changed behind our back: by an answer of ours that got lost, or by somebody who took over.
    const found = await kube.get(leases, key);
    if (found?.spec?.holderIdentity === this.#options.identity) {
      this.#held = found;
      return false;
    }
    this.#held = undefined;
    return false;
  }

  #hasTaken(lease: Lease, sentAt: Millis): true {
    this.#held = lease;
    this.#validUntil = sentAt + this.#timings.lease;
    return true;
  }

  /** Nobody holds it, we do, or its holder has not renewed it while we watched. */
  #isFree(lease: Lease): boolean {
    const { holderIdentity = '', leaseDurationSeconds = this.#timings.lease / 1000 } = lease.spec ?? {};
    const now = this.#options.clock.monotonic();
    const version = lease.metadata.resourceVersion;
    if (this.#observed?.version !== version) this.#observed = { version, at: now };
    const hasRunOut = now - this.#observed.at >= leaseDurationSeconds * 1000;
    return holderIdentity === '' || holderIdentity === this.#options.identity || hasRunOut;
  }

  #claim(before: Lease | undefined): NonNullable<Lease['spec']> {
    const now = microTime(this.#options.clock.now());
    return {
      holderIdentity: this.#options.identity,
      leaseDurationSeconds: Math.ceil(this.#timings.lease / 1000),
      acquireTime: now,
      renewTime: now,
      leaseTransitions: (before?.spec?.leaseTransitions ?? -1) + 1,
    };
  }
}

/** metav1.MicroTime: exactly six digits, or the API server refuses it. */
export function microTime(at: Instant): string {
  return new Date(at).toISOString().replace(/Z$/, '000Z');
}
