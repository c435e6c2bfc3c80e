/** A machine that ended though nobody here asked for it: say so, and start over as the next incarnation. Pure. */

import { warningEvent } from '../../../api/event-notes.ts';
import type { ServerStatus } from '../../../api/server.ts';
import { type Millis, timestamp } from '../../../base/clock.ts';
import { nameWithInstance } from './messages.ts';
import type { Observed, Plan } from './plan.ts';
import { activeRun } from './runs.ts';
import { instanceRunning, settled, working } from './summaries.ts';

/** A machine that never got Operational may end again at once; without a pause that would cost money in a loop. */
const pauseAfterEarlyEnd: Millis = 60_000;

/** A Server with an owner ends here; any other gets another machine. `because` is shown to people. */
export function decideLost(observed: Observed, because: string): Plan {
  const { server, status, bootRun, now } = observed;
  const text = `${nameWithInstance(observed)} disappeared: ${because}.`;
  const conditions = { InstanceRunning: instanceRunning.no('Disappeared', text) };
  // The old run must never continue on the next machine.
  const old = activeRun(bootRun);
  if (old !== undefined && !old.spec.cancel) {
    return {
      ready: working('Pending', text),
      conditions,
      action: { do: 'cancel-run', run: old },
      recheckAfter: 0,
    };
  }
  const owner = server.metadata.ownerReferences?.find((reference) => reference.controller === true);
  if (owner !== undefined) {
    const message = `${text} ${owner.kind}/${owner.name} decides about a replacement.`;
    return { ready: settled('False', 'Terminated', message), conditions };
  }
  const incarnation = (status.incarnation ?? 1) + 1;
  const isEarly = status.operationalTime === undefined;
  return {
    ready: working('Pending', `${text} Launching another machine.`),
    conditions,
    record: {
      ...withoutMachine,
      incarnation,
      nextLaunchTime: isEarly ? timestamp(now + pauseAfterEarlyEnd) : undefined,
    },
    events: [warningEvent('InstanceDisappeared', `${text} Launching incarnation ${incarnation}.`)],
    recheckAfter: 0,
  };
}

/** Everything in status that speaks about one machine. */
const withoutMachine: ServerStatus = {
  instanceID: undefined,
  instanceType: undefined,
  imageID: undefined,
  zone: undefined,
  privateIP: undefined,
  publicIP: undefined,
  publicDNSName: undefined,
  templateName: undefined,
  templateRevision: undefined,
  launchBatchRef: undefined,
  launchIndex: undefined,
  launchTime: undefined,
  operationalTime: undefined,
  bootSeconds: undefined,
  sshHostKeys: undefined,
  bootRunRef: undefined,
  bootStartTime: undefined,
  bootedTime: undefined,
  forcedTime: undefined,
};
