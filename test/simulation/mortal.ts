/** A controller's process in a simulation: it can be killed or paused, and then none of its calls go out or come back. */
import type { Clock, Millis } from '../../controller/base/clock.ts';

/** Thrown where the process dies. */
export class Killed extends Error {}

export class MortalProcess {
  #state: 'Running' | 'Paused' | 'Dead' = 'Running';
  #waiting: (() => void)[] = [];
  /** How far the clock on the wall of its machine is ahead. */
  readonly #skew: Millis;

  constructor(skew: Millis = 0) {
    this.#skew = skew;
  }

  #armed: { readonly method: string; left: number; readonly end: () => void } | undefined;
  /** Told of every call of a method before it goes out. */
  onCall: (method: string) => void = () => undefined;

  /** Calls `end` instead of the n-th call of a method; after a pause the call still goes out. */
  arm(method: string, count: number, end: () => void): void {
    this.#armed = { method, left: count, end };
  }

  get isRunning(): boolean {
    return this.#state === 'Running';
  }

  /** Ends it here and now: what it had sent happens, and it learns of nothing. @throws Killed */
  kill(): never {
    this.#state = 'Dead';
    throw new Killed();
  }

  /** It stands still, as a stopped process or one without processor time. */
  pause(): void {
    if (this.#state === 'Running') this.#state = 'Paused';
  }

  resume(): void {
    if (this.#state !== 'Paused') return;
    this.#state = 'Running';
    for (const wake of this.#waiting.splice(0)) wake();
  }

  /**
   * The port as this process uses it: every method waits while the process stands still, and for ever when it is dead.
   * `onTheWay` is awaited between the call and its effect.
   */
  wrap<Port extends object>(port: Port, onTheWay: () => Promise<void> = async () => undefined): Port {
    return new Proxy(port, {
      get: (target, name) => {
        const member: unknown = Reflect.get(target, name);
        if (typeof member !== 'function') return member;
        return async (...args: readonly unknown[]) => {
          this.#count(name);
          await this.#turn();
          await onTheWay();
          const [result] = await Promise.allSettled([Reflect.apply(member, target, args) as unknown]);
          await this.#turn();
          if (result.status === 'rejected') throw result.reason;
          return result.value;
        };
      },
    });
  }

  wrapClock(clock: Clock): Clock {
    return {
      now: () => clock.now() + this.#skew,
      monotonic: () => clock.monotonic(),
      sleep: async (ms, signal) => {
        this.#count('sleep');
        await this.#turn();
        const [result] = await Promise.allSettled([clock.sleep(ms, signal)]);
        await this.#turn();
        if (result.status === 'rejected') throw result.reason;
      },
    };
  }

  #count(method: string | symbol): void {
    if (this.isRunning) this.onCall(String(method));
    if (this.#armed?.method !== method) return;
    this.#armed.left -= 1;
    if (this.#armed.left > 0) return;
    const { end } = this.#armed;
    this.#armed = undefined;
    try {
      end();
    } catch (error) {
      // Dead as it is, its call waits for ever.
      if (!(error instanceof Killed)) throw error;
    }
  }

  async #turn(): Promise<void> {
    if (this.#state === 'Running') return;
    await new Promise<void>((resolve) => {
      this.#waiting.push(resolve);
    });
    await this.#turn();
  }
}
