/** The work queue of one controller: each key at most once, never worked on twice at once, urgent keys first. */
import type { ObjectKey } from '../api/meta.ts';
import { keyText } from '../api/meta.ts';
import { noLongerNeeded } from '../base/abort.ts';
import { type Backoff, backoffDelay, type Random } from '../base/backoff.ts';
import type { Clock, Millis } from '../base/clock.ts';
import { Delays } from './delays.ts';
import type { QueueMetrics } from './metrics.ts';

/** `high` is for failover, `normal` for edits and events, `low` for the first list and other sweeps. */
export type Priority = 'high' | 'normal' | 'low';

/** How work on a key ended. */
export type Outcome =
  /** Forgets failures. Comes back after `after`, or when something is added. */
  | { readonly type: 'done'; readonly after?: Millis }
  /** Comes back after a wait that grows with each failure in a row. */
  | { readonly type: 'failed'; readonly backoff: Backoff }
  /** Comes back only when something changes. */
  | { readonly type: 'stuck' };

export interface QueueOptions {
  /** The controller's name, for metrics. */
  readonly name: string;
  readonly clock: Clock;
  readonly metrics: QueueMetrics;
  readonly random?: Random;
  /** A key that was worked on with success is not handed out again for so long, unless it is asked for afresh. */
  readonly rest?: Millis;
}

interface Ready {
  readonly priority: Priority;
  readonly since: Millis;
}

interface Entry {
  readonly key: ObjectKey;
  failures: number;
  ready?: Ready | undefined;
  workingSince?: Millis | undefined;
  /** Added while being worked on: runs again afterwards; `echo` only if the work succeeds. */
  again?: Priority | 'echo' | undefined;
  /** Added afresh while being worked on: does not rest afterwards. */
  isUrged?: boolean;
  resting?: Rest | undefined;
}

/** What happens when the rest is over. */
interface Rest {
  /** Runs again, because something was added. */
  next?: Priority | undefined;
  /** Runs again at this moment anyway. */
  readonly dueAt?: Millis;
}

interface Alarm {
  readonly at: Millis;
  readonly off: AbortController;
}

const priorities = ['high', 'normal', 'low'] as const;

