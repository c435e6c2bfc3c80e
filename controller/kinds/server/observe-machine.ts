/** What is known of a Server's machine: the shared picture first, a question to EC2 only where the picture proves nothing. */

import { isLongMissing } from '../../accounts/absence.ts';
import type { OpenAccount } from '../../accounts/port.ts';
import type { ServerStatus } from '../../api/server.ts';
import type { Instant, Millis } from '../../base/clock.ts';
import { AppError } from '../../base/errors.ts';
import type { Machine } from '../../cloud/port.ts';
import type { MachineFacts } from './decide/plan.ts';

/** A machine younger than this does not count as gone because EC2 does not list it. */
const youth: Millis = 5 * 60_000;

/** `gone` only with proof: a picture without the machine is `unseen`. */
export async function observeMachine(
  opened: OpenAccount,
  { instanceID, launchTime, terminationTime, operationalTime, launchBatchRef }: ServerStatus,
  now: Instant,
): Promise<MachineFacts> {
  if (instanceID === undefined) return { state: 'none' };
  // Before the first sweep there is no picture, and while a machine ends it may be a sweep old: look closely, many
  // askers share one call. A restart of the controller must not make a healthy Server look unreachable.
  // One that was adopted a moment ago may have been swept with its former tags.
  const isAdopted = operationalTime === undefined && launchBatchRef === undefined;
  const looksClosely = terminationTime !== undefined || opened.view.sweptAt === undefined || isAdopted;
  const closer = looksClosely ? await findMachine(opened, instanceID) : undefined;
  const machine = closer ?? opened.view.get(instanceID);
  if (machine !== undefined) return factsOf(machine);
  const isOld = launchTime === undefined || now - Date.parse(launchTime) >= youth;
  if (!isOld || !isLongMissing(opened.view, instanceID, now)) return { state: 'unseen' };
  const [found] = await opened.cloud.machines.find([instanceID]);
  return found === undefined
    ? { state: 'gone', because: 'EC2 has not listed it for over a minute and does not know its id any more' }
    : factsOf(found);
}

function factsOf(machine: Machine): MachineFacts {
  if (machine.state !== 'terminated') return { state: 'present', machine };
  const why = machine.stateReason === undefined ? '' : ` [${machine.stateReason}]`;
  return { state: 'gone', because: `it was terminated${why}` };
}

/** undefined when EC2 does not list it or does not answer: the picture is good enough then. */
async function findMachine({ cloud }: OpenAccount, instanceID: string): Promise<Machine | undefined> {
  try {
    const [machine] = await cloud.machines.find([instanceID]);
    return machine;
  } catch (error) {
    if (error instanceof AppError) return undefined;
    throw error;
  }
}
