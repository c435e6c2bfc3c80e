/** Jobs for tests of the shell, each with an id nobody else has. */
import type { Job } from '../../../controller/shell/port.ts';

/** Makes jobs whose ids begin with `prefix`. */
export function jobMaker(prefix: string): (script: string, changes?: Partial<Job>) => Job {
  let serial = 0;
  return (script, changes = {}) => {
    serial += 1;
    return {
      id: `${prefix}-${Date.now()}-${serial}`,
      interpreter: '/bin/bash',
      script,
      environment: {},
      attachments: [],
      packages: [],
      runAs: 'root',
      timeoutSeconds: 60,
      ...changes,
    };
  };
}
