/** Shows the table: repainted in place on a terminal, one line per change elsewhere. */
import type { Row } from './progress.ts';
import { changedRows, rowLine, tableLines } from './progress.ts';

const plainWidth = 200;

/** Remembers what was shown; on a terminal it repaints, elsewhere it prints what has changed. */
export class Screen {
  readonly #out: NodeJS.WriteStream;
  #painted = 0;
  #rows: readonly Row[] = [];

  constructor(out: NodeJS.WriteStream) {
    this.#out = out;
  }

  /** Replaces what was shown before. */
  show(rows: readonly Row[]): void {
    if (this.#out.isTTY) this.#repaint(tableLines(rows, this.#out.columns));
    else for (const row of changedRows(rows, this.#rows)) this.#out.write(`${rowLine(row, plainWidth)}\n`);
    this.#rows = rows;
  }

  #repaint(lines: readonly string[]): void {
    // Up to the first line of the table, then clear to the end of the screen.
    const home = this.#painted > 0 ? `\u001B[${this.#painted}A` : '';
    this.#out.write(`${home}\u001B[0J${lines.join('\n')}\n`);
    this.#painted = lines.length;
  }
}
