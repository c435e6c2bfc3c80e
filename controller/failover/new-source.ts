/** How the new primary is followed: its host is asked while it still catches up. */
import type { Member, Source } from '../database/port.ts';
import type { Run } from './run.ts';

/** Asks how the one that is to be primary is followed, while it catches up: its host has to be asked. */
export function askForSource(run: Run, primary: Member): void {
  const asked = run.ports.sourceOf(primary, true).catch(() => undefined);
  run.source = { of: primary.server, asked };
}

/** How to follow it; asked for anew where that was not known in time. */
export async function sourceFor(run: Run, primary: Member, acknowledges: boolean): Promise<Source> {
  const known = run.source?.of === primary.server ? await run.source.asked : undefined;
  return known === undefined ? await run.ports.sourceOf(primary, acknowledges) : { ...known, acknowledges };
}
