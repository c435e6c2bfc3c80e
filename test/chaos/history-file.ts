/** A history that is kept in a file as it is recorded, so that a run that dies leaves what it saw. */
import { appendFileSync } from 'node:fs';
import { formatEvent, type HistoryEvent } from './history.ts';

/** Lines are written together, as clients must not wait for a disk. */
const linesPerWrite = 500;

export class HistoryFile {
  readonly path: string;
  readonly #events: HistoryEvent[] = [];
  #written = 0;

  /** In a folder that exists. */
  constructor(file: string) {
    this.path = file;
  }

  /** In the order in which they were recorded. */
  get events(): readonly HistoryEvent[] {
    return this.#events;
  }

  readonly record = (event: HistoryEvent): void => {
    this.#events.push(event);
    if (this.#events.length - this.#written >= linesPerWrite) this.flush();
  };

  flush(): void {
    const lines = this.#events.slice(this.#written).map(formatEvent);
    appendFileSync(this.path, lines.join(''));
    this.#written = this.#events.length;
  }
}
