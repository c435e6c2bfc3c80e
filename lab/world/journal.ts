/** The journal on disk: a snapshot and the entries since, so state survives the death of the process. */
import {
  closeSync,
  existsSync,
  fstatSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { apply, dump, type Entry, emptyState, type State, type Write } from './state.ts';

/** Entries after which the journal is folded into the snapshot. */
const COMPACT_AFTER = 20_000;

/** What was on disk when the journal was opened. */
export interface Recovered {
  readonly state: State;
  /** Sequence number of the newest entry in it. */
  readonly seq: number;
  /** Entries that were still in the log, oldest first. */
  readonly entries: readonly Entry[];
}

/**
 * Appends each entry with one write before it counts. That survives a kill of the process, not a power cut of the
 * machine: the lab's hosts would not survive it either.
 */
export class Journal {
  readonly #snapshotFile: string;
  readonly #logFile: string;
  #log: number;
  #entries: number;

  /** Opens the journal in `dir` (made if missing); a line cut off by a crash is dropped. Throws on a damaged file. */
  static open(dir: string): { readonly journal: Journal; readonly recovered: Recovered } {
    mkdirSync(dir, { recursive: true });
    const snapshotFile = join(dir, 'snapshot.json');
    const logFile = join(dir, 'journal.jsonl');
    const snapshot = readSnapshot(snapshotFile);
    const state = emptyState();
    apply(state, snapshot.writes);
    const entries = readLog(logFile);
    let seq = snapshot.seq;
    for (const entry of entries) {
      if (entry.seq <= seq) continue;
      apply(state, entry.writes);
      seq = entry.seq;
    }
    return {
      journal: new Journal(snapshotFile, logFile, entries.length),
      recovered: { state, seq, entries },
    };
  }

  private constructor(snapshotFile: string, logFile: string, entries: number) {
    this.#snapshotFile = snapshotFile;
    this.#logFile = logFile;
    this.#log = openSync(logFile, 'a');
    this.#entries = entries;
  }

  /** Makes `entry` durable, or throws (disk full) and leaves the file as it was. */
  append(entry: Entry): void {
    const line = Buffer.from(`${JSON.stringify(entry)}\n`);
    const before = fstatSync(this.#log).size;
    try {
      for (let written = 0; written < line.length; ) written += writeSync(this.#log, line, written);
    } catch (error) {
      ftruncateSync(this.#log, before);
      throw error;
    }
    this.#entries += 1;
  }

  /** Folds the log into a new snapshot of `state` at `seq` once it has grown long enough. */
  compact(state: State, seq: number): void {
    if (this.#entries < COMPACT_AFTER) return;
    const temporary = `${this.#snapshotFile}.new`;
    writeFileSync(temporary, JSON.stringify({ seq, writes: dump(state) }));
    // A crash between the two renames is harmless: entries up to the snapshot's seq are skipped.
    renameSync(temporary, this.#snapshotFile);
    closeSync(this.#log);
    renameSync(this.#logFile, `${this.#logFile}.old`);
    this.#log = openSync(this.#logFile, 'a');
    this.#entries = 0;
  }

  close(): void {
    closeSync(this.#log);
  }
}

function readSnapshot(file: string): { readonly seq: number; readonly writes: readonly Write[] } {
  if (!existsSync(file)) return { seq: 0, writes: [] };
  return JSON.parse(readFileSync(file, 'utf8')) as { seq: number; writes: Write[] };
}

function readLog(file: string): readonly Entry[] {
  if (!existsSync(file)) return [];
  const bytes = readFileSync(file);
  const whole = bytes.lastIndexOf(0x0a) + 1;
  if (whole < bytes.length) truncateSync(file, whole);
  return bytes
    .subarray(0, whole)
    .toString('utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Entry);
}
