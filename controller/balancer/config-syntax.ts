/** What may stand in HAProxy's file and on its command line: the guard against values that would become commands. Pure. */
import { AppError } from '../base/errors.ts';

const safe = /^[A-Za-z0-9._:-]+$/;
/** A blank would end the word; quotes, backslash, `$` and `#` mean something to HAProxy's parser. */
const safePath = /^\/[A-Za-z0-9._~!&()*+,;=:@%/?-]*$/;

/** Words that begin a section: after one of them the lines would no longer belong to where we put them. */
const sections = new Set(
  (
    'global defaults frontend backend listen peers resolvers userlist mailers program http-errors ' +
    'ring log-forward log-profile fcgi-app cache crt-store traces acme'
  ).split(' '),
);
/** Lines that Ridgeline must own: it finds the process, its sockets and its state by them. */
const ours = ['description', 'stats socket', 'server-state-file', 'load-server-state-from-file', 'daemon'];

export type ExtraLines = { readonly lines: readonly string[] } | { readonly problem: string };

/** `text` itself; throws `invariant` when it could be more than one word. Callers check users' values before. */
export function safeWord(text: string): string {
  if (safe.test(text)) return text;
  throw new AppError('invariant', `'${text}' may not stand in HAProxy's configuration`);
}

/** `text` itself, a path for a health check. */
export function safePathWord(text: string): string {
  if (safePath.test(text)) return text;
  throw new AppError('invariant', `'${text}' is not a path that HAProxy can ask for`);
}

/** A user's own lines for one section, or why they cannot be used; HAProxy itself checks the rest. */
export function readExtraLines(text: string): ExtraLines {
  const lines = text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '');
  for (const line of lines) {
    const problem = problemOf(line);
    if (problem !== undefined) return { problem: `line "${line.slice(0, 200)}" ${problem}` };
  }
  return { lines };
}

function problemOf(line: string): string | undefined {
  // A carriage return or NUL would hide the rest of the line.
  if (/[^\P{Cc}\t]/u.test(line)) return 'contains a control character';
  if (line.startsWith('.')) return 'is a preprocessor directive, which could switch other lines off';
  if (line.endsWith('\\')) return 'ends with a backslash';
  if (/^# *(>>>|<<<|rl)/.test(line)) return 'looks like a marker of Ridgeline';
  const words = line.split(/\s+/);
  if (sections.has(words[0] ?? '')) return `begins a section of its own; put only lines of one section here`;
  const owned = ours.find((name) => words.join(' ').startsWith(name));
  return owned === undefined ? undefined : `sets '${owned}', which belongs to Ridgeline`;
}
