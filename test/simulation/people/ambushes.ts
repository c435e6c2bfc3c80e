/** What waits for the controller to pass a place, a failpoint or a call, or for a client to be told of a write. */

interface Ambush {
  readonly place: string;
  readonly act: () => void;
  /** So many times it is passed by before. */
  left: number;
}

/** Where a client has just been told that its write is committed. */
export const acknowledged = 'a write is acknowledged';

export class Ambushes {
  #waiting: readonly Ambush[] = [];

  /** Calls `act` when the place is passed for the n-th time from now on, by whatever process. */
  set(place: string, count: number, act: () => void): void {
    this.#waiting = [...this.#waiting, { place, act, left: count }];
  }

  pass(place: string): void {
    if (this.#waiting.length === 0) return;
    const here = this.#waiting.filter((one) => one.place === place);
    for (const one of here) one.left -= 1;
    const due = here.filter(({ left }) => left === 0);
    if (due.length === 0) return;
    this.#waiting = this.#waiting.filter((one) => !due.includes(one));
    for (const { act } of due) act();
  }

  /** Nobody waits any more. */
  clear(): void {
    this.#waiting = [];
  }
}
