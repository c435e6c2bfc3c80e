/** Stamps of orders to databases. */
import type { Stamp } from '../../controller/database/port.ts';

export function stamp(epoch: number, serial = 0): Stamp {
  return { epoch, serial };
}
