/** Time as a port: code that waits or stamps takes a Clock, so tests can own time. */

/** Milliseconds since the epoch. */
export type Instant = number;
/** A span in milliseconds. */
export type Millis = number;

export interface Clock {
  /** Wall-clock time; may jump. Use it for timestamps people read. */
  now(): Instant;
  /** Time that only moves forward, from an arbitrary origin. Use it for deadlines and leases. */
  monotonic(): Millis;
  /** Resolves after `ms`; rejects with the signal's reason when it aborts first. */
  sleep(ms: Millis, signal?: AbortSignal): Promise<void>;
}

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  sleep: (ms, signal) =>
    new Promise((resolve, reject) => {
      if (signal?.aborted) {
        reject(signal.reason as Error);
        return;
      }
      const onAbort = () => {
        clearTimeout(timer);
        reject(signal?.reason as Error);
      };
      const timer = setTimeout(() => {
        signal?.removeEventListener('abort', onAbort);
        resolve();
      }, ms);
      signal?.addEventListener('abort', onAbort, { once: true });
    }),
};

/** RFC 3339 with milliseconds, as stored in status fields. */
export function timestamp(at: Instant): string {
  return new Date(at).toISOString();
}
