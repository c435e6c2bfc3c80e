/** A database of three under writes: it comes up, its primary loses its power, and people change primaries and make mistakes. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { control } from '../../lab/cli/control.ts';
import { timelineOf } from '../../lab/demo/timeline.ts';
import type { Flavor } from '../chaos/database-site.ts';
import { nodeAt } from '../chaos/epochs.ts';
import type { Outage } from '../chaos/outage-meter.ts';
import { until } from '../lab/hosts/lab.ts';
import { DatabaseScene } from './database-scene.ts';
import { object } from './story.ts';

/** The times to reach are for a machine with nothing else to do; make bench-failover measures those. */
const busyFactor = 3;

/** What one flavor's story says in other words than the other's. */
export interface Variant {
  readonly flavor: Flavor;
  readonly version: RegExp;
  /** A version that is not supported, and what is said of it. */
  readonly unsupported: readonly [string, RegExp];
  /** A server that the image does not have, and what is said of it. */
  readonly absent: readonly [{ readonly flavor: Flavor; readonly version: string }, RegExp];
  /** What an account with all privileges has of those that a read-only server does not stop. */
  readonly privileges: string;
}

interface Tale {
  readonly scene: DatabaseScene;
  readonly variant: Variant;
}

/** The same story for every flavor, each in a file of its own. */
export function tellDatabaseStory(variant: Variant): void {
  const scene = new DatabaseScene(variant.flavor);
  const tale = { scene, variant };
  beforeAll(() => scene.open(), 120_000);
  afterAll(() => scene.close());
  describe('a new cluster', () => isBorn(tale));
  describe('mistakes', () => forgivesMistakes(tale));
  describe('a primary that loses its power', () => losesPower(tale));
  describe('a planned change of primary', () => changesPrimary(tale));
  describe('changed settings', () => changesSettings(tale));
  describe('an account that read-only servers do not stop', () => tellsOfPower(tale));
}

function clock(time: number): string {
  return new Date(time).toISOString().slice(11, 23);
}

/** Seconds from the first to the last of these times. */
function seconds({ from, to }: Outage): string {
  return ((to - from) / 1000).toFixed(1);
}

function isBorn({ scene, variant }: Tale): void {
  test('comes up with three healthy servers, one of which takes writes', async () => {
    const began = Date.now();
    await scene.story.kubectl('wait', 'rlm/db', '--for=condition=Available', '--timeout=110s');
    console.log(`Available after ${((Date.now() - began) / 1000).toFixed(1)} s`);
    await scene.story.waitFor('rlm/db', 'Healthy');
    console.log(`Healthy after ${((Date.now() - began) / 1000).toFixed(1)} s`);
    const { primary, members = [], readyInstances, durability, version } = await scene.status();
    expect(primary?.epoch).toBe(1);
    expect(members.filter(({ role }) => role === 'Replica')).toHaveLength(2);
    expect(readyInstances).toBe(3);
    expect(durability).toMatchObject({ state: 'Protected', requiredAcks: 1 });
    expect(durability?.ackers).toHaveLength(2);
    expect(version).toMatch(variant.version);
    for (const [type, reason] of [
      ['Redundant', 'CandidateReady'],
      ['FailoverArmed', 'Armed'],
      ['FailingOver', 'NoFailureDetected'],
      ['ReplicationHealthy', 'AllReplicasRunning'],
      ['EndpointsReady', 'Current'],
    ] as const) {
      await scene.story.waitFor('rlm/db', reason, type);
    }
  }, 200_000);

  test('takes an account that a script makes on its primary', async () => {
    await scene.story.apply(
      object('ScriptRun', 'create-account', {
        target: { cluster: 'db', role: 'Primary' },
        scriptRef: { name: 'create-account' },
      }),
    );
    await scene.story.waitFor('rlr/create-account', 'Completed', 'Succeeded');
    const client = await scene.connect();
    const { primary } = await scene.status();
    const session = await client.session();
    const address = await scene.story.field(`rlsrv/${primary?.server}`, '{.status.privateIP}');
    expect(session.node).toBe(nodeAt(address));
    session.destroy();
  }, 60_000);
}

