/** Rounds in which the primary must not be replaced, because it is not dead or because nothing proves that no write is lost. */
import { setTimeout as sleep } from 'node:timers/promises';
import { network } from '../../lab/config.ts';
import { bringBack, cut, harm, healAfter } from './harm.ts';
import type { Round } from './round.ts';

/** Several times what it takes to find a dead primary. */
const watchMs = 20_000;

/** The controller cannot hear the primary, or cannot be heard by it; everybody else can. */
export async function blind(round: Round): Promise<void> {
  const { site, primary, draw } = round;
  const address = await site.addressOf(primary.server);
  const isOneWay = draw.afterMs % 2 === 0;
  await healAfter(async () => {
    await cut(network.computer, address, isOneWay);
    await spared(round);
  });
}

/** Every replica freezes: commits wait until the controller lets go of them. */
export async function ackersLost(round: Round): Promise<void> {
  const { site } = round;
  const replicas = await site.replicas();
  await Promise.all(replicas.map((server) => harm(site, server, 'hang')));
  await spared(round);
  await Promise.all(replicas.map((server) => harm(site, server, 'resume')));
}

/** Other work takes the primary's processors. */
export async function overload(round: Round): Promise<void> {
  const { site, primary } = round;
  const spin = "for i in 1 2 3 4; do timeout 15 sh -c 'while :; do :; done' & done";
  await site.story.onMachine(primary.server, `(${spin}) >/dev/null 2>&1 </dev/null`);
  await spared(round);
}

/** Applications have taken all connections. */
export async function noConnections(round: Round): Promise<void> {
  const { site, primary } = round;
  const before = await site.sql(primary.server, 'SELECT @@GLOBAL.max_connections');
  await site.sql(primary.server, 'SET GLOBAL max_connections = 12');
  const hoard = await Promise.all(
    Array.from({ length: 12 }, () => site.client.session().catch(() => undefined)),
  );
  await spared(round);
  for (const session of hoard) session?.destroy();
  await site.sql(primary.server, `SET GLOBAL max_connections = ${before.trim()}`);
}

async function spared(round: Round): Promise<void> {
  const { site, primary } = round;
  await sleep(watchMs);
  const { primary: now, currentPromotionRef } = await site.status();
  const failing = await site.condition('FailingOver');
  const isSpared =
    now?.epoch === primary.epoch && currentPromotionRef === undefined && failing?.status !== 'True';
  round.expect(isSpared, `a healthy primary was to be replaced: ${failing?.message}`);
}

/** The primary and one of two acknowledging replicas are gone at once: the other may lack a write, and a person decides. */
export async function noProof(round: Round): Promise<void> {
  const { site, primary } = round;
  const [first = ''] = await site.replicas();
  await Promise.all([harm(site, primary.server, 'power-off'), harm(site, first, 'power-off')]);
  const blocked = '{.status.conditions[?(@.type=="FailingOver")].reason}=FailoverBlocked';
  await site.story.kubectl('wait', 'rlm/db', `--for=jsonpath=${blocked}`, '--timeout=60s');
  const said = (await site.condition('FailingOver'))?.message ?? '';
  for (const command of ['kubectl create -f -', 'aws ec2 start-instances']) {
    round.expect(said.includes(command), `the message does not say "${command}": ${said}`);
  }
  await sleep(watchMs / 2);
  const now = await site.primary();
  round.expect(now.server === primary.server, 'a replica without proof was promoted');
  const left = (await site.replicas()).filter((server) => server !== first);
  for (const server of left) {
    const isReadOnly = (await site.sql(server, 'SELECT @@GLOBAL.read_only')).trim() === '1';
    round.expect(isReadOnly, `${server}, which is left, takes writes`);
  }
  // Nothing is given up, so nothing may be missing.
  await bringBack(site, [primary.server, first]);
}
