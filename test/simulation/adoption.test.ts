/** A cluster begins with the machine that another let go: with every acknowledged row, or not at all. */
import { afterEach, beforeEach, describe, expect, it, test, vi } from 'vitest';
import { memberTag, retainedTag } from '../../controller/api/retained.ts';
import { ClusterWorld } from './cluster-world.ts';

/** Minutes of simulated time take seconds. */
vi.setConfig({ testTimeout: 60_000 });

let site: ClusterWorld;
/** Machines of the cluster that was let go, and its primary's address. */
let left: { readonly primary: string; readonly replica: string; readonly former: string };
let address: string;

const machine = (id: string) => site.world.site.cloud.machines.picture().find((one) => one.id === id);
const adopting = (instanceID: string, more: object = {}) => ({
  deletionPolicy: 'Terminate',
  bootstrap: { type: 'Adopt', adopt: { instanceID } },
  ...more,
});

/** One that has failed over once, holds two rows, and leaves its machines running. */
beforeEach(async () => {
  site = new ClusterWorld({ deletionPolicy: 'Retain' });
  await site.untilHealthy();
  await site.databases.commit(site.primary, 'early');
  site.databases.powerOff(site.primary);
  await site.until(() => site.cluster.status?.primary?.epoch === 2);
  await site.untilHealthy();
  await site.databases.commit(site.primary, 'late');
  const idOf = (role: string) => site.servers(role)[0]?.status?.instanceID ?? '';
  left = { primary: idOf('primary'), replica: idOf('replica'), former: idOf('fenced') };
  address = site.primary;
  await site.delete();
  await letGo();
});

afterEach(() => {
  site.close();
});

/** The cluster goes, and the objects of the servers that it left behind. */
async function letGo(): Promise<void> {
  await site.world.until(() => !site.isThere);
  for (const { metadata } of site.world.servers) await site.world.deleteServer(metadata.name);
  await site.world.until(() => site.world.servers.length === 0);
}

test('what each machine was is on it', () => {
  const parts = Object.values(left).map((id) => machine(id)?.tags[memberTag]);
  expect(parts).toEqual(['shop/db primary', 'shop/db replica', 'shop/db former primary']);
});

describe('the machine of the primary', () => {
  it('is taken over with every row, by new passwords, in a later epoch, and copied', async () => {
    const epochs = site.databases.server(address).stamp.epoch;
    site.create(adopting(left.primary));
    await site.untilHealthy();
    expect(site.primary).toBe(address);
    expect(site.cluster.status?.primary?.epoch).toBeGreaterThan(epochs);
    expect(site.databases.missingOn(address)).toEqual([]);
    expect(await site.databases.commit(address, 'new')).toBe('acknowledged');
    for (const { status } of site.servers('replica')) {
      expect(site.databases.missingOn(status?.privateIP ?? '')).toEqual([]);
    }
    expect(site.servers()).toHaveLength(3);
    expect(site.jobs.filter((job) => job === `${address} loading`)).toHaveLength(1);
  });

  it('is looked at, with the settings it has, and then taken over with those of its new cluster', async () => {
    const jobs: (readonly string[])[] = [];
    site.onJob = (step, { script }, where) => {
      const [, adopt = ''] = /^adopt='(.*)'$/m.exec(script) ?? [];
      const [, rewrite = ''] = /^rewrite='(.*)'$/m.exec(script) ?? [];
      if (where === address) jobs.push([step, adopt, rewrite]);
      return {};
    };
    site.create(adopting(left.primary));
    await site.until(() => site.condition('Available')?.status === 'True');
    expect(jobs.slice(0, 2)).toEqual([
      ['preparing', 'look', 'no'],
      ['loading', 'take', 'yes'],
    ]);
  });

  it('follows its new cluster from then on, and what it was before is forgotten', async () => {
    site.create(adopting(left.primary));
    await site.untilHealthy();
    await site.world.pass(5);
    expect(machine(left.primary)?.tags).toMatchObject({ [memberTag]: '', [retainedTag]: '' });
    await site.delete();
    await site.world.until(() => !site.isThere && site.world.servers.length === 0);
    expect(machine(left.primary)?.state).toBe('terminated');
  });

  it.each([
    ['a pass before it has its machine', 0, 'Terminate'],
    ['when it is bound', 2, 'Terminate'],
    ['while it is looked at', 6, 'Terminate'],
    ['while it is looked at', 6, 'Retain'],
  ])(
    'stays, and is what it was, when the cluster is given up %s (%d s, %s)',
    async (_, seconds, deletionPolicy) => {
      site.onJob = () => ({ takes: 60_000 });
      site.create(adopting(left.primary, { deletionPolicy }));
      await site.world.pass(seconds);
      await site.delete();
      await letGo();
      expect(machine(left.primary)).toMatchObject({
        state: 'running',
        tags: { [memberTag]: 'shop/db primary', [retainedTag]: expect.stringContaining('shop/') },
      });
      site.onJob = () => ({});
      site.create(adopting(left.primary));
      await site.untilHealthy();
      expect(site.databases.missingOn(site.primary)).toEqual([]);
    },
  );

  it.each([1, 2, 3])('stays when the namespace is deleted meanwhile, in whatever order: %d', async (seed) => {
    site.onJob = () => ({ takes: 60_000 });
    site.create(adopting(left.primary));
    await site.world.pass(6);
    site.terminateNamespace(seed);
    await site.world.until(() => !site.isThere && site.world.servers.length === 0);
    const { state, tags } = machine(left.primary) ?? {};
    expect({ state, part: tags?.[memberTag] }).toEqual({ state: 'running', part: 'shop/db primary' });
    expect(tags?.[retainedTag]).not.toBe('');
  });

  it('is adopted again when somebody deletes its Server meanwhile', async () => {
    site.onJob = () => ({ takes: 20_000 });
    site.create(adopting(left.primary));
    await site.until(() => site.jobs.includes(`${address} loading`));
    const first = site.servers().find(({ spec }) => spec.adopt !== undefined);
    await site.world.deleteServer(first!.metadata.name);
    await site.untilHealthy();
    expect(site.primary).toBe(address);
    expect(site.servers().map(({ metadata }) => metadata.name)).not.toContain(first!.metadata.name);
    expect(site.databases.missingOn(address)).toEqual([]);
  });

  it('is the first whichever of the servers is ready before', async () => {
    site.onJob = (step, _, where) => ({ takes: step === 'preparing' && where === address ? 40_000 : 0 });
    site.create(adopting(left.primary));
    await site.untilHealthy();
    expect(site.primary).toBe(address);
    expect(site.databases.missingOn(address)).toEqual([]);
  });

  it('is taken over by whoever follows a controller that dies at any moment', async () => {
    site.create(adopting(left.primary));
    for (let lives = 0; lives < 60; lives += 1) {
      await site.world.step();
      site.world.restart();
    }
    await site.untilHealthy();
    expect(site.primary).toBe(address);
    expect(site.databases.missingOn(address)).toEqual([]);
    expect(site.jobs.filter((job) => job === `${address} loading`)).toHaveLength(1);
  });
});

