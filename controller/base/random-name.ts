/** Names that nobody else has, one time in millions excepted. */
import { randomBytes } from 'node:crypto';

/** Lower-case letters and digits: names become host names. */
const alphabet = 'abcdefghijklmnopqrstuvwxyz234567';

/** Where the bytes come from. */
let draw: (count: number) => Uint8Array = randomBytes;

/** A simulation that is to be played again says where; without an argument it is chance again. */
export function drawNamesFrom(source: (count: number) => Uint8Array = randomBytes): void {
  draw = source;
}

/** `<prefix>-` and five characters of base 32: one of 33 million. */
export function randomName(prefix: string): string {
  const suffix = [...draw(5)].map((byte) => alphabet[byte % 32]).join('');
  return `${prefix}-${suffix}`;
}
