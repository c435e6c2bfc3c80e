/** At most so many things at once, in the order they came. */

/** A gate. Interface changes take one kernel lock, so many launches at once make all of them late instead of most early. */
export class Limiter {
  readonly #limit: number;
  readonly #waiting: (() => void)[] = [];
  #running = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  async run<T>(task: () => Promise<T>): Promise<T> {
    if (this.#running >= this.#limit) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    else this.#running += 1;
    try {
      return await task();
    } finally {
      const next = this.#waiting.shift();
      // The place is handed on, not freed: a newcomer cannot slip in between.
      if (next) next();
      else this.#running -= 1;
    }
  }
}
