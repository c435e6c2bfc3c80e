/** What became of a job on a host. Pure. */
import type { JobState } from '../shell/port.ts';

/** How a job stands: `silent` = its host did not answer. */
export type JobLook = JobState | { readonly state: 'silent' };

/** It will not run any further: it exited, or was interrupted. */
export function hasEnded({ state }: JobLook): boolean {
  return state === 'exited' || state === 'interrupted';
}

/** It exited with code 0. */
export function hasSucceeded(job: JobLook): boolean {
  return job.state === 'exited' && job.exitCode === 0;
}

/** It exited with another code, or was interrupted. */
export function hasFailed(job: JobLook): boolean {
  return hasEnded(job) && !hasSucceeded(job);
}
