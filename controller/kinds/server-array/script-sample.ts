/** A measuring script as a command for a host, and what its answer means: one number, or why there is none. Pure. */
import type { FrozenScript } from '../../api/template-revision.ts';
import type { Millis } from '../../base/clock.ts';
import { commandLine, quote } from '../../shell/quoting.ts';

/** What a script measured, or what is wrong with it there. */
export type Measure = { readonly value: number } | { readonly problem: string };

/** Longer texts do not fit on a command line. */
export const longestScript = 65_536;

const longestRun: Millis = 10_000;
/** A number is short; of anything else this much is enough to tell what it is. */
const mostOutput = 256;
const shownOutput = 40;

/** How long the script may run: it has to be over when the next period begins. */
export function timeLimit({ timeoutSeconds }: FrozenScript, period: Millis): Millis {
  return Math.min(timeoutSeconds * 1_000, longestRun, period);
}

/** What keeps a script from being a measuring one; undefined when nothing does. */
export function whyUnusable({
  text,
  packages = [],
  attachments = [],
  inputs = [],
}: FrozenScript): string | undefined {
  const needed = inputs.find(({ required }) => required);
  if (needed !== undefined) return `needs the input ${needed.name}, and measuring scripts get none`;
  if (packages.length + attachments.length > 0) {
    return 'brings packages or attachments; install them with a boot script';
  }
  if (Buffer.byteLength(text) > longestScript) return `is longer than ${longestScript / 1_024} KiB`;
  return undefined;
}

/**
 * Runs the script as its user, with the default values of its inputs, and prints the beginning of its output. What it
 * leaves running in the background may hold its output open, so the reader has a time limit too.
 */
export function scriptCommand(script: FrozenScript, limit: Millis): string {
  const { text, runAs, interpreter, inputs = [] } = script;
  const seconds = limit / 1_000;
  const encoded = quote(Buffer.from(text).toString('base64'));
  const values = inputs.flatMap(({ name, default: value }) =>
    value === undefined ? [] : [`${name}=${value}`],
  );
  const timed = ['timeout', '-k', '1', String(seconds), interpreter];
  const run = commandLine('sudo', '-n', '-u', runAs, 'env', ...values, ...timed);
  const steps = [
    'f=$(mktemp) && chmod 644 "$f" || exit 125',
    `printf %s ${encoded} | base64 -d >"$f"`,
    `${run} "$f" </dev/null 2>/dev/null | timeout ${seconds + 1} cat | head -c ${mostOutput}`,
    'r=${PIPESTATUS[0]}',
    'rm -f "$f"',
    'exit "$r"',
  ];
  return commandLine('bash', '-c', steps.join('\n'));
}

/** What a measuring script answered: its value, or a problem to be shown to people. */
export function judgeScript(
  { exitCode, stdout }: { readonly exitCode: number; readonly stdout: string },
  limit: Millis,
): Measure {
  // 137: it ignored TERM.
  if (exitCode === 124 || exitCode === 137) return { problem: `no answer within ${limit / 1_000} s` };
  if (exitCode !== 0) return { problem: `exited ${exitCode}` };
  const text = stdout.trim();
  if (text === '') return { problem: 'printed nothing' };
  if (/^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d{1,3})?$/i.test(text) && Number.isFinite(Number(text))) {
    return { value: Number(text) };
  }
  const shown = text.length > shownOutput ? `${text.slice(0, shownOutput)}…` : text;
  return { problem: `printed ${JSON.stringify(shown)} instead of one number` };
}
