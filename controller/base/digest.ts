/** Texts by a digest, where all there is to know is whether they differ. */
import { createHash } from 'node:crypto';

/** Twelve hexadecimal digits that tell texts apart. */
export function digest(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 12);
}
