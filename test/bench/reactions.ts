/** How soon every front end acts: from a server being Operational to its first request, and on a change of members. */
import os from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Summary, summaryOf } from '../chaos/statistics.ts';
import { ProxyEye, type SeenServer } from './proxy-eye.ts';
import { type Step, underLoad } from './site-parts.ts';
import type { ProcessorTime, WebSite } from './web-site.ts';

export interface Reaction {
  readonly name: string;
  /** The servers were new: there is a promise about these. */
  readonly isJoin: boolean;
  /** In milliseconds, on the slowest front end; what HAProxy says is read 20 times a second. */
  readonly times: Summary;
  /** Load average of this computer in the end. */
  readonly machineLoad: number;
  /** Of the time in which the controller had work, the share in which it got no processor. */
  readonly starved: number;
}

const batches = 15;
/** Servers that boot at once: a crowd of them on one computer would leave the controller no processor. */
const batchSize = 2;
const rounds = 10;
/** Front ends that boot at once, for the same reason. */
const growth = 4;
const seenLimitMs = 60_000;

/** 30 servers join in batches, under load. */
export async function joins(site: WebSite): Promise<{ readonly step: Step; readonly reaction: Reaction }> {
  await site.resize({ app: 0, front: 2 });
  const times: number[] = [];
  const before = site.processorTime();
  const step = await underLoad(site, `${batches} x ${batchSize} servers join and leave`, async () => {
    for (let batch = 1; batch <= batches; batch++) {
      times.push(...(await withEyes(site, (eyes) => joinOf(site, eyes))));
      console.log(`  batch ${batch}: ${times.slice(-batchSize).join(' ')} ms`);
      await site.resize({ app: 0, front: 2 });
    }
  });
  const name = 'Operational -> first request everywhere';
  return { step, reaction: { name, isJoin: true, times: summaryOf(times)!, ...conditions(site, before) } };
}

/** Milliseconds from Operational to the first request on the slowest front end, for each new server. */
async function joinOf(site: WebSite, eyes: readonly ProxyEye[]): Promise<readonly number[]> {
  await site.resize({ app: batchSize, front: eyes.length });
  const servers = await site.servers('app');
  return await Promise.all(
    servers.map(async ({ status, metadata }) => {
      const seen = eyes.map((eye) => eye.firstRequest(status?.instanceID ?? ''));
      const last = await within(`a request to ${metadata.name}`, seen);
      return last - Date.parse(status?.operationalTime ?? '');
    }),
  );
}

/** A member leaves and comes back, again and again, on this many front ends, without load. */
export async function memberships(site: WebSite, front: number): Promise<readonly Reaction[]> {
  await site.serveFromArray();
  for (let few = 2; few < front; few += growth) await site.resize({ app: 2, front: few });
  await site.resize({ app: 2, front });
  const [server] = await site.servers('app');
  const { metadata, status } = server!;
  const change = async (eyes: readonly ProxyEye[], out: boolean) => {
    const isSo = out ? isOut : isIn;
    const seen = eyes.map((eye) => eye.first(status?.instanceID ?? '', isSo));
    const at = await site.quarantine(out ? [metadata.name] : []);
    const last = await within(`the change of ${metadata.name}`, seen);
    // The next one must not meet the end of this one.
    await sleep(1_000);
    return last - at;
  };
  return await withEyes(site, async (eyes) => {
    const before = site.processorTime();
    const left: number[] = [];
    const joined: number[] = [];
    for (let round = 0; round < rounds; round++) {
      left.push(await change(eyes, true));
      joined.push(await change(eyes, false));
    }
    const around = { isJoin: false, ...conditions(site, before) };
    return [
      { name: `member out of ${front} front ends`, times: summaryOf(left)!, ...around },
      { name: `member into ${front} front ends`, times: summaryOf(joined)!, ...around },
    ];
  });
}

function isOut({ status }: SeenServer): boolean {
  return /^(DRAIN|MAINT)/.test(status);
}

function isIn({ status }: SeenServer): boolean {
  return status.startsWith('UP');
}

async function withEyes<T>(site: WebSite, work: (eyes: readonly ProxyEye[]) => Promise<T>): Promise<T> {
  const fronts = await site.servers('front');
  const eyes = fronts.map(({ status }) => new ProxyEye(status?.instanceID ?? ''));
  try {
    return await work(eyes);
  } finally {
    await Promise.all(eyes.map((eye) => eye.close()));
  }
}

/** The latest of these moments. Throws when one does not come. */
async function within(what: string, moments: readonly Promise<number>[]): Promise<number> {
  const limit = sleep(seenLimitMs, undefined, { ref: false }).then(() => {
    throw new Error(`${what} was not seen everywhere within ${seenLimitMs / 1000} s`);
  });
  return Math.max(...(await Promise.race([Promise.all(moments), limit])));
}

function conditions(site: WebSite, before: ProcessorTime): Pick<Reaction, 'machineLoad' | 'starved'> {
  const now = site.processorTime();
  // A controller that was started again has counted from zero.
  const start = now.ran < before.ran ? { ran: 0, waited: 0 } : before;
  const waited = now.waited - start.waited;
  return { machineLoad: os.loadavg()[0]!, starved: waited / (waited + now.ran - start.ran) };
}
