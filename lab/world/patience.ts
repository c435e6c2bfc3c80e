/** How long EC2 waits for an operating system to shut down before it cuts the power. */
import type { Instance } from './model.ts';

/**
 * The four minutes EC2 documents for reboots. For stops it says "the timeout period", with Force and without; minutes in
 * practice.
 */
const STOP_MS = 240_000;
/** A termination is forced "after a short while". */
const TERMINATE_MS = 60_000;

/**
 * Milliseconds for this instance and this order. A crashed machine has no operating system to wait for; a hung one has,
 * and it does not hear.
 */
export function patienceWith(instance: Instance, order: 'stop' | 'reboot' | 'terminate'): number {
  const isDead = instance.condition === 'crashed' || instance.condition === 'powered-off';
  if (isDead || instance.skipsOsShutdown) return 0;
  return order === 'terminate' ? TERMINATE_MS : STOP_MS;
}
