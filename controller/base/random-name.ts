/** Names that nobody else has, one time in millions excepted. */
import { randomBytes } from 'node:crypto';

/** Lower-case letters and digits: names become host names. */
const alphabet = 'abcdefghijklmnopqrstuvwxyz234567';

/** `<prefix>-` and five characters of base 32: one of 33 million. */
export function randomName(prefix: string): string {
  const suffix = [...randomBytes(5)].map((byte) => alphabet[byte % 32]).join('');
  return `${prefix}-${suffix}`;
}
