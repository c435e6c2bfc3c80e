/** UpdateProxies, UpdateDNS and VerifyWrites: clients are led to the new primary, and a write proves that it serves. */
import { isPlanned } from '../api/promotion.ts';
import type { Instant } from '../base/clock.ts';
import { messageOf } from '../base/errors.ts';
import type { Member } from '../database/port.ts';
import { beatPeriod } from '../supervision/port.ts';
import { newPrimary } from './commit.ts';
import type { Moved } from './port.ts';
import { attemptPart, limits, type Next, type Run, withinLimit } from './run.ts';

/**
 * Begins to lead clients to the new primary while it is still made ready: whatever happens, nobody else takes writes in this
 * epoch, and until then they can write nowhere.
 */
export function moveAhead(run: Run): void {
  const primary = newPrimary(run);
  if (primary === undefined) return;
  run.moving = moveProxies(run, primary);
  // It is waited for later, or by the next pass not at all.
  run.moving.catch(() => undefined);
}

async function moveProxies(run: Run, { server, address }: Member): Promise<Moved> {
  const moved = await run.ports.router.move({ server, address }, run.epoch, limits.route);
  // One that is silent was waited for, and nobody else was.
  if (moved.movedAt !== undefined) run.movedAt = moved.movedAt;
  return moved;
}

/** Asks every local proxy once; one that does not answer is a warning, the cluster asks it again later. */
export async function updateProxies(run: Run): Promise<Next> {
  const { journal, ports } = run;
  journal.pass('UpdateProxies');
  const primary = newPrimary(run);
  if (primary === undefined) return { after: limits.retry };
  try {
    run.moving ??= moveProxies(run, primary);
    const { moved, missing } = await withinLimit(
      run,
      2 * limits.route,
      'moving the local proxies',
      run.moving,
    );
    ports.failpoints.hit('failover.after-move');
    const count = `${moved.length} of ${moved.length + missing.length} local proxies`;
    const why = missing.map((one) => `${one.server}: ${one.message}`).join('; ');
    if (missing.length > 0) journal.leave('UpdateProxies', `${count}; ${why}.`, 'Failed');
    else if (moved.length === 0) journal.leave('UpdateProxies', 'There are no local proxies.', 'Skipped');
    else journal.leave('UpdateProxies', `${count}.`);
  } catch (error) {
    journal.leave('UpdateProxies', messageOf(error), 'Failed');
  }
  return 'go';
}

/** The slow way for clients without a proxy. */
export async function updateDNS(run: Run): Promise<Next> {
  const { journal, ports } = run;
  journal.pass('UpdateDNS');
  const primary = newPrimary(run);
  if (primary === undefined) return { after: limits.retry };
  try {
    const publishing = ports.router.publish(primary.address);
    const isPublished = await withinLimit(run, limits.route, 'publishing the name', publishing);
    ports.failpoints.hit('failover.after-publish');
    if (isPublished) journal.leave('UpdateDNS', 'Accepted.');
    else journal.leave('UpdateDNS', 'There is nothing to change.', 'Skipped');
    if (journal.step('UpdateProxies')?.state !== 'Failed') journal.add({ routedTime: journal.now() });
  } catch (error) {
    journal.leave('UpdateDNS', messageOf(error), 'Failed');
  }
  return 'go';
}

/** Writes while clients are still led: what has to be told is when they could, not when we got round to asking. */
export function writeAhead(run: Run, primary: Member): void {
  run.firstWrite = write(run, primary).catch(() => undefined);
}

async function write(run: Run, { server, database }: Member): Promise<Instant> {
  const beat = database.beat(run.epoch, limits.beat);
  await withinLimit(run, 2 * limits.beat, `writing to ${server}`, beat);
  return run.ports.clock.now();
}

/** The first good write ends the outage, for clients that have been led to it; before it nothing is complete. */
export async function verifyWrites(run: Run): Promise<Next> {
  const { journal, ports } = run;
  journal.pass('VerifyWrites');
  return await attemptPart(run, 'VerifyWrites', async () => {
    const primary = newPrimary(run);
    if (primary === undefined) return { after: limits.retry };
    const writtenAt = (await run.firstWrite) ?? (await write(run, primary));
    ports.failpoints.hit('failover.after-verify');
    const outage = Math.max(writtenAt, run.movedAt ?? 0) - lastWrite(run);
    if (Number.isFinite(outage)) journal.add({ writeOutageMilliseconds: Math.max(0, Math.round(outage)) });
    journal.leave('VerifyWrites', 'A write was good.');
    return 'go';
  });
}

/** In a planned change when it was closed; a primary that died was writable for half a heartbeat after the last one, on average. */
function lastWrite({ journal }: Run): Instant {
  const known = Date.parse(journal.status.lastWriteTime ?? '');
  return isPlanned(journal.promotion) ? known : known + beatPeriod / 2;
}
