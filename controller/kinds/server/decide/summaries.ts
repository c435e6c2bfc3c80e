/** What a Server's summary and conditions say, in short. Pure. */
import { saying } from '../../../api/conditions.ts';
import type { Reason } from '../../../api/reasons.ts';
import type { Summary } from './plan.ts';

type Ready = Reason<'Server', 'Ready'>;

/** Goes on by itself. */
export function working(reason: Ready, message: string): Summary {
  return { status: 'False', reason, message, progress: 'working' };
}

/** Waits for a person: the message says what to do. */
export function stalled(reason: Ready, message: string): Summary {
  return { status: 'False', reason, message, progress: 'stalled' };
}

/** A summary that lasts: neither Reconciling nor Stalled goes with it. */
export function settled(status: Summary['status'], reason: Ready, message: string): Summary {
  return { status, reason, message, progress: 'settled' };
}

export const instanceRunning = saying('Server', 'InstanceRunning');
export const sshReachable = saying('Server', 'SSHReachable');
export const booted = saying('Server', 'Booted');
export const healthy = saying('Server', 'Healthy');
