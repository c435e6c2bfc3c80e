/** Before the first connection: wait for the host keys the machine hands in, and pin them. Pure. */

import type { Millis } from '../../../base/clock.ts';
import { elapsedSince, nameWithInstance } from './messages.ts';
import type { Observed, Plan } from './plan.ts';
import { pastDeadline, planStranded } from './stranded.ts';
import { sshReachable, working } from './summaries.ts';

/** User data runs late in the boot of a slow image; later than this something is wrong. */
const attestationDue: Millis = 5 * 60_000;
const recheck: Millis = 2_000;

/** For machines without pinned keys; nothing connects to them. */
export function decideTrust(observed: Observed): Plan {
  const { attestation, status, now } = observed;
  switch (attestation?.state) {
    case 'present':
      return pinKeys(attestation.pins);
    case 'conflict':
      return planConflict(observed);
    case 'absent':
    case 'unreadable':
    case undefined:
      break;
  }
  const late = elapsedSince(status.bootStartTime, now) > attestationDue;
  const where = attestation?.state === 'unreadable' ? ` (${attestation.message})` : '';
  const text = `${nameWithInstance(observed)} has not handed in its host keys yet${where}.`;
  const reachable = late
    ? sshReachable.no('AttestationMissing', text)
    : sshReachable.unknown('NotYetTried', text);
  const conditions = { SSHReachable: reachable };
  if (pastDeadline(observed)) {
    const advice = 'Look at its console: cloud-init must run user data, and curl must reach the state store.';
    return { ...planStranded(observed, `${text} ${advice}`), conditions, recheckAfter: 30_000 };
  }
  return { ready: working('Booting', text), conditions, recheckAfter: late ? 15_000 : recheck };
}

function pinKeys(pins: readonly string[]): Plan {
  const text = `Host key ${pins[0] ?? ''} is pinned; connecting.`;
  return {
    ready: working('Booting', text),
    conditions: { SSHReachable: sshReachable.unknown('NotYetTried', text) },
    record: { sshHostKeys: pins },
    recheckAfter: 0,
  };
}

function planConflict(observed: Observed): Plan {
  const text = `Somebody handed in host keys for ${nameWithInstance(observed)} before the machine did. It is not trusted and will not be used: look at its console, then delete this Server.`;
  const plan = planStranded(observed, text);
  return {
    ...plan,
    conditions: { SSHReachable: sshReachable.no('AttestationConflict', text) },
    recheckAfter: 60_000,
  };
}
