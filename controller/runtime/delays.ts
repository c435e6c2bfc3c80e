/** Keys that wait for a moment: a binary heap with one entry per key, earliest first. */
import type { Millis } from '../base/clock.ts';

interface Node {
  readonly at: Millis;
  readonly key: string;
}

/** Times are monotonic. The owner asks for what is due; no timer runs here. */
export class Delays {
  readonly #heap: Node[] = [];
  /** The moment each key really waits for; heap nodes that disagree are leftovers. */
  readonly #due = new Map<string, Millis>();

  /** The earlier moment wins when the key already waits. */
  add(key: string, at: Millis): void {
    const before = this.#due.get(key);
    if (before !== undefined && before <= at) return;
    this.#due.set(key, at);
    this.#push({ at, key });
  }

  remove(key: string): void {
    this.#due.delete(key);
  }

  has(key: string): boolean {
    return this.#due.has(key);
  }

  /** When the next key is due. */
  next(): Millis | undefined {
    this.#dropLeftovers();
    return this.#heap[0]?.at;
  }

  /** Takes out the keys due at `now`, earliest first. */
  takeDue(now: Millis): readonly string[] {
    const taken: string[] = [];
    for (let at = this.next(); at !== undefined && at <= now; at = this.next()) {
      const { key } = this.#pop();
      this.#due.delete(key);
      taken.push(key);
    }
    return taken;
  }

  #dropLeftovers(): void {
    for (
      let top = this.#heap[0];
      top !== undefined && this.#due.get(top.key) !== top.at;
      top = this.#heap[0]
    ) {
      this.#pop();
    }
  }

  #push(node: Node): void {
    let index = this.#heap.length;
    this.#heap.push(node);
    while (index > 0) {
      const parent = (index - 1) >> 1;
      if (this.#at(parent).at <= node.at) break;
      this.#heap[index] = this.#at(parent);
      index = parent;
    }
    this.#heap[index] = node;
  }

  #pop(): Node {
    const top = this.#at(0);
    const last = this.#heap.pop() ?? top;
    if (this.#heap.length > 0) this.#sink(last);
    return top;
  }

  #sink(node: Node): void {
    let index = 0;
    for (let child = 1; child < this.#heap.length; child = 2 * index + 1) {
      if (child + 1 < this.#heap.length && this.#at(child + 1).at < this.#at(child).at) child += 1;
      if (this.#at(child).at >= node.at) break;
      this.#heap[index] = this.#at(child);
      index = child;
    }
    this.#heap[index] = node;
  }

  #at(index: number): Node {
    const node = this.#heap[index];
    if (node === undefined) throw new RangeError(`no heap node ${index}`);
    return node;
  }
}
