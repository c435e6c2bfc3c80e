/** How lists stand in messages. Pure. */
import type { Member } from './member.ts';

/** `db-2, db-3`. */
export function joinNames(members: readonly Member[]): string {
  return members.map(({ name }) => name).join(', ');
}

/** `one; another.` */
export function joinSentences(messages: readonly string[]): string {
  return `${messages.join('; ')}.`;
}
