/** What an impaired network does to packets: lose, double, slow down, delay and overtake, by one rule. Pure. */
import type { Impairment } from '../world/runtime.ts';

/** Above its rate a network lets packets wait for so long, and loses those that would wait longer. */
const longestWait = 1_000;
/** How long a packet is held that others shall overtake. */
const overtaken = 20;

/** Applies one rule to a stream of packets. `random` answers numbers from 0 to below 1. */
export class Shaper {
  readonly #rule: Impairment;
  readonly #random: () => number;
  /** When the wire is free again, and when the last packet that keeps its place arrives. */
  #free = 0;
  #last = 0;

  constructor(rule: Impairment, random: () => number) {
    this.#rule = rule;
    this.#random = random;
  }

  /** When a packet of this size that is sent now arrives: not at all, once, or twice. Milliseconds. */
  arrivals(now: number, bytes: number): readonly number[] {
    const { loss = 0, duplicate = 0 } = this.#rule;
    if (this.#strikes(loss)) return [];
    const count = this.#strikes(duplicate) ? 2 : 1;
    return Array.from({ length: count }, () => this.#arrival(now, bytes)).filter((at) => at !== undefined);
  }

  #arrival(now: number, bytes: number): number | undefined {
    const { delayMs = 0, jitterMs = 0, reorder = 0, bitsPerSecond } = this.#rule;
    const sent = bitsPerSecond === undefined ? now : this.#queue(now, (bytes * 8_000) / bitsPerSecond);
    if (sent === undefined) return undefined;
    const arrival = Math.max(this.#last, sent + delayMs + jitterMs * this.#random());
    if (this.#strikes(reorder)) return arrival + overtaken;
    this.#last = arrival;
    return arrival;
  }

  /** When its last bit is on the wire; undefined when too many are before it. */
  #queue(now: number, duration: number): number | undefined {
    const begin = Math.max(now, this.#free);
    if (begin - now > longestWait) return undefined;
    this.#free = begin + duration;
    return this.#free;
  }

  #strikes(percent: number): boolean {
    return percent > 0 && this.#random() * 100 < percent;
  }
}

/** The rule for packets between two addresses: one that names both, else one that names either. */
export function ruleFor(rules: readonly Impairment[], from: string, to: string): Impairment | undefined {
  const matching = rules.filter(
    (rule) => (rule.from === from || rule.from === '*') && (rule.to === to || rule.to === '*'),
  );
  return matching.find((rule) => rule.from === from && rule.to === to) ?? matching[0];
}
