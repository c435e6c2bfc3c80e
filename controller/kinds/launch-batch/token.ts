/** Names derived from what they stand for, so that repeating a launch can never mean another launch. Pure. */
import { createHash } from 'node:crypto';

/** One server's place in a batch. */
export interface SlotIdentity {
  readonly uid: string;
  readonly incarnation: number;
  readonly attempt: number;
}

/**
 * EC2's ClientToken of a batch: 48 characters of the 64 allowed. Nothing else goes in, because everything else is
 * frozen in the batch: a token can never meet other parameters.
 */
export function clientToken(installation: string, batchUid: string): string {
  const digest = createHash('sha256').update(`${installation}\n${batchUid}`).digest();
  return `rl1-${base32(digest).slice(0, 44)}`;
}

/** A batch's name: creating it is the claim on its slots, so equal slots mean an equal name. */
export function batchName(slots: readonly SlotIdentity[]): string {
  const text = slots.map(({ uid, incarnation, attempt }) => `${uid}/${incarnation}/${attempt}`).join('\n');
  return `lb-${base32(createHash('sha256').update(text).digest()).slice(0, 20)}`;
}

function base32(bytes: Uint8Array): string {
  const alphabet = 'abcdefghijklmnopqrstuvwxyz234567';
  let text = '';
  let bits = 0;
  let held = 0;
  for (const byte of bytes) {
    held = (held << 8) | byte;
    bits += 8;
    while (bits >= 5) {
      bits -= 5;
      text += alphabet[(held >>> bits) & 31] ?? '';
    }
    held &= (1 << bits) - 1;
  }
  return bits === 0 ? text : text + (alphabet[(held << (5 - bits)) & 31] ?? '');
}
