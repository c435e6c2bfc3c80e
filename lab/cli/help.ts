/** What the command line says of itself: all verbs, or one. Pure. */
import type { Verb } from './verb.ts';

const machines =
  'A <machine> is an instance id, a private address, the Name tag of an instance, or `computer`: the one you sit at.';
const lineWidth = 100;

/** All verbs with a line each, for `--help`. */
export function help(verbs: Readonly<Record<string, Verb>>): string {
  const lines = Object.entries(verbs).map(
    ([name, { usage, summary }]) => [`${name} ${usage}`.trim(), summary] as const,
  );
  const width = Math.max(...lines.map(([left]) => left.length));
  return [
    'usage: node lab/main.ts <verb> …',
    '',
    ...lines.map(([left, right]) => `  ${left.padEnd(width)}  ${right}`),
    '',
    'More on one of them, with an example: node lab/main.ts <verb> --help',
    machines,
    '',
  ].join('\n');
}

/** One verb: usage, what it does, examples. */
export function verbHelp(name: string, { usage, summary, details, examples = [] }: Verb): string {
  return [
    `usage: node lab/main.ts ${name} ${usage}`.trim(),
    '',
    ...wrap(`${capital(summary)}.${details === undefined ? '' : ` ${details}`}`),
    ...(examples.length === 0 ? [] : ['', 'For example:']),
    ...examples.map((example) => `  node lab/main.ts ${example}`),
    '',
    ...(usage.includes('<machine>') ? [machines, ''] : []),
  ].join('\n');
}

function wrap(text: string): string[] {
  const lines: string[] = [''];
  for (const word of text.split(' ')) {
    const line = `${lines.at(-1) ?? ''} ${word}`.trimStart();
    if (line.length > lineWidth) lines.push(word);
    else lines[lines.length - 1] = line;
  }
  return lines;
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
