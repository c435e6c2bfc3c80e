/** WakeEvents: events of the database's scheduler run on the new primary. No change of primary fails for one of them. */
import { messageOf } from '../base/errors.ts';
import { countNoun } from '../base/plural.ts';
import type { SleepingEvents } from '../database/port.ts';
import { newPrimary } from './commit.ts';
import { attemptPart, limits, type Next, type Run, stampOf, withinLimit } from './run.ts';

/** Clients are served already; what cannot be woken is named, with the statement for a person. */
export async function wakeEvents(run: Run): Promise<Next> {
  const { journal, ports } = run;
  journal.pass('WakeEvents');
  return await attemptPart(run, 'WakeEvents', async () => {
    const primary = newPrimary(run);
    if (primary === undefined) return { after: limits.retry };
    const { server, database } = primary;
    try {
      const waking = database.wakeEvents(stampOf(run));
      const left = await withinLimit(run, limits.follow, `waking events on ${server}`, waking);
      if (left === undefined) journal.leave('WakeEvents', 'No event is asleep.');
      else leaveAsleep(run, server, left);
    } catch (error) {
      if (journal.elapsed('WakeEvents') < limits.wake) throw error;
      journal.leave('WakeEvents', `Events may be asleep: ${messageOf(error)}.`, 'Failed');
    }
    ports.failpoints.hit('failover.after-wake-events');
    return 'go';
  });
}

function leaveAsleep({ journal, ports }: Run, server: string, { statements, why }: SleepingEvents): void {
  const count = countNoun(statements.length, 'event');
  const verb = statements.length === 1 ? 'stays' : 'stay';
  const message = `${count} ${verb} asleep (${why}). To wake on ${server}: ${statements.join(' ')}`;
  journal.leave('WakeEvents', message, 'Failed');
  ports.events.warning(journal.promotion, 'EventsAsleep', message);
}
