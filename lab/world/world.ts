/** The cloud's memory in one process: state, journal, events, and the clock that stamps them. */
import { Draft } from './draft.ts';
import { Journal } from './journal.ts';
import type { Region } from './model.ts';
import { apply, type Entry, type Event, type State } from './state.ts';

/** Events kept in memory for /_lab/events; older ones are in the journal's files only. */
const EVENTS_KEPT = 50_000;

export interface WorldOptions {
  /** Folder of the journal; made if missing. */
  readonly dir: string;
  readonly region: Region;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
}

/** What happened, told with the writes of a draft. */
export interface Happening {
  readonly name: string;
  readonly subject: string;
  readonly detail?: Readonly<Record<string, unknown>>;
}

type CommitListener = (entry: Entry) => void;

/** Opening replays the journal; the folder belongs to one process at a time. */
export class World {
  readonly region: Region;
  /** Read it freely, change it only by `commit`. Records are never changed in place. */
  readonly state: State;
  readonly now: () => number;
  readonly #journal: Journal;
  readonly #events: Event[];
  readonly #listeners: CommitListener[] = [];
  #seq: number;

  constructor(options: WorldOptions) {
    const { journal, recovered } = Journal.open(options.dir);
    this.region = options.region;
    this.now = options.now;
    this.state = recovered.state;
    this.#journal = journal;
    this.#seq = recovered.seq;
    this.#events = recovered.entries.map(toEvent);
  }

  /** An empty change over the present state. */
  draft(): Draft {
    return new Draft(this.state, this.region.accountId, this.now());
  }

  /** Journals the draft, then applies it. All or nothing: when the disk is full nothing has happened. */
  commit(draft: Draft, happening: Happening): void {
    const entry: Entry = { seq: this.#seq + 1, at: draft.now, ...happening, writes: draft.writes };
    this.#journal.append(entry);
    this.#seq = entry.seq;
    apply(this.state, entry.writes);
    this.#events.push(toEvent(entry));
    if (this.#events.length > EVENTS_KEPT * 1.1) this.#events.splice(0, this.#events.length - EVENTS_KEPT);
    this.#journal.compact(this.state, this.#seq);
    for (const listener of this.#listeners) listener(entry);
  }

  /** Notes something that left no record here, e.g. an object in S3. */
  note(happening: Happening): void {
    this.commit(this.draft(), happening);
  }

  /** Called after each commit, in order. */
  onCommit(listener: CommitListener): void {
    this.#listeners.push(listener);
  }

  /** Events with a sequence number above `after`, oldest first. */
  events(after: number, limit: number): readonly Event[] {
    const start = this.#events.findIndex((event) => event.seq > after);
    return start < 0 ? [] : this.#events.slice(start, start + limit);
  }

  close(): void {
    this.#journal.close();
  }
}

function toEvent({ seq, at, name, subject, detail }: Event): Event {
  return detail === undefined ? { seq, at, name, subject } : { seq, at, name, subject, detail };
}
