/** Repoint and Open: the others follow the new primary, and it takes writes when enough of them acknowledge. */
import { withDeadline } from '../base/abort.ts';
import { messageOf } from '../base/errors.ts';
import type { Look, Member } from '../database/port.ts';
import { newPrimary } from './commit.ts';
import { sourceFor } from './new-source.ts';
import { amendDurability } from './proof.ts';
import { writeAhead } from './route.ts';
import {
  attemptPart,
  durabilityOf,
  type Leading,
  limits,
  lookAt,
  type Next,
  type Run,
  rethrowOurs,
  stampOf,
  withinLimit,
} from './run.ts';
import { hasProof } from './stop-old.ts';

const pollPeriod = 50;

/** Begins to lead the others to the new primary while it is still made ready: until it opens there is nothing to receive. */
export function leadAhead(run: Run): void {
  const primary = newPrimary(run);
  if (primary !== undefined) run.leading = leadAll(run, primary);
}

/** The step Repoint; `go` when enough replicas follow, or when it may be opened without them. */
export async function repointReplicas(run: Run): Promise<Next> {
  const { journal, ports } = run;
  journal.pass('Repoint');
  return await attemptPart(run, 'Repoint', async () => {
    const primary = newPrimary(run);
    if (primary === undefined) return { after: limits.retry };
    const { siblings, results, work } = run.leading ?? leadAll(run, primary);
    const left = Math.max(0, limits.attach - journal.elapsed('Repoint'));
    const isAttached = await waitForAttached(run, primary, { work, left });
    if (!isAttached) {
      const next = await openWithout(run, primary);
      if (next !== 'go') return next;
    }
    // Whoever is late is not waited for; the cluster brings stragglers in line.
    await withDeadline(ports.clock, isAttached ? pollPeriod : 0, work);
    journal.leave('Repoint', summarize(siblings, results));
    return 'go';
  });
}

function leadAll(run: Run, primary: Member): Leading {
  const siblings = siblingsOf(run, primary);
  const results = new Map(siblings.map(({ server }) => [server, 'still on its way']));
  const work = Promise.all(siblings.map((sibling) => leadReplica(run, { primary, sibling, results })));
  // It is waited for later; until then a failure must not count as unheard.
  work.catch(() => undefined);
  return { siblings, results, work };
}

/** The old primary follows only when it is known to have ended in good order. */
function siblingsOf(run: Run, primary: Member): readonly Member[] {
  const mayOldFollow = hasProof(run, 'Closed');
  return run.order.members.filter(
    ({ server }) => server !== primary.server && (server !== run.oldName || mayOldFollow),
  );
}

interface Pair {
  readonly primary: Member;
  readonly sibling: Member;
}

/**
 * Makes one server follow the new primary; what fails is tried again as long as replicas are waited for. Never rejects but
 * for what is no server's doing.
 */
async function leadReplica(
  run: Run,
  { results, ...pair }: Pair & { readonly results: Map<string, string> },
): Promise<void> {
  const { clock } = run.ports;
  const deadline = clock.monotonic() + limits.attach;
  for (;;) {
    const failure = await leadOnce(run, pair);
    if (failure === undefined) results.delete(pair.sibling.server);
    else results.set(pair.sibling.server, failure);
    if (failure === undefined || clock.monotonic() >= deadline || run.order.signal.aborted) return;
    await clock.sleep(limits.retry);
  }
}

/** Why it did not work; undefined when it did. */
async function leadOnce(run: Run, { primary, sibling }: Pair): Promise<string | undefined> {
  const { ports, algebra } = run;
  try {
    const ask = ({ server, database }: Member) =>
      withinLimit(run, limits.look, `asking ${server}`, database.look(limits.look));
    const acknowledges = durabilityOf(run).ackers.includes(sibling.server);
    const [look, { executed }, source] = await Promise.all([
      ask(sibling),
      ask(primary),
      sourceFor(run, primary, acknowledges),
    ]);
    if (isFollowing(look, primary, acknowledges)) return undefined;
    const held = look.replication?.received ?? look.executed;
    if (!algebra.contains(executed, held)) return 'holds transactions that the new primary lacks';
    const following = sibling.database.follow(source, stampOf(run));
    await withinLimit(run, limits.follow, `repointing ${sibling.server}`, following);
    ports.failpoints.hit('failover.after-follow');
    return undefined;
  } catch (error) {
    rethrowOurs(error);
    return messageOf(error);
  }
}

