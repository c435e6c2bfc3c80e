/**
 * The order of a Server's life. Each row is one stage; a stage is chosen from facts alone, so any pass may be the first
 * of a new process. Pure.
 *
 * | facts                              | stage       | leads to                                     |
 * | ---------------------------------- | ----------- | -------------------------------------------- |
 * | suspended or paused                | –           | whatever changes nothing                     |
 * | being deleted, and nothing holds it | delete     | decommission, terminate, finalizer off       |
 * | no finalizer                       | –           | finalizer on                                 |
 * | no instance, and one to adopt      | adopt       | instance id, pinned keys                     |
 * | no instance                        | launch      | request, batch, instance id                  |
 * | instance gone, not by us           | lost        | next incarnation                             |
 * | not running, or not to run         | power       | start, stop                                  |
 * | no host key pinned                 | trust       | pinned keys                                  |
 * | boot scripts not done              | boot        | boot run, booted or Stranded                 |
 * | booted or declared Operational     | operation   | Operational, Unhealthy, Unreachable          |
 */

import { saying } from '../../../api/conditions.ts';
import { finalizer } from '../../../api/meta.ts';
import { adopts, decideAdoption, planClaim } from './adopt.ts';
import { decideBoot } from './boot.ts';
import { decideDelete } from './delete.ts';
import { describeHold } from './hold.ts';
import { decideLaunch } from './launch.ts';
import { decideLost } from './lost.ts';
import { nameWithInstance } from './messages.ts';
import { decideOperation } from './operation.ts';
import type { Observed, Plan } from './plan.ts';
import { decidePower } from './power.ts';
import { instanceRunning, settled, working } from './summaries.ts';
import { decideTrust } from './trust.ts';

/** Exactly one stage decides. While suspended the plan is told, and nothing is done. */
export function decide(observed: Observed): Plan {
  const { metadata } = observed.server;
  const hasFinalizer = metadata.finalizers?.includes(finalizer) === true;
  if (metadata.deletionTimestamp !== undefined && !hasFinalizer) {
    return { ready: settled('False', 'Terminated', 'Nothing of it is left.') };
  }
  const plan = decideStage(observed, hasFinalizer);
  return observed.suspended ? holdPlan(observed, plan) : plan;
}

function decideStage(observed: Observed, hasFinalizer: boolean): Plan {
  const { server, status } = observed;
  if (server.metadata.deletionTimestamp !== undefined) {
    const hold = describeHold(observed);
    return hold === undefined ? decideDelete(observed) : { ...decideMachine(observed), hold };
  }
  if (!hasFinalizer) {
    return { ready: working('Pending', 'Getting ready.'), action: { do: 'add-finalizer' }, recheckAfter: 0 };
  }
  if (status.instanceID !== undefined) return decideMachine(observed);
  return adopts(observed) ? decideAdoption(observed) : decideLaunch(observed);
}

function decideMachine(observed: Observed): Plan {
  const { machine, status } = observed;
  switch (machine.state) {
    case 'gone':
      return decideLost(observed, machine.because);
    case 'none':
    case 'unseen':
      return planUnseen(
        observed,
        `EC2 does not list ${nameWithInstance(observed)} at the moment, which proves nothing yet.`,
      );
    case 'unknown':
      return planUnseen(observed, machine.message);
    case 'present':
      break;
  }
  const first = planClaim(observed, machine.machine) ?? decidePower(observed, machine.machine);
  if (first !== undefined) return first;
  if (status.sshHostKeys === undefined) return decideTrust(observed);
  const isBooted = status.bootedTime !== undefined || status.forcedTime !== undefined;
  return isBooted ? decideOperation(observed) : decideBoot(observed);
}

/** Nothing is done on missing evidence. A machine that was Operational is only called Unreachable for now. */
function planUnseen({ status }: Observed, message: string): Plan {
  const isFresh = status.operationalTime === undefined;
  const unreachable = {
    ...saying('Server', 'Ready').unknown('Unreachable', message),
    progress: 'working',
  } as const;
  return {
    ready: isFresh ? working('Booting', message) : unreachable,
    conditions: { InstanceRunning: instanceRunning.unknown('CloudUnreachable', message) },
    recheckAfter: 5_000,
  };
}

/** Suspended or paused: what only observes goes on, what would change something is not done. */
function holdPlan({ server }: Observed, plan: Plan): Plan {
  if (plan.action === undefined && plan.record === undefined) return plan;
  const what = server.metadata.deletionTimestamp === undefined ? 'Nothing is changed' : 'It is not deleted';
  const message = `${what} while the Server is paused or its Deployment suspended.`;
  return { ready: settled('False', 'Suspended', message), recheckAfter: 30_000 };
}
