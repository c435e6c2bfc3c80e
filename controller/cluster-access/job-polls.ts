/** What became of a job on a host. Pure. */
import type { JobState } from '../shell/port.ts';

/** How a job stands: `silent` = its host did not answer. */
export type JobLook = JobState | { readonly state: 'silent' };

export function hasEnded({ state }: JobLook): boolean {
  return state === 'exited' || state === 'interrupted';
}

export function hasSucceeded(job: JobLook): boolean {
  return job.state === 'exited' && job.exitCode === 0;
}

export function hasFailed(job: JobLook): boolean {
  return hasEnded(job) && !hasSucceeded(job);
}
