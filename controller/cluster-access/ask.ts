/** A question to a host or its database, which may not answer and must not hold a pass up. */
import { withDeadline } from '../base/abort.ts';
import type { Clock, Millis } from '../base/clock.ts';
import { AppError } from '../base/errors.ts';

/** No pass waits longer for one answer. */
export const patience: Millis = 2_000;

/** The answer; undefined when there is none in time, or the host or database fails. Everything else is a mistake of ours. */
export async function ask<T>(clock: Clock, work: Promise<T>): Promise<T | undefined> {
  try {
    const answer = await withDeadline(clock, patience, work);
    return answer === 'late' ? undefined : answer;
  } catch (error) {
    if (error instanceof AppError) return undefined;
    throw error;
  }
}
