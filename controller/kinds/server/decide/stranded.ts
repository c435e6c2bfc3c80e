/** A boot that did not succeed: the machine is kept for a person, who may retry or accept it. Pure. */

import { findCondition, hasCondition } from '../../../api/conditions.ts';
import { normalEvent, warningEvent } from '../../../api/event-notes.ts';
import { annotations } from '../../../api/meta.ts';
import { timestamp } from '../../../base/clock.ts';
import { annotateCommand, elapsedSince } from './messages.ts';
import type { Observed, Plan } from './plan.ts';
import { stalled, working } from './summaries.ts';

/** What a template without revision (it was deleted) allows. */
const defaultDeadlineSeconds = 1_800;

/** A default when the revision is not known. */
export function bootDeadlineSeconds({ revision }: Observed): number {
  return revision?.bootDeadlineSeconds ?? defaultDeadlineSeconds;
}

/** Whether the time for getting Operational is over. */
export function pastDeadline(observed: Observed): boolean {
  return elapsedSince(observed.status.bootStartTime, observed.now) > bootDeadlineSeconds(observed) * 1_000;
}

/** Stranded, unless a person asked to try again or to accept the machine as it is. */
export function planStranded(observed: Observed, message: string): Plan {
  const { server, status } = observed;
  const force = newValue(server.metadata.annotations?.[annotations.forceOperational], status.handledForce);
  if (force !== undefined) return planForced(observed, force);
  const retry = newValue(server.metadata.annotations?.[annotations.retryBoot], status.handledRetryBoot);
  if (retry !== undefined) return planRetry(observed, retry);
  const wasStranded = findCondition(status, 'Ready')?.reason === 'Stranded';
  const command = annotateCommand(server, annotations.retryBoot, String((status.bootAttempt ?? 0) + 1));
  const text = `${message} The server is kept for you. Retry: ${command}.`;
  return {
    ready: stalled('Stranded', text),
    ...(wasStranded ? {} : { events: [warningEvent('ServerStranded', text)] }),
  };
}

/** The next boot run gets the next number; a run that still goes on only gets more time. */
function planRetry({ bootRun, now }: Observed, retry: string): Plan {
  const text = 'Boot is tried again, as asked.';
  const isFinished = hasCondition(bootRun?.status, 'Finished');
  return {
    ready: working('Booting', text),
    record: {
      handledRetryBoot: retry,
      bootStartTime: timestamp(now),
      ...(bootRun === undefined || isFinished ? { bootRunRef: undefined } : {}),
    },
    events: [normalEvent('BootRetried', text)],
    recheckAfter: 0,
  };
}

function planForced({ now }: Observed, force: string): Plan {
  const text = 'Declared Operational by annotation although its boot did not succeed.';
  return {
    ready: working('Booting', text),
    record: { handledForce: force, forcedTime: timestamp(now) },
    events: [warningEvent('ForcedOperational', text)],
    recheckAfter: 0,
  };
}

function newValue(value: string | undefined, handled: string | undefined): string | undefined {
  const clipped = value?.slice(0, 64);
  return clipped === undefined || clipped === '' || clipped === handled ? undefined : clipped;
}
