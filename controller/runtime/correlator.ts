/** Decides which events are worth writing, with the numbers of client-go's correlator and Karpenter's recorder. */
import type { AnyObject } from '../api/meta.ts';
import type { Clock, Millis } from '../base/clock.ts';

/** Something that happened and may become an event. */
export interface Occurrence {
  readonly about: AnyObject;
  readonly type: 'Normal' | 'Warning';
  readonly reason: string;
  readonly message: string;
  /** Same for occurrences that share one Event object. */
  readonly id: string;
  /** How often it happened so far, this time included. */
  readonly count: number;
}

/** Per object, and for warnings apart from normal events: this many at once, */
const burst = 25;
/** and then one in this long. */
const refill: Millis = 300_000;
/** This many different messages with one reason within `similarWindow` collapse into one event. */
const similarLimit = 10;
const similarWindow: Millis = 600_000;
/** The same event again within this long is only counted. */
const quiet: Millis = 120_000;
/** Objects and events remembered; the least recently seen are forgotten first. */
const memory = 4_096;

interface Bucket {
  tokens: number;
  at: Millis;
}

interface Similar {
  readonly since: Millis;
  readonly messages: Set<string>;
}

interface Seen {
  count: number;
  writtenAt: Millis;
}

/** Decides only; whoever calls writes. Its memory is bounded and lost with the process. */
export class Correlator {
  readonly #clock: Clock;
  readonly #buckets = new Map<string, Bucket>();
  readonly #similar = new Map<string, Similar>();
  readonly #seen = new Map<string, Seen>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** The occurrence to write; `repeated` when it was just written; `too-many` when the object has used up its share for this type. */
  admit(happened: Omit<Occurrence, 'count' | 'id'>): Occurrence | 'repeated' | 'too-many' {
    const now = this.#clock.monotonic();
    const { about, type, reason } = happened;
    const object = about.metadata.uid;
    const kind = `${object}\n${type}\n${reason}`;
    const collapsed = this.#isCrowded(kind, happened.message, now);
    const id = collapsed ? `${kind}\n*` : `${kind}\n${happened.message}`;
    const seen = recallOrCreate(this.#seen, id, () => ({ count: 0, writtenAt: Number.NEGATIVE_INFINITY }));
    seen.count += 1;
    if (now - seen.writtenAt < quiet) return 'repeated';
    if (!this.#takeToken(`${object}\n${type}`, now)) return 'too-many';
    seen.writtenAt = now;
    const message = collapsed ? `(combined from similar events) ${happened.message}` : happened.message;
    return { ...happened, message, id, count: seen.count };
  }

  #isCrowded(kind: string, message: string, now: Millis): boolean {
    let similar = recallOrCreate(this.#similar, kind, () => ({ since: now, messages: new Set<string>() }));
    if (now - similar.since > similarWindow) {
      similar = { since: now, messages: new Set() };
      this.#similar.set(kind, similar);
    }
    if (similar.messages.size < similarLimit) similar.messages.add(message);
    return !similar.messages.has(message);
  }

  #takeToken(share: string, now: Millis): boolean {
    const bucket = recallOrCreate(this.#buckets, share, () => ({ tokens: burst, at: now }));
    bucket.tokens = Math.min(burst, bucket.tokens + (now - bucket.at) / refill);
    bucket.at = now;
    if (bucket.tokens < 1) return false;
    bucket.tokens -= 1;
    return true;
  }
}

/** The remembered value, or a new one; forgets the least recently asked for. */
function recallOrCreate<T>(remembered: Map<string, T>, key: string, create: () => T): T {
  const value = remembered.get(key) ?? create();
  remembered.delete(key);
  remembered.set(key, value);
  for (const oldest of remembered.keys()) {
    if (remembered.size <= memory) break;
    remembered.delete(oldest);
  }
  return value;
}