function forgivesMistakes({ scene, variant }: Tale): void {
  async function refusal(work: Promise<unknown>): Promise<string> {
    return await work.then(
      () => 'accepted',
      (error: unknown) => String(error),
    );
  }

  test('a setting that failover is built on is refused', async () => {
    const settings = [{ name: 'rpl_semi_sync_master_timeout', value: '10' }];
    const wrong = object('MySQLCluster', 'wrong', { ...scene.spec, settings });
    expect(await refusal(scene.story.apply(wrong))).toContain(
      'is managed by the operator and may not be set',
    );
  });

  test('a cluster is not deleted while it is protected', async () => {
    const said = await refusal(scene.story.kubectl('delete', 'rlm', 'db', '--wait=false'));
    expect(said).toContain('MySQLCluster db is protected');
    expect(said).toContain('deletionProtection');
  });

  test('a promotion that expects another primary changes nothing', async () => {
    const spec = { clusterRef: { name: 'db' }, expectedPrimary: 'db-zzzzz' };
    await scene.story.apply(object('Promotion', 'late', spec));
    const { message } = await scene.story.waitFor('rlp/late', 'NotPrimaryAnymore', 'Succeeded');
    expect(message).toContain((await scene.status()).primary?.server);
    expect((await scene.status()).primary?.epoch).toBe(1);
  });

  test('an unsupported version launches nothing, and an image without the server is told', async () => {
    const { endpoints: _, settings: __, ...plain } = scene.spec;
    const single = { ...plain, instances: 1, failover: { mode: 'Manual' }, deletionProtection: false };
    const [version, unsupported] = variant.unsupported;
    const [engine, absent] = variant.absent;
    await scene.story.apply(
      object('MySQLCluster', 'old', { ...single, engine: { flavor: variant.flavor, version } }),
      object('MySQLCluster', 'bare', { ...single, engine }),
    );
    const old = await scene.story.waitFor('rlm/old', 'UnsupportedVersion', 'Stalled');
    expect(old.message).toMatch(unsupported);
    expect(await scene.story.objects('rlsrv', '--selector=ridgeline.dev/cluster=old')).toEqual([]);
    const bare = await scene.story.waitFor('rlm/bare', 'ImageLacksServer', 'Stalled');
    expect(bare.message).toMatch(absent);
    await scene.story.kubectl('delete', 'rlm', 'old', 'bare', '--timeout=60s');
  }, 120_000);

  /** Told by the last test: the primary is asked once a minute. */
  test('an account with all privileges is made', async () => {
    const { primary } = await scene.status();
    await scene.sql(primary!.server, "CREATE USER boss@'%'; GRANT ALL ON *.* TO boss@'%'");
  });

  test('a promotion to a server of somebody else is refused', async () => {
    await scene.story.apply(object('Promotion', 'odd', { clusterRef: { name: 'db' }, target: 'app-1' }));
    await scene.story.waitFor('rlp/odd', 'PreconditionFailed', 'Succeeded');
  });
}

function losesPower({ scene }: Tale): void {
  test('is replaced without losing an acknowledged write, as the conditions tell', async () => {
    const { primary: old } = await scene.status();
    const id = await scene.story.field(`rlsrv/${old?.server}`, '{.status.instanceID}');
    const began = scene.story.kubectl('wait', 'rlm/db', '--for=condition=FailingOver', '--timeout=60s');
    const outage = await scene.underWrites(async () => {
      await control('POST', `instances/${id}/power-off`);
      await began;
      await scene.story.kubectl('wait', 'rlm/db', '--for=condition=FailingOver=False', '--timeout=60s');
    });
    const next = `--for=jsonpath={.status.primary.epoch}=2`;
    await scene.story.kubectl('wait', 'rlm/db', next, '--timeout=1s');
    await scene.story.kubectl('wait', 'rlm/db', '--for=condition=Available', '--timeout=10s');
    const done = await scene.promotion('db-epoch-2');
    const { newPrimary, dataLoss, writeOutageMilliseconds = 0 } = done;
    console.log(
      `power cut: no write for ${seconds(outage)} s as clients saw it (${clock(outage.from)} to ${clock(outage.to)}), ` +
        `${writeOutageMilliseconds} ms as the promotion has it (since ${done.lastWriteTime})`,
    );
    console.log(timelineOf({ metadata: { name: 'db-epoch-2' }, status: done }, new Date(outage.from)));
    expect(newPrimary).not.toBe(old?.server);
    expect(dataLoss).toBe('None');
    expect(outage.to - outage.from).toBeLessThan(busyFactor * 12_000);
    expect(Math.abs(writeOutageMilliseconds - (outage.to - outage.from))).toBeLessThan(500);
    const { quarantined = [], primary } = await scene.status();
    expect(primary?.server).toBe(newPrimary);
    expect(quarantined.map(({ server }) => server)).toEqual([old?.server]);
  }, 120_000);

  test('leaves a machine that is switched off and kept', async () => {
    const [kept] = (await scene.status()).quarantined ?? [];
    const { server, instanceID } = kept!;
    expect(await scene.story.field(`rlsrv/${server}`, '{.spec.power}')).toBe('Stopped');
    await scene.story.waitFor(`rlsrv/${server}`, 'Stopped');
    expect(await scene.site.instances()).toContain(instanceID);
  }, 60_000);

  test('is followed by a fresh replica, without a hand', async () => {
    await scene.story.waitFor('rlm/db', 'Healthy');
    const { members = [], durability } = await scene.status();
    const { redundantTime = '', detectedTime = '' } = await until('redundantTime', async () => {
      const status = await scene.promotion('db-epoch-2');
      return status.redundantTime === undefined ? undefined : status;
    });
    const ready = (await scene.story.conditions('rlm/db')).find(({ type }) => type === 'Ready');
    const since = (time = '') => seconds({ from: Date.parse(detectedTime), to: Date.parse(time) });
    console.log(
      `after detection: redundant in ${since(redundantTime)} s, three servers in ${since(ready?.lastTransitionTime)} s`,
    );
    expect(members.filter(({ healthy }) => healthy === true)).toHaveLength(3);
    expect(durability?.ackers).toHaveLength(2);
  }, 150_000);
}

