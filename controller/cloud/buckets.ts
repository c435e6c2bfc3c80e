/** Client-side rate limits: half of AWS's documented defaults, so that others in the account survive us. */
import type { Clock, Millis } from '../base/clock.ts';
import { AppError } from '../base/errors.ts';

/** Tokens per second, and how many may be spent at once. */
interface Rate {
  readonly perSecond: number;
  readonly burst: number;
}

/** Requests by operation; operations not listed are reads and share one bucket. */
const requestRates: Readonly<Record<string, Rate>> = {
  RunInstances: { perSecond: 1, burst: 3 },
  TerminateInstances: { perSecond: 2.5, burst: 50 },
  StopInstances: { perSecond: 2.5, burst: 50 },
  StartInstances: { perSecond: 2.5, burst: 50 },
  CreateTags: { perSecond: 5, burst: 50 },
  ChangeResourceRecordSets: { perSecond: 2.5, burst: 5 },
  // S3 answers thousands a second, and every machine that boots is waited for here.
  GetObject: { perSecond: 1_000, burst: 1_000 },
};
const readRate: Rate = { perSecond: 10, burst: 50 };

/** Machines by operation: AWS's own limits, not halved, or a large scale-out would crawl. */
const resourceRates: Readonly<Record<string, Rate>> = {
  RunInstances: { perSecond: 2, burst: 1000 },
  TerminateInstances: { perSecond: 20, burst: 1000 },
};

/** A throttled bucket slows to no less than this share of its rate … */
const slowest = 0.1;
/** … and regains this share of it … */
const recovery = 0.1;
/** … for each calm span of this length. */
const calm: Millis = 10_000;

/** One token bucket that halves its rate when AWS throttles and recovers step by step. */
export class TokenBucket {
  readonly #clock: Clock;
  readonly #rate: Rate;
  #tokens: number;
  #share = 1;
  #filledAt: Millis;
  #steppedAt: Millis;

  constructor(clock: Clock, rate: Rate) {
    this.#clock = clock;
    this.#rate = rate;
    this.#tokens = rate.burst;
    this.#filledAt = clock.monotonic();
    this.#steppedAt = this.#filledAt;
  }

  /** Reserves `cost` tokens and says how long to wait for them; takes none when that is over `limit`. */
  reserve(cost: number, limit: Millis): Millis | undefined {
    this.#fill();
    const missing = cost - this.#tokens;
    const wait = missing <= 0 ? 0 : (missing / (this.#rate.perSecond * this.#share)) * 1_000;
    if (wait > limit) return undefined;
    this.#tokens -= cost;
    return wait;
  }

  /** AWS throttled a call: nothing is left to spend, and tokens come at half the rate. */
  throttled(): void {
    this.#fill();
    this.#tokens = Math.min(this.#tokens, 0);
    this.#share = Math.max(slowest, this.#share / 2);
    this.#steppedAt = this.#clock.monotonic();
  }

  #fill(): void {
    const now = this.#clock.monotonic();
    const perMs = (this.#rate.perSecond * this.#share) / 1_000;
    this.#tokens = Math.min(this.#rate.burst, this.#tokens + (now - this.#filledAt) * perMs);
    this.#filledAt = now;
    const steps = Math.floor((now - this.#steppedAt) / calm);
    this.#share = Math.min(1, this.#share + steps * recovery);
    this.#steppedAt += steps * calm;
  }
}

/** The buckets of one account and region. */
export class Buckets {
  readonly #clock: Clock;
  readonly #buckets = new Map<string, TokenBucket>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Waits for this call's place; fails with `cloud.throttled` when that would take longer than `limit`. */
  async take(operation: string, resources: number, limit: Millis): Promise<void> {
    const waits = this.#of(operation).map(({ bucket, cost }) => bucket.reserve(cost ?? resources, limit));
    if (waits.includes(undefined)) {
      throw new AppError('cloud.throttled', `our own rate limit for ${operation} is used up`, {
        fields: { operation },
      });
    }
    const wait = Math.max(...waits.map((each) => each ?? 0));
    if (wait > 0) await this.#clock.sleep(wait);
  }

  throttled(operation: string): void {
    for (const { bucket } of this.#of(operation)) bucket.throttled();
  }

  #of(operation: string): readonly { readonly bucket: TokenBucket; readonly cost?: number }[] {
    const request = requestRates[operation];
    const resource = resourceRates[operation];
    return [
      { bucket: this.#bucket(request === undefined ? 'reads' : operation, request ?? readRate), cost: 1 },
      ...(resource === undefined ? [] : [{ bucket: this.#bucket(`${operation} machines`, resource) }]),
    ];
  }

  #bucket(name: string, rate: Rate): TokenBucket {
    const bucket = this.#buckets.get(name) ?? new TokenBucket(this.#clock, rate);
    this.#buckets.set(name, bucket);
    return bucket;
  }
}
