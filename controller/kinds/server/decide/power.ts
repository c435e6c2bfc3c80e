/** A machine that is not simply running: starting, stopping, stopped, or on its way out. Pure. */

import { isFenced } from '../../../api/server.ts';
import type { Machine } from '../../../cloud/port.ts';
import { nameWithInstance } from './messages.ts';
import type { Observed, Plan } from './plan.ts';
import { activeRun } from './runs.ts';
import { instanceRunning, settled, working } from './summaries.ts';

const recheck = 5_000;

/** undefined when the machine runs and shall run: the next stage decides. */
export function decidePower(observed: Observed, machine: Machine): Plan | undefined {
  switch (machine.state) {
    case 'pending':
      return planStarting(observed);
    case 'stopping':
      return { ...planStopping(observed), recheckAfter: recheck };
    case 'stopped':
      return observed.server.spec.power === 'Stopped' ? planStopped(observed) : start(observed, machine);
    case 'shutting-down':
    case 'terminated': {
      const text = `${nameWithInstance(observed)} is being terminated though nobody here asked for it.`;
      return {
        ready: working('Terminating', text),
        conditions: { InstanceRunning: instanceRunning.no('Disappeared', text) },
        recheckAfter: recheck,
      };
    }
    case 'running':
      break;
  }
  return observed.server.spec.power === 'Stopped' ? stop(observed, machine) : undefined;
}

function planStarting(observed: Observed): Plan {
  const text = `${nameWithInstance(observed)} is starting.`;
  return {
    ready: working('Booting', text),
    conditions: { InstanceRunning: instanceRunning.no('Starting', text) },
    recheckAfter: recheck,
  };
}

function planStopping(observed: Observed): Plan {
  const text = `${nameWithInstance(observed)} is stopping.`;
  return {
    ready: working('Stopping', text),
    conditions: { InstanceRunning: instanceRunning.no('Stopped', text) },
  };
}

function planStopped(observed: Observed): Plan {
  const text = `${nameWithInstance(observed)} is stopped, as spec.power says.`;
  return {
    ready: settled('False', 'Stopped', text),
    conditions: { InstanceRunning: instanceRunning.no('Stopped', text) },
  };
}

function start(observed: Observed, { id }: Machine): Plan {
  return { ...planStarting(observed), action: { do: 'start', instanceID: id } };
}

/** Not in the middle of a script: half a boot would be left behind. A fenced one waits for nothing. */
function stop(observed: Observed, { id }: Machine): Plan | undefined {
  const skipOsShutdown = isFenced(observed.server, id);
  if (activeRun(observed.bootRun) !== undefined && !skipOsShutdown) return undefined;
  const action = { do: 'stop', instanceID: id, skipOsShutdown } as const;
  return { ...planStopping(observed), action, recheckAfter: recheck };
}
