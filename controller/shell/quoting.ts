/** Words for a POSIX shell's command line; pure. */

/** `text` as one word that any POSIX shell reads back unchanged. It must not contain NUL; nothing can quote that. */
export function quote(text: string): string {
  if (text.includes('\0')) throw new RangeError('a command line cannot contain NUL');
  return `'${text.replaceAll("'", String.raw`'\''`)}'`;
}

/** A command line of these words. */
export function commandLine(...words: readonly string[]): string {
  return words.map(quote).join(' ');
}
