/** An array on its way out: its servers leave in good order, or are released and live on. Pure. */
import type { Observed, Plan, Summary } from './plan.ts';
import { noChanges } from './plan.ts';

/** Servers are drained before they go; `finalizer: remove` when nothing is left. */
export function decideDeletion({ array, members, now }: Observed): Plan {
  const { deletionProtection, deletionPolicy, drainSeconds } = array.spec;
  const quiet = { conditions: {}, record: {}, changes: noChanges, events: [] };
  if (deletionProtection) {
    const text =
      'Deletion was asked for, but spec.deletionProtection is set. Set it to false to let the array go.';
    return { ...quiet, ready: { ...workingSummary(text), reason: 'Blocked', progress: 'stalled' } };
  }
  if (members.length === 0)
    return { ...quiet, ready: workingSummary('Nothing of it is left.'), finalizer: 'remove' };
  if (deletionPolicy === 'Retain') {
    const text = `Leaving ${members.length} servers behind, as spec.deletionPolicy says.`;
    return { ...quiet, ready: workingSummary(text), release: members, recheckAfter: 0 };
  }
  const locked = members.filter((member) => member.locked);
  const text =
    locked.length === 0
      ? `Waiting until ${members.length} servers are gone.`
      : `Server ${locked[0]?.name ?? ''} is protected; set its spec.deletionProtection to false.`;
  const free = members.filter((member) => !member.locked && member.place !== 'Going');
  const staying = free.filter(({ place }) => place === 'Active' || place === 'Candidate');
  const isOut = (since: number | undefined) => since !== undefined && now >= since + drainSeconds * 1_000;
  const gone = free.filter((member) => !staying.includes(member));
  return {
    ...quiet,
    ready: workingSummary(text),
    changes: {
      ...noChanges,
      remove: staying.map((member) => ({ member, cause: 'Scale' })),
      delete: gone.filter(
        (member) => member.drained || member.place === 'Lost' || isOut(member.drainedSince),
      ),
    },
    recheckAfter: 1_000,
  };
}

function workingSummary(message: string): Summary {
  return { status: 'False', reason: 'Decommissioning', message, progress: 'working' };
}
