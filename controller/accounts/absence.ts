/** When a machine that EC2 does not list may count as gone. Pure; a question for its id comes after that. */
import type { Instant, Millis } from '../base/clock.ts';
import type { MachineView } from '../cloud/port.ts';

const enough: { readonly sweeps: number; readonly missingFor: Millis } = { sweeps: 2, missingFor: 60_000 };

/** EC2 documents that absence proves nothing, right after a launch least of all; it lists what was terminated for an hour. */
export function isLongMissing(view: MachineView, instanceID: string, now: Instant): boolean {
  const { sweeps, since } = view.missing(instanceID);
  return since !== undefined && sweeps >= enough.sweeps && now - since >= enough.missingFor;
}
