/** Whether a script can be used, and what to tell about it. Pure. */

import type { Reason } from '../../api/reasons.ts';
import type { Script } from '../../api/script.ts';
import type { FrozenScript } from '../../api/template-revision.ts';
import type { Instant } from '../../base/clock.ts';
import type { ScriptProblem } from '../../inputs/script-text.ts';

/** What was read of a script. */
export interface Reading {
  readonly text: FrozenScript | ScriptProblem;
  /** Files whose source is missing, in words for people. */
  readonly missingFiles: readonly string[];
}

export interface Observed extends Reading {
  readonly now: Instant;
  readonly script: Script;
  readonly usedBy: number;
}

export interface Problem {
  readonly reason: Exclude<Reason<'Script', 'Ready'>, 'Valid'>;
  readonly message: string;
}

export interface Plan {
  readonly problem?: Problem;
  /** Told once, when it happens. */
  readonly news?: { readonly type: 'normal' | 'warning'; readonly reason: string; readonly message: string };
}

/** `news` is set only when it differs from what the status says. */
export function decide(observed: Observed): Plan {
  const { script, text } = observed;
  const problem = problemOf(observed);
  if (problem !== undefined) {
    const before = script.status?.conditions?.find((condition) => condition.type === 'Ready');
    return before?.reason === problem.reason
      ? { problem }
      : { problem, news: { type: 'warning', ...problem } };
  }
  const old = script.status?.sha256;
  if (!('sha256' in text) || old === undefined || old === text.sha256) return {};
  const message = `The text changed from ${old.slice(0, 12)} to ${text.sha256.slice(0, 12)}.`;
  return { news: { type: 'normal', reason: 'ScriptChanged', message } };
}

function problemOf({ text, missingFiles }: Observed): Problem | undefined {
  if ('reason' in text) return text;
  return missingFiles.length === 0
    ? undefined
    : { reason: 'AttachmentNotFound', message: missingFiles.join(' ') };
}
