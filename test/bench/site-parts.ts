/** What is done to the scalable site while wrk sends it requests. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Server } from '../../controller/api/server.ts';
import { lookOnce } from './proxy-eye.ts';
import { type Size, until, type WebSite } from './web-site.ts';
import { type Count, clients, Wrk } from './wrk.ts';

export interface Step {
  readonly name: string;
  readonly seconds: number;
  readonly counts: readonly Count[];
  readonly cut?: Cut;
}

/** A front end lost its power. */
export interface Cut {
  readonly address: string;
  /** Requests that the others had handed to the application on that machine, and that it will never answer. */
  readonly handedOver: number;
}

const base: Size = { app: 3, front: 2 };
const reloads = 30;

/** Does `work` while every front end gets requests from both kinds of clients. */
export async function underLoad(site: WebSite, name: string, work: () => Promise<void>): Promise<Step> {
  const addresses = (await site.servers('front')).map(addressOf);
  const load = addresses.flatMap((address) => clients.map((client) => new Wrk(address, client)));
  const began = performance.now();
  try {
    await sleep(1_000);
    await work();
    // Long enough for a request that will never be answered to show.
    await sleep(3_000);
  } catch (error) {
    await Promise.allSettled(load.map((wrk) => wrk.stop()));
    throw error;
  }
  const seconds = (performance.now() - began) / 1000;
  return { name, seconds, counts: await Promise.all(load.map((wrk) => wrk.stop())) };
}

export async function scale(site: WebSite): Promise<Step> {
  await site.resize({ ...base, app: 2 });
  return await underLoad(site, 'scale 2 -> 6 -> 0 -> 3', async () => {
    for (const app of [6, 0, 3]) {
      console.log(`  scaled to ${app} in ${(await site.resize({ ...base, app })).toFixed(1)} s`);
    }
  });
}

export async function roll(site: WebSite): Promise<Step> {
  await site.resize(base);
  await site.patch('rla/app', { spec: { update: { type: 'RollingReplace' } } });
  return await underLoad(site, 'rolling replace of 3', async () => {
    const revision = await site.changeTemplate();
    await site.servedBy(revision, base);
    console.log(`  only revision ${revision} serves, one server after another`);
  });
}

export async function blueGreen(site: WebSite): Promise<Step> {
  await site.resize(base);
  const retainOld = { seconds: 600, mode: 'Running' };
  await site.patch('rla/app', { spec: { update: { type: 'BlueGreen', retainOld } } });
  const old = (await site.revision())!;
  const step = await underLoad(site, 'blue-green and back', async () => {
    const next = await site.changeTemplate();
    await site.servedBy(next, base);
    console.log(`  all of revision ${next} serve, those of ${old} are kept`);
    const began = performance.now();
    await site.patch('rla/app', { spec: { templateRevision: old } });
    await site.servedBy(old, base);
    console.log(`  back on ${old} within ${((performance.now() - began) / 1000).toFixed(1)} s`);
  });
  await forgetRetained(site);
  return step;
}

/** So that the next part begins with servers that serve, and no others. */
async function forgetRetained(site: WebSite): Promise<void> {
  const update = { type: 'OnRelaunch', retainOld: null };
  await site.patch('rla/app', { spec: { update, templateRevision: null } });
  const up = new Set((await site.balancer()).status?.upServers);
  const names = (await site.servers('app'))
    .map(({ metadata }) => metadata.name)
    .filter((one) => !up.has(one));
  if (names.length > 0) await site.kubectl('delete', 'rlsrv', '--wait=false', ...names);
  await until('no server is kept', async () => (await site.servers('app')).length === up.size - base.front);
}

export async function reload(site: WebSite): Promise<Step> {
  await site.resize(base);
  return await underLoad(site, `${reloads} structural reloads`, async () => {
    for (let i = 0; i < reloads; i++) {
      const before = (await site.balancer()).status?.configHash;
      // Both are proven after two: the others are not tried on one front end first.
      const defaults = `timeout check ${1000 + (i % 2)}ms`;
      await site.patch('rllb/www', { spec: { haproxyExtra: { defaults } } });
      await until('a reload', async () => {
        const { status } = await site.balancer();
        return status?.configHash !== before && status?.frontendsApplied === base.front;
      });
    }
  });
}

export async function cutPower(site: WebSite): Promise<Step> {
  await site.resize(base);
  const [victim, witness] = await site.servers('front');
  let handedOver = 0;
  const step = await underLoad(site, 'power cut of a front end', async () => {
    await site.cutPower(victim!);
    const began = performance.now();
    await until('the other front end serves alone', async () => {
      const { frontends = [] } = (await site.balancer()).status ?? {};
      return frontends.filter(({ inService }) => inService === true).length === 1;
    });
    console.log(`  out of service after ${((performance.now() - began) / 1000).toFixed(1)} s`);
    const seen = await lookOnce(instanceOf(witness!));
    handedOver = seen.get(instanceOf(victim!))?.current ?? 0;
  });
  await site.kubectl('delete', 'rlsrv', '--wait=false', victim!.metadata.name);
  await site.settled(base);
  return { ...step, cut: { address: addressOf(victim!), handedOver } };
}

function instanceOf({ status }: Server): string {
  return status?.instanceID ?? '';
}

function addressOf({ status }: Server): string {
  return status?.privateIP ?? '';
}
