/** Quantities with units as people write them: `100ms`, `5%`, `10mbit`. Pure. */
import { UsageError } from './verb.ts';

export interface Quantity {
  /** What it is, for messages: `a time`. */
  readonly title: string;
  readonly example: string;
  /** Factor of each unit, in lower case. */
  readonly units: Readonly<Record<string, number>>;
  readonly least: string;
  readonly most: string;
}

export const time: Quantity = {
  title: 'a time',
  example: '100ms or 1.5s',
  units: { ms: 1, s: 1_000 },
  least: '0ms',
  most: '60s',
};

export const share: Quantity = {
  title: 'a share of the packets',
  example: '5%',
  units: { '%': 1 },
  least: '0%',
  most: '100%',
};

/** Bits per second, in thousands, as networks are sold. */
export const rate: Quantity = {
  title: 'a rate',
  example: '512kbit, 10mbit or 1gbit',
  units: { kbit: 1_000, mbit: 1_000_000, gbit: 1_000_000_000 },
  least: '8kbit',
  most: '10gbit',
};

/** The number in the quantity's smallest unit. Throws UsageError that says how it is written. */
export function parseQuantity(text: string, quantity: Quantity): number {
  const value = valueOf(text, quantity);
  const { title, example, units, least, most } = quantity;
  if (value === undefined) {
    const names = Object.keys(units).join(', ');
    throw new UsageError(`"${text}" is not ${title}: write a number and a unit (${names}), e.g. ${example}`);
  }
  const isInRange = value >= (valueOf(least, quantity) ?? 0) && value <= (valueOf(most, quantity) ?? 0);
  if (!isInRange) throw new UsageError(`"${text}" is out of range: ${title} goes from ${least} to ${most}`);
  return value;
}

function valueOf(text: string, { units }: Quantity): number | undefined {
  const [, number = '', unit = ''] = /^(-?\d+(?:\.\d+)?)([a-z%]+)$/i.exec(text.trim()) ?? [];
  const factor = Object.hasOwn(units, unit.toLowerCase()) ? units[unit.toLowerCase()] : undefined;
  return factor === undefined ? undefined : Number(number) * factor;
}