function isFollowing({ replication }: Look, primary: Member, acknowledges: boolean): boolean {
  return (
    replication?.source === primary.address &&
    replication.receiver !== 'Stopped' &&
    replication.acknowledges === acknowledges
  );
}

interface Waiting {
  readonly work: Promise<unknown>;
  readonly left: number;
}

/** Whether as many replicas are connected as commits wait for, now or before the time is over. */
async function waitForAttached(run: Run, primary: Member, { work, left }: Waiting): Promise<boolean> {
  const { clock } = run.ports;
  const { requiredAcks } = durabilityOf(run);
  if (requiredAcks === 0) {
    // It is as well to have them from the beginning, but clients do not wait for one that is silent.
    await withDeadline(clock, Math.min(left, limits.look), work);
    return true;
  }
  const deadline = clock.monotonic() + left;
  for (;;) {
    const look = await lookAt(run, primary);
    if ((look?.acks.connected ?? 0) >= requiredAcks) return true;
    if (clock.monotonic() >= deadline) return false;
    await clock.sleep(pollPeriod);
  }
}

/**
 * No replica acknowledges in time: the record says so first, then the primary waits for none. With durability Strict it
 * stays read-only until one does.
 */
async function openWithout(run: Run, primary: Member): Promise<Next> {
  const { journal, ports } = run;
  if (journal.cluster.spec.durability === 'Strict') {
    await journal.enter(
      'Repoint',
      `${primary.server} stays read-only until a replica acknowledges: durability is Strict.`,
    );
    return { after: limits.retry };
  }
  const changes = { state: 'Degraded', requiredAcks: 0 } as const;
  await journal.writeCluster({ durability: amendDurability(durabilityOf(run), changes, journal.now()) });
  ports.failpoints.hit('failover.after-degrade-recorded');
  const waiving = primary.database.requireAcks(0, stampOf(run));
  await withinLimit(run, limits.follow, `setting up ${primary.server}`, waiving);
  return 'go';
}

function summarize(siblings: readonly Member[], results: ReadonlyMap<string, string>): string {
  const good = siblings.filter(({ server }) => !results.has(server)).map(({ server }) => server);
  const bad = [...results].map(([server, why]) => `${server}: ${why}`);
  const led = good.length === 0 ? 'No replica was led to it' : `Led to it: ${good.join(', ')}`;
  return bad.length === 0 ? `${led}.` : `${led}; not ${bad.join('; ')}.`;
}

/** It takes writes from now on. */
export async function openPrimary(run: Run): Promise<Next> {
  const { journal, ports } = run;
  journal.pass('Open');
  return await attemptPart(run, 'Open', async () => {
    const primary = newPrimary(run);
    if (primary === undefined) return { after: limits.retry };
    try {
      await withinLimit(run, limits.open, `opening ${primary.server}`, primary.database.open(stampOf(run)));
    } catch (error) {
      rethrowOurs(error);
      const next = await afterFailedOpen(run, primary);
      if (next !== 'go') throw error;
      return { after: 0 };
    }
    ports.failpoints.hit('failover.after-open');
    journal.add({ promotedTime: journal.status.promotedTime ?? journal.now() });
    journal.leave('Open', `${primary.server} takes writes.`);
    writeAhead(run, primary);
    return 'go';
  });
}

/** The replica it waits for may have died meanwhile. `go`: nobody is waited for any more, it can be tried again. */
async function afterFailedOpen(run: Run, primary: Member): Promise<Next> {
  const { acks } = (await lookAt(run, primary)) ?? {};
  const isAlone = acks !== undefined && acks.required > 0 && acks.connected < acks.required;
  if (!isAlone || run.journal.elapsed('Open') < limits.attach) return { after: limits.retry };
  if (run.journal.cluster.spec.durability === 'Strict') return { after: limits.retry };
  return await openWithout(run, primary);
}
