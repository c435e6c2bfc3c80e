/** What a verb of the command line is, and how wrong use is told. */
import type { ParseArgsOptionsConfig } from 'node:util';

/** Values of `--options`, by name. */
export type OptionValues = Readonly<Record<string, string | boolean | undefined>>;

export interface Verb {
  /** What follows the verb's name, e.g. `<machine> <machine> [--one-way]`. */
  readonly usage: string;
  readonly summary: string;
  /** More for the verb's own help. */
  readonly details?: string;
  /** Command lines without `node lab/main.ts`. */
  readonly examples?: readonly string[];
  /** Least and most operands. */
  readonly operands: readonly [number, number];
  readonly options?: ParseArgsOptionsConfig;
  run(operands: readonly string[], options: OptionValues): Promise<void>;
}

/** The command line was wrong; the message says how. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** An option's number, or its default. Throws UsageError. */
export function numberOption(options: OptionValues, name: string, fallback: number): number {
  const value = options[name];
  if (value === undefined) return fallback;
  return parseNumber(String(value), `--${name}`);
}

/** A number of zero or more. Throws UsageError. */
export function parseNumber(text: string, what: string): number {
  const number = Number(text);
  if (text.trim() === '' || !Number.isFinite(number) || number < 0)
    throw new UsageError(`${what} must be a number, not "${text}"`);
  return number;
}