describe('refused, and left as it is:', () => {
  async function refusal(spec: object): Promise<string> {
    site.create(spec);
    await site.until(() => site.condition('Stalled')?.reason === 'BootstrapFailed', 60);
    await site.world.pass(30);
    expect(site.cluster.status?.primary).toBeUndefined();
    return site.condition('Stalled')?.message ?? '';
  }

  it('a replica, which may lack what the primary acknowledged', async () => {
    const said = await refusal(adopting(left.replica));
    expect(said).toContain('tagged ridgeline:member="shop/db replica" and may lack acknowledged writes');
    expect(said).toContain('tagged "shop/db primary"');
    expect(machine(left.replica)?.tags[retainedTag]).not.toBe('');
  });

  it('an old primary that was replaced', async () => {
    expect(await refusal(adopting(left.former))).toContain('"shop/db former primary" and may lack');
    expect(machine(left.former)?.state).toBe('stopped');
  });

  it('one of which nobody says what it was', async () => {
    await site.world.site.cloud.machines.tag(left.primary, { [memberTag]: '' });
    expect(await refusal(adopting(left.primary))).toContain(
      `Nobody knows whether ${left.primary} was the primary`,
    );
  });

  it('a replica that somebody calls a primary: its host says whom it follows', async () => {
    await site.world.site.cloud.machines.tag(left.replica, { [memberTag]: 'by-hand primary' });
    const said = await refusal(adopting(left.replica));
    expect(said).toContain(`${left.replica} cannot be adopted: `);
    expect(said).toContain('it was a replica of its former cluster');
    await site.delete();
    await site.world.until(() => !site.isThere && site.world.servers.length === 0);
    expect(machine(left.replica)?.tags[retainedTag]).not.toBe('');
    expect(machine(left.replica)?.state).toBe('running');
  });

  it('one of another flavor or version', async () => {
    site.onJob = (step) =>
      step === 'preparing' ? { exitCode: 11, lines: ['the image has MariaDB 10.11.14'] } : {};
    expect(await refusal(adopting(left.primary))).toContain('cannot be adopted: Preparing failed');
    await site.delete();
    await site.world.until(() => !site.isThere && site.world.servers.length === 0);
    expect(machine(left.primary)?.state).toBe('running');
  });

  it('one that another cluster has', async () => {
    site.world.addServer('keeper', { adopt: { instanceID: left.primary }, deletionPolicy: 'Retain' });
    await site.world.pass(5);
    expect(await refusal(adopting(left.primary))).toContain('belongs to Server shop/keeper');
  });
});

test('a person who knows says so by the tag, and has what that machine has', async () => {
  await site.world.site.cloud.machines.tag(left.former, { [memberTag]: 'by-hand primary' });
  const { privateIp = '' } = machine(left.former) ?? {};
  site.create(adopting(left.former));
  await site.until(() => machine(left.former)?.state === 'running');
  site.databases.powerOn(privateIp);
  await site.untilHealthy();
  expect(site.primary).toBe(privateIp);
  expect(site.databases.missingOn(privateIp)).toEqual(['late']);
});
