/** Carries on with a change of primary from whatever is on record; every step may be repeated, by any controller. */
import { AppError } from '../base/errors.ts';
import type { FailoverPorts, Order, Progress } from './port.ts';

/**
 * Runs the Promotion as far as it goes now. Failures of the API server are thrown (`kube.*`); those of servers are on
 * record, and it is tried again with the next call.
 */
export async function carryOn(_ports: FailoverPorts, { promotion }: Order): Promise<Progress> {
  await Promise.reject(new AppError('invariant', `Promotion ${promotion.metadata.name} cannot be run yet`));
  throw new AppError('invariant', 'unreachable');
}