/** A key that is added while it is worked on comes again afterwards. */
export class Queue {
  readonly #clock: Clock;
  readonly #metrics: QueueMetrics;
  readonly #labels: { readonly name: string; readonly controller: string };
  readonly #random: Random | undefined;
  readonly #rest: Millis;
  readonly #entries = new Map<string, Entry>();
  /** Keys in order of arrival. */
  readonly #lists: Readonly<Record<Priority, Set<string>>> = {
    high: new Set(),
    normal: new Set(),
    low: new Set(),
  };
  readonly #delays = new Delays();
  readonly #takers: ((key: ObjectKey | undefined) => void)[] = [];
  readonly #closing = new AbortController();
  #alarm: Alarm | undefined;

  constructor(options: QueueOptions) {
    this.#clock = options.clock;
    this.#metrics = options.metrics;
    this.#labels = { name: options.name, controller: options.name };
    this.#random = options.random;
    this.#rest = options.rest ?? 0;
  }

  /** Asks for work on the key now, whatever it waits for; only its rest is not disturbed, except for `high`. */
  add(key: ObjectKey, priority: Priority = 'normal'): void {
    const entry = this.#open(key);
    if (entry === undefined) return;
    this.#metrics.adds.inc(this.#labels);
    if (entry.workingSince !== undefined) entry.again = moreUrgent(entry.again, priority);
    else if (entry.resting === undefined || priority === 'high') this.#makeReady(entry, priority);
    else entry.resting.next = moreUrgent(entry.resting.next, priority);
  }

  /** Like `add`, and forgets past failures: somebody changed what is asked for. */
  addAfresh(key: ObjectKey): void {
    const entry = this.#open(key);
    if (entry !== undefined) {
      Object.assign(entry, { failures: 0, resting: undefined, isUrged: entry.workingSince !== undefined });
    }
    this.add(key);
  }

  /**
   * For a change the work on this very key caused, such as its own status write: looks once more, but never
   * cuts a wait after a failure short. Else an error message that changes each time would defeat the backoff.
   */
  addEcho(key: ObjectKey): void {
    const entry = this.#open(key);
    if (entry === undefined) return;
    if (entry.workingSince !== undefined) entry.again ??= 'echo';
    else if (entry.failures === 0) this.add(key);
  }

  /** The most urgent key, once there is one; undefined after `close`. Must be followed by `finish`. */
  take(): Promise<ObjectKey | undefined> {
    if (this.#closing.signal.aborted) return Promise.resolve(undefined);
    const entry = this.#nextReady();
    if (entry !== undefined) return Promise.resolve(this.#startWork(entry));
    return new Promise((resolve) => {
      this.#takers.push(resolve);
    });
  }

  /** Ends work on a key that was taken. */
  finish(key: ObjectKey, outcome: Outcome): void {
    const entry = this.#entries.get(keyText(key));
    if (entry?.workingSince === undefined) return;
    this.#metrics.workSeconds.observe(this.#labels, (this.#clock.monotonic() - entry.workingSince) / 1000);
    const { again, isUrged } = entry;
    entry.workingSince = undefined;
    entry.again = undefined;
    entry.isUrged = false;
    entry.failures = outcome.type === 'failed' ? entry.failures + 1 : 0;
    if (outcome.type === 'failed') this.#metrics.retries.inc(this.#labels);
    const next = followUp(again, outcome);
    const delay = this.#delayFor(entry, outcome);
    const rests = this.#rest > 0 && outcome.type === 'done' && outcome.after !== 0 && isUrged !== true;
    if (this.#closing.signal.aborted) this.#dropIfIdle(entry);
    else if (rests) this.#startRest(entry, next, delay);
    else if (next !== undefined) this.#makeReady(entry, next);
    else if (delay !== undefined) this.#delay(entry, delay);
    else this.#dropIfIdle(entry);
  }

  /** No more work is handed out or accepted. What is being worked on may finish. */
  close(): void {
    this.#closing.abort();
    this.#alarm?.off.abort(noLongerNeeded);
    for (const taker of this.#takers.splice(0)) taker(undefined);
  }

  #open(key: ObjectKey): Entry | undefined {
    if (this.#closing.signal.aborted) return undefined;
    const text = keyText(key);
    const entry = this.#entries.get(text) ?? { key, failures: 0 };
    this.#entries.set(text, entry);
    return entry;
  }

  #delayFor(entry: Entry, outcome: Outcome): Millis | undefined {
    if (outcome.type === 'failed') return backoffDelay(outcome.backoff, entry.failures, this.#random);
    return outcome.type === 'done' ? outcome.after : undefined;
  }

  #startRest(entry: Entry, next: Priority | undefined, delay: Millis | undefined): void {
    const dueAt = delay === undefined ? {} : { dueAt: this.#clock.monotonic() + delay };
    entry.resting = { next, ...dueAt };
    this.#delay(entry, Math.min(this.#rest, delay ?? this.#rest));
  }

  /** What was added meanwhile runs now; what was due later waits on. */
  #endRest(entry: Entry, { next, dueAt }: Rest): void {
    entry.resting = undefined;
    if (next !== undefined) this.#makeReady(entry, next);
    else if (dueAt !== undefined) this.#delay(entry, dueAt - this.#clock.monotonic());
    else this.#dropIfIdle(entry);
  }

  #makeReady(entry: Entry, priority: Priority): void {
    const text = keyText(entry.key);
    entry.resting = undefined;
    this.#delays.remove(text);
    const before = entry.ready;
    if (before !== undefined && moreUrgent(before.priority, priority) === before.priority) return;
    if (before !== undefined) this.#lists[before.priority].delete(text);
    entry.ready = { priority, since: before?.since ?? this.#clock.monotonic() };
    this.#lists[priority].add(text);
    this.#measureDepth(priority);
    if (before !== undefined) this.#measureDepth(before.priority);
    const taker = this.#takers.shift();
    const next = taker === undefined ? undefined : this.#nextReady();
    if (next !== undefined) taker?.(this.#startWork(next));
  }

  #nextReady(): Entry | undefined {
    for (const priority of priorities) {
      const [text] = this.#lists[priority];
      if (text !== undefined) return this.#entries.get(text);
    }
    return undefined;
  }

  #startWork(entry: Entry): ObjectKey {
    const now = this.#clock.monotonic();
    if (entry.ready !== undefined) {
      this.#lists[entry.ready.priority].delete(keyText(entry.key));
      this.#metrics.waitSeconds.observe(this.#labels, (now - entry.ready.since) / 1000);
      this.#measureDepth(entry.ready.priority);
    }
    entry.ready = undefined;
    entry.workingSince = now;
    return entry.key;
  }

  #delay(entry: Entry, ms: Millis): void {
    if (ms <= 0) {
      this.#makeReady(entry, 'normal');
      return;
    }
    this.#delays.add(keyText(entry.key), this.#clock.monotonic() + ms);
    this.#setAlarm();
  }

  /** One timer for all delayed keys, set to the earliest. */
  #setAlarm(): void {
    const at = this.#delays.next();
    if (at === undefined || this.#closing.signal.aborted) return;
    if (this.#alarm !== undefined && this.#alarm.at <= at) return;
    this.#alarm?.off.abort(noLongerNeeded);
    this.#alarm = { at, off: new AbortController() };
    void this.#sleepUntil(this.#alarm);
  }

  async #sleepUntil(alarm: Alarm): Promise<void> {
    try {
      await this.#clock.sleep(Math.max(0, alarm.at - this.#clock.monotonic()), alarm.off.signal);
    } catch (error) {
      // An earlier alarm took its place, or the queue closed.
      if (alarm.off.signal.aborted) return;
      throw error;
    }
    this.#alarm = undefined;
    this.#ring();
  }

  #ring(): void {
    for (const text of this.#delays.takeDue(this.#clock.monotonic())) {
      const entry = this.#entries.get(text);
      if (entry === undefined || this.#closing.signal.aborted) continue;
      if (entry.resting === undefined) this.#makeReady(entry, 'normal');
      else this.#endRest(entry, entry.resting);
    }
    this.#setAlarm();
  }

  #dropIfIdle(entry: Entry): void {
    if (entry.failures === 0) this.#entries.delete(keyText(entry.key));
  }

  #measureDepth(priority: Priority): void {
    this.#metrics.depth.set({ ...this.#labels, priority }, this.#lists[priority].size);
  }
}

/** What was added while the key was worked on; an echo only counts when the work succeeded. */
function followUp(again: Entry['again'], { type }: Outcome): Priority | undefined {
  if (again !== 'echo') return again;
  return type === 'done' ? 'normal' : undefined;
}

function moreUrgent(before: Priority | 'echo' | undefined, added: Priority): Priority {
  if (before === undefined || before === 'echo') return added;
  return priorities.indexOf(before) <= priorities.indexOf(added) ? before : added;
}
