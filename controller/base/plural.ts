/** Numbers with their noun, for messages. */

/** `1 server`, `2 servers`. */
export function countNoun(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`;
}
