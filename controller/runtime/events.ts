/** Writes Kubernetes Events: the same one counted rather than repeated, and never a stream of them. */

import type { EventNote } from '../api/event-notes.ts';
import type { AnyObject } from '../api/meta.ts';
import type { Resource } from '../api/resource.ts';
import type { Clock, Millis } from '../base/clock.ts';
import { AppError, hasCode } from '../base/errors.ts';
import type { Logger } from '../base/log.ts';
import { cutText } from '../base/text.ts';
import type { Events, Kube } from '../kube/port.ts';
import { Correlator, type Occurrence } from './correlator.ts';
import { microTime } from './leader.ts';
import type { Metrics } from './metrics.ts';

interface Event extends AnyObject {
  readonly regarding: Readonly<Record<string, string>>;
  readonly eventTime: string;
  readonly type: 'Normal' | 'Warning';
  readonly reason: string;
  readonly note: string;
  readonly action: string;
  readonly reportingController: string;
  readonly reportingInstance: string;
  readonly series?: { readonly count: number; readonly lastObservedTime: string };
}

export const events: Resource<Event> = {
  group: 'events.k8s.io',
  version: 'v1',
  kind: 'Event',
  plural: 'events',
  scope: 'Namespaced',
};

export interface RecorderOptions {
  readonly kube: Kube;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: Metrics;
  /** Which process says so: the pod's name. */
  readonly instance: string;
}

const reportingController = 'ridgeline.dev/controller';
const noteLimit = 1024;
/** Waiting to be written; more are dropped, because an API server in trouble needs no events about it. */
const backlogLimit = 1_000;
/** A written event is counted up for this long, then the server has forgotten it. */
const writtenLifetime: Millis = 50 * 60_000;
const writtenLimit = 4_096;

/** Returns at once; events that cannot be written are counted as dropped. */
export class Recorder implements Events {
  readonly #options: RecorderOptions;
  readonly #correlator: Correlator;
  readonly #written = new Map<string, { readonly event: Event; readonly at: Millis }>();
  readonly #backlog: Occurrence[] = [];
  #writing: Promise<void> | undefined;
  #serial = 0;

  constructor(options: RecorderOptions) {
    this.#options = options;
    this.#correlator = new Correlator(options.clock);
  }

  normal(about: AnyObject, reason: string, message: string): void {
    this.#record({ about, type: 'Normal', reason, message });
  }

  warning(about: AnyObject, reason: string, message: string): void {
    this.#record({ about, type: 'Warning', reason, message });
  }

  tell(about: AnyObject, notes: readonly EventNote[]): void {
    for (const note of notes) this.#record({ about, ...note });
  }

  /** Resolves when everything recorded so far is written or given up. */
  async flush(): Promise<void> {
    await this.#writing;
  }

  #record(happened: Omit<Occurrence, 'count' | 'id'>): void {
    const occurrence = this.#correlator.admit(happened);
    if (occurrence === 'repeated') return;
    if (occurrence === 'too-many' || this.#backlog.length >= backlogLimit) {
      this.#options.metrics.eventsDropped.inc();
      return;
    }
    this.#backlog.push(occurrence);
    this.#writing ??= this.#drain().finally(() => {
      this.#writing = undefined;
    });
  }

  async #drain(): Promise<void> {
    for (let next = this.#backlog.shift(); next !== undefined; next = this.#backlog.shift()) {
      try {
        await this.#write(next);
      } catch (error) {
        if (!(error instanceof AppError)) throw error;
        this.#options.metrics.eventsDropped.inc();
        // In a namespace that is going away nobody can be told anything, and nobody needs to be.
        const level = error.message.includes('being terminated') ? 'debug' : 'warn';
        this.#options.log[level](
          { err: error, code: error.code, reason: next.reason },
          'writing an event failed',
        );
      }
    }
  }

  async #write(occurrence: Occurrence): Promise<void> {
    const { kube, clock } = this.#options;
    const known = this.#written.get(occurrence.id);
    const isCurrent = known !== undefined && clock.monotonic() - known.at < writtenLifetime;
    const event =
      (isCurrent && (await this.#count(known.event, occurrence))) ||
      (await kube.create(events, this.#describe(occurrence)));
    this.#written.delete(occurrence.id);
    this.#written.set(occurrence.id, { event, at: clock.monotonic() });
    for (const oldest of this.#written.keys()) {
      if (this.#written.size <= writtenLimit) break;
      this.#written.delete(oldest);
    }
  }

  /** Counts the written event up; undefined when it is gone or somebody else changed it. */
  async #count(event: Event, occurrence: Occurrence): Promise<Event | undefined> {
    const series = { count: occurrence.count, lastObservedTime: microTime(this.#options.clock.now()) };
    try {
      return await this.#options.kube.patch(events, event, { series });
    } catch (error) {
      if (hasCode(error, 'kube.not-found', 'kube.conflict')) return undefined;
      throw error;
    }
  }

  #describe({ about, type, reason, message }: Occurrence): Omit<Event, 'metadata'> & {
    readonly metadata: { readonly name: string; readonly namespace: string };
  } {
    const { name, namespace, uid, resourceVersion } = about.metadata;
    const now = this.#options.clock.now();
    this.#serial += 1;
    const suffix = `${now.toString(16)}${(this.#serial % 4096).toString(16).padStart(3, '0')}`;
    return {
      apiVersion: 'events.k8s.io/v1',
      kind: 'Event',
      // Events about cluster-scoped objects live in `default`, where kubectl looks for them.
      metadata: { name: `${name.slice(0, 230)}.${suffix}`, namespace: namespace ?? 'default' },
      regarding: {
        apiVersion: about.apiVersion,
        kind: about.kind,
        name,
        uid,
        resourceVersion,
        ...(namespace !== undefined && { namespace }),
      },
      eventTime: microTime(now),
      type,
      reason,
      note: cutText(message, noteLimit),
      action: 'Reconcile',
      reportingController,
      reportingInstance: this.#options.instance.slice(0, 128),
    };
  }
}