function changesPrimary({ scene }: Tale): void {
  test('pauses writes for a moment and ends with the wanted server', async () => {
    const { primary: old } = await scene.status();
    const target = await scene.someReplica();
    const spec = { clusterRef: { name: 'db' }, target, expectedPrimary: old?.server };
    const outage = await scene.underWrites(async () => {
      await scene.story.apply(object('Promotion', 'planned', spec));
      await scene.story.waitFor('rlp/planned', 'Completed', 'Succeeded');
    });
    const status = await scene.promotion('planned');
    console.log(`switchover: no write for ${seconds(outage)} s; ${status.writeOutageMilliseconds} ms`);
    console.log(timelineOf({ metadata: { name: 'planned' }, status }, new Date(outage.from)));
    expect(status).toMatchObject({ oldPrimary: old?.server, newPrimary: target, dataLoss: 'None' });
    expect(outage.to - outage.from).toBeLessThan(busyFactor * 3_000);
    expect((await scene.status()).primary).toMatchObject({ server: target, epoch: (old?.epoch ?? 0) + 1 });
    await scene.story.waitFor('rlm/db', 'SwitchoverSucceeded', 'FailingOver');
    await scene.story.waitFor('rlm/db', 'Healthy');
  }, 120_000);

  test('goes on while somebody edits the cluster again and again', async () => {
    const target = await scene.someReplica();
    const over = new AbortController();
    const edit = async () => {
      for (let maxLagSeconds = 31; !over.signal.aborted; maxLagSeconds += 1) {
        const patch = JSON.stringify({ spec: { maxLagSeconds } });
        await scene.story.kubectl('patch', 'rlm/db', '--type=merge', '--patch', patch);
      }
    };
    const outage = await scene.underWrites(async () => {
      const editing = edit();
      await scene.story.apply(object('Promotion', 'edited', { clusterRef: { name: 'db' }, target }));
      await scene.story.waitFor('rlp/edited', 'Completed', 'Succeeded');
      over.abort();
      await editing;
    });
    console.log(`switchover under edits: no write for ${seconds(outage)} s`);
    expect((await scene.status()).primary?.server).toBe(target);
    await scene.story.apply(object('MySQLCluster', 'db', scene.spec));
    await scene.story.waitFor('rlm/db', 'Healthy');
  }, 120_000);
}

function changesSettings({ scene }: Tale): void {
  test('reach every server by one restart each, the primary last, and no write is lost', async () => {
    const { primary: old, members = [] } = await scene.status();
    const servers = members.filter(({ healthy }) => healthy === true).map(({ server }) => server);
    const settings = [...scene.spec.settings, { name: 'max_connections', value: '177' }];
    const outage = await scene.underWrites(async () => {
      await scene.story.apply(object('MySQLCluster', 'db', { ...scene.spec, settings }));
      await scene.story.waitFor('rlm/db', 'Restarting', 'SettingsApplied');
      await scene.story.waitFor('rlm/db', 'SwitchingOver', 'SettingsApplied');
      await scene.story.waitFor('rlm/db', 'Current', 'SettingsApplied');
    });
    console.log(`settings: no write for ${seconds(outage)} s at most`);
    const epoch = (old?.epoch ?? 0) + 1;
    expect(await scene.promotion(`db-settings-${epoch}`)).toMatchObject({
      oldPrimary: old?.server,
      dataLoss: 'None',
    });
    expect((await scene.status()).primary?.epoch).toBe(epoch);
    const seen = await Promise.all(servers.map((server) => scene.sql(server, 'SELECT @@max_connections')));
    expect(seen.map((text) => text.trim())).toEqual(servers.map(() => '177'));
    await scene.story.waitFor('rlm/db', 'Healthy');
  }, 300_000);
}

function tellsOfPower({ scene, variant }: Tale): void {
  test('is told, with the statement that ends it', async () => {
    const { message } = await scene.story.waitFor('rlm/db', 'AccountsFound', 'PrivilegedWriters');
    expect(message).toContain(`REVOKE ${variant.privileges} ON *.* FROM 'boss'@'%';`);
    expect(await scene.story.kubectl('get', 'events')).toContain('PrivilegedWriters');
  }, 120_000);
}
