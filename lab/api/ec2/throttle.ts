/** EC2's request throttling: one token bucket per action, of the documented sizes. Off until the `throttle` fault is set. */
import { CloudError } from '../../world/cloud-error.ts';
import type { Faults } from '../../world/faults.ts';

interface BucketSize {
  /** Calls that can be made at once. */
  readonly burst: number;
  /** Calls that come back each second. */
  readonly perSecond: number;
}

/** https://docs.aws.amazon.com/ec2/latest/devguide/ec2-api-throttling.html */
const SIZES: Readonly<Record<string, BucketSize>> = {
  RunInstances: { burst: 5, perSecond: 2 },
  StartInstances: { burst: 5, perSecond: 2 },
  TerminateInstances: { burst: 100, perSecond: 5 },
  CreateTags: { burst: 100, perSecond: 10 },
};
const READ: BucketSize = { burst: 100, perSecond: 20 };
const OTHER: BucketSize = { burst: 50, perSecond: 5 };

/** Buckets are full when the fault is switched on; `now` is in milliseconds. */
export class Throttle {
  readonly #faults: Faults;
  readonly #now: () => number;
  readonly #buckets = new Map<string, { tokens: number; at: number }>();

  constructor(faults: Faults, now: () => number) {
    this.#faults = faults;
    this.#now = now;
  }

  /** Takes one call from its bucket. @throws CloudError RequestLimitExceeded */
  admit(action: string): void {
    const fault = this.#faults.active('throttle');
    if (!fault) {
      this.#buckets.clear();
      return;
    }
    const size = SIZES[action] ?? (/^(Describe|Get)/.test(action) ? READ : OTHER);
    const burst = Math.max(1, size.burst * fault.scale);
    const now = this.#now();
    const bucket = this.#buckets.get(action) ?? { tokens: burst, at: now };
    const refilled = bucket.tokens + ((now - bucket.at) / 1000) * size.perSecond * fault.scale;
    const tokens = Math.min(burst, refilled);
    this.#buckets.set(action, { tokens: tokens >= 1 ? tokens - 1 : tokens, at: now });
    if (tokens < 1) throw new CloudError('RequestLimitExceeded', 'Request limit exceeded.', 503);
  }
}
