/** A database of three under writes: it comes up, its primary loses its power, and people change primaries and make mistakes. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { control } from '../../lab/cli/control.ts';
import { timelineOf } from '../../lab/demo/timeline.ts';
import { clusterSpec, DatabaseSite, type Flavor, type Shape } from '../chaos/database-site.ts';
import { nodeAt } from '../chaos/epochs.ts';
import type { Outage } from '../chaos/outage-meter.ts';
import { until } from '../lab/hosts/lab.ts';
import { object, type Story } from './story.ts';
import { WrittenHistory } from './written-history.ts';

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

/** What the tests of one file share. */
class Tale {
  readonly variant: Variant;
  /** The cluster as it was applied first. */
  readonly spec;
  readonly #shape: Shape;
  #site: DatabaseSite | undefined;
  #history: WrittenHistory | undefined;

  constructor(variant: Variant) {
    this.variant = variant;
    this.#shape = { flavor: variant.flavor, replicas: 2 };
    this.spec = clusterSpec(this.#shape);
  }

  async begin(): Promise<void> {
    this.#site = await DatabaseSite.begin(this.#shape);
    this.#history = new WrittenHistory(this.#site);
  }

  async end(): Promise<void> {
    await this.#site?.close();
  }

  get site(): DatabaseSite {
    return this.#site!;
  }

  get story(): Story {
    return this.site.story;
  }

  async underWrites(work: () => Promise<void>): Promise<Outage> {
    return await this.#history!.during(work);
  }
}

/** The same story for every flavor, each in a file of its own. */
export function tellDatabaseStory(variant: Variant): void {
  const tale = new Tale(variant);
  beforeAll(() => tale.begin(), 120_000);
  afterAll(() => tale.end());
  describe('a new cluster', () => isBorn(tale));
  describe('mistakes', () => forgivesMistakes(tale));
  describe('changed passwords', () => changesPasswords(tale));
  // The power cut comes right after it.
  describe('certificates', () => renewsCertificates(tale));
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

function isBorn(tale: Tale): void {
  test('comes up with three healthy servers, one of which takes writes', async () => {
    const began = Date.now();
    await tale.story.kubectl('wait', 'rlm/db', '--for=condition=Available', '--timeout=110s');
    console.log(`Available after ${((Date.now() - began) / 1000).toFixed(1)} s`);
    await tale.story.waitFor('rlm/db', 'Healthy');
    console.log(`Healthy after ${((Date.now() - began) / 1000).toFixed(1)} s`);
    const { primary, members = [], readyInstances, durability, version } = await tale.site.status();
    expect(primary?.epoch).toBe(1);
    expect(members.filter(({ role }) => role === 'Replica')).toHaveLength(2);
    expect(readyInstances).toBe(3);
    expect(durability).toMatchObject({ state: 'Protected', requiredAcks: 1 });
    expect(durability?.ackers).toHaveLength(2);
    expect(version).toMatch(tale.variant.version);
    for (const [type, reason] of [
      ['Redundant', 'CandidateReady'],
      ['FailoverArmed', 'Armed'],
      ['FailingOver', 'NoFailureDetected'],
      ['ReplicationHealthy', 'AllReplicasRunning'],
      ['EndpointsReady', 'Current'],
    ] as const) {
      await tale.story.waitFor('rlm/db', reason, type);
    }
  }, 200_000);

  test('takes an account that a script makes on its primary', async () => {
    await tale.site.admitClients();
    const { primary } = await tale.site.status();
    const session = await tale.site.client.session();
    const address = await tale.site.addressOf(primary?.server ?? '');
    expect(session.node).toBe(nodeAt(address));
    session.destroy();
  }, 60_000);
}

function forgivesMistakes(tale: Tale): void {
  async function refusal(work: Promise<unknown>): Promise<string> {
    return await work.then(
      () => 'accepted',
      (error: unknown) => String(error),
    );
  }

  test('a setting that failover is built on is refused', async () => {
    const settings = [{ name: 'rpl_semi_sync_master_timeout', value: '10' }];
    const wrong = object('MySQLCluster', 'wrong', { ...tale.spec, settings });
    expect(await refusal(tale.story.apply(wrong))).toContain('is managed by the operator and may not be set');
  });

  test('a cluster is not deleted while it is protected', async () => {
    const said = await refusal(tale.story.kubectl('delete', 'rlm', 'db', '--wait=false'));
    expect(said).toContain('MySQLCluster db is protected');
    expect(said).toContain('deletionProtection');
  });

  test('a promotion that expects another primary changes nothing', async () => {
    const spec = { clusterRef: { name: 'db' }, expectedPrimary: 'db-zzzzz' };
    await tale.story.apply(object('Promotion', 'late', spec));
    const { message } = await tale.story.waitFor('rlp/late', 'NotPrimaryAnymore', 'Succeeded');
    expect(message).toContain((await tale.site.status()).primary?.server);
    expect((await tale.site.status()).primary?.epoch).toBe(1);
  });

  test('an unsupported version launches nothing, and an image without the server is told', async () => {
    const { endpoints: _, settings: __, ...plain } = tale.spec;
    const single = { ...plain, instances: 1, failover: { mode: 'Manual' }, deletionProtection: false };
    const [version, unsupported] = tale.variant.unsupported;
    const [engine, absent] = tale.variant.absent;
    await tale.story.apply(
      object('MySQLCluster', 'old', { ...single, engine: { flavor: tale.variant.flavor, version } }),
      object('MySQLCluster', 'bare', { ...single, engine }),
    );
    const old = await tale.story.waitFor('rlm/old', 'UnsupportedVersion', 'Stalled');
    expect(old.message).toMatch(unsupported);
    expect(await tale.story.objects('rlsrv', '--selector=ridgeline.dev/cluster=old')).toEqual([]);
    const bare = await tale.story.waitFor('rlm/bare', 'ImageLacksServer', 'Stalled');
    expect(bare.message).toMatch(absent);
    await tale.story.kubectl('delete', 'rlm', 'old', 'bare', '--timeout=60s');
  }, 120_000);

  /** Told by the last test: the primary is asked once a minute. */
  test('an account with all privileges is made', async () => {
    const { primary } = await tale.site.status();
    await tale.site.sql(primary!.server, "CREATE USER boss@'%'; GRANT ALL ON *.* TO boss@'%'");
  });

  test('a promotion to a server of somebody else is refused', async () => {
    await tale.story.apply(object('Promotion', 'odd', { clusterRef: { name: 'db' }, target: 'app-1' }));
    await tale.story.waitFor('rlp/odd', 'PreconditionFailed', 'Succeeded');
  });
}

/** Writes go on through it, and a dead primary would be replaced all the time. */
async function expectServedAndArmed(tale: Tale, what: string, work: () => Promise<void>): Promise<void> {
  const unarmed = new Set<string>();
  const over = new AbortController();
  const watch = async () => {
    while (!over.signal.aborted) {
      const armed = (await tale.story.conditions('rlm/db')).find(({ type }) => type === 'FailoverArmed');
      if (armed?.status !== 'True') unarmed.add(`${armed?.reason}: ${armed?.message}`);
    }
  };
  const began = Date.now();
  const outage = await tale.underWrites(async () => {
    const watching = watch();
    await work();
    over.abort();
    await watching;
  });
  console.log(
    `${what}: changed in ${seconds({ from: began, to: Date.now() })} s, no write for ${seconds(outage)} s at most`,
  );
  expect([...unarmed]).toEqual([]);
  expect(outage.to - outage.from).toBeLessThan(busyFactor * 1_000);
  expect((await tale.site.status()).primary?.epoch).toBe(1);
}

function changesPasswords(tale: Tale): void {
  test('reach every server under writes, and a dead primary would be replaced all the time', async () => {
    await tale.story.waitFor('rlm/db', 'Current', 'CredentialsCurrent');
    await expectServedAndArmed(tale, 'passwords', async () => {
      const stringData = { admin: 'changed-Admin-1', replication: 'changed-Replication-1' };
      const patch = JSON.stringify({ stringData });
      await tale.story.kubectl('patch', 'secret', 'db-mysql', '--type=merge', '--patch', patch);
      await tale.story.waitFor('rlm/db', 'Rotating', 'CredentialsCurrent');
      await tale.story.waitFor('rlm/db', 'Current', 'CredentialsCurrent');
    });
  }, 120_000);
}

function renewsCertificates(tale: Tale): void {
  /** For each server: the certificate in its files, and how many pairs it has. */
  const shown = async () => {
    const { members = [] } = await tale.site.status();
    const file = '/etc/mysql/ridgeline/server-cert.pem';
    const words = `openssl x509 -noout -fingerprint -sha256 -in ${file}; ls -d /etc/mysql/ridgeline/pair.? | wc -l`;
    return await Promise.all(members.map(async ({ server }) => await tale.story.onMachine(server, words)));
  };

  test('are renewed on every server under writes, and a dead primary would be replaced all the time', async () => {
    await tale.story.waitFor('rlm/db', 'Current', 'CertificatesCurrent');
    const before = await shown();
    await expectServedAndArmed(tale, 'certificates', async () => {
      const words = ['--overwrite', 'ridgeline.dev/renew-certificates=now'];
      await tale.story.kubectl('annotate', 'rlm/db', ...words);
      await tale.story.waitFor('rlm/db', 'Renewing', 'CertificatesCurrent');
      await tale.story.waitFor('rlm/db', 'Current', 'CertificatesCurrent');
    });
    const after = await shown();
    expect(after).toHaveLength(3);
    expect(after.filter((one) => before.includes(one))).toEqual([]);
    for (const one of after) expect(one).toMatch(/^sha256 Fingerprint=.*\n1\s*$/);
    const { certificates, members = [] } = await tale.site.status();
    expect(certificates).toEqual({ request: 'now' });
    for (const { certificateEndTime = '' } of members)
      expect(Date.parse(certificateEndTime) - Date.now()).toBeGreaterThan(9 * 365 * 86_400_000);
  }, 120_000);
}

function losesPower(tale: Tale): void {
  test('is replaced without losing an acknowledged write, as the conditions tell', async () => {
    const { primary: old } = await tale.site.status();
    const id = await tale.site.instanceOf(old?.server ?? '');
    const began = tale.story.kubectl('wait', 'rlm/db', '--for=condition=FailingOver', '--timeout=60s');
    const outage = await tale.underWrites(async () => {
      await control('POST', `instances/${id}/power-off`);
      await began;
      await tale.story.kubectl('wait', 'rlm/db', '--for=condition=FailingOver=False', '--timeout=60s');
    });
    const next = `--for=jsonpath={.status.primary.epoch}=2`;
    await tale.story.kubectl('wait', 'rlm/db', next, '--timeout=1s');
    await tale.story.kubectl('wait', 'rlm/db', '--for=condition=Available', '--timeout=10s');
    const done = await tale.site.promotion('db-epoch-2');
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
    const { quarantined = [], primary } = await tale.site.status();
    expect(primary?.server).toBe(newPrimary);
    expect(quarantined.map(({ server }) => server)).toEqual([old?.server]);
  }, 120_000);

  test('leaves a machine that is switched off and kept', async () => {
    const [kept] = (await tale.site.status()).quarantined ?? [];
    const { server, instanceID } = kept!;
    expect(await tale.story.field(`rlsrv/${server}`, '{.spec.power}')).toBe('Stopped');
    await tale.story.waitFor(`rlsrv/${server}`, 'Stopped');
    expect(await tale.site.installation.instances()).toContain(instanceID);
  }, 60_000);

  test('is followed by a fresh replica, without a hand', async () => {
    await tale.story.waitFor('rlm/db', 'Healthy');
    const { members = [], durability } = await tale.site.status();
    const { redundantTime = '', detectedTime = '' } = await until('redundantTime', async () => {
      const status = await tale.site.promotion('db-epoch-2');
      return status.redundantTime === undefined ? undefined : status;
    });
    const ready = (await tale.story.conditions('rlm/db')).find(({ type }) => type === 'Ready');
    const since = (time = '') => seconds({ from: Date.parse(detectedTime), to: Date.parse(time) });
    console.log(
      `after detection: redundant in ${since(redundantTime)} s, three servers in ${since(ready?.lastTransitionTime)} s`,
    );
    expect(members.filter(({ healthy }) => healthy === true)).toHaveLength(3);
    expect(durability?.ackers).toHaveLength(2);
  }, 150_000);
}

function changesPrimary(tale: Tale): void {
  test('pauses writes for a moment and ends with the wanted server', async () => {
    const { primary: old } = await tale.site.status();
    const [target = ''] = await tale.site.replicas();
    const spec = { clusterRef: { name: 'db' }, target, expectedPrimary: old?.server };
    const outage = await tale.underWrites(async () => {
      await tale.story.apply(object('Promotion', 'planned', spec));
      await tale.story.waitFor('rlp/planned', 'Completed', 'Succeeded');
    });
    const status = await tale.site.promotion('planned');
    console.log(`switchover: no write for ${seconds(outage)} s; ${status.writeOutageMilliseconds} ms`);
    console.log(timelineOf({ metadata: { name: 'planned' }, status }, new Date(outage.from)));
    expect(status).toMatchObject({ oldPrimary: old?.server, newPrimary: target, dataLoss: 'None' });
    expect(outage.to - outage.from).toBeLessThan(busyFactor * 3_000);
    expect((await tale.site.status()).primary).toMatchObject({
      server: target,
      epoch: (old?.epoch ?? 0) + 1,
    });
    await tale.story.waitFor('rlm/db', 'SwitchoverSucceeded', 'FailingOver');
    await tale.story.waitFor('rlm/db', 'Healthy');
  }, 120_000);

  test('goes on while somebody edits the cluster again and again', async () => {
    const [target = ''] = await tale.site.replicas();
    const over = new AbortController();
    const edit = async () => {
      for (let maxLagSeconds = 31; !over.signal.aborted; maxLagSeconds += 1) {
        const patch = JSON.stringify({ spec: { maxLagSeconds } });
        await tale.story.kubectl('patch', 'rlm/db', '--type=merge', '--patch', patch);
      }
    };
    const outage = await tale.underWrites(async () => {
      const editing = edit();
      await tale.story.apply(object('Promotion', 'edited', { clusterRef: { name: 'db' }, target }));
      await tale.story.waitFor('rlp/edited', 'Completed', 'Succeeded');
      over.abort();
      await editing;
    });
    console.log(`switchover under edits: no write for ${seconds(outage)} s`);
    expect((await tale.site.status()).primary?.server).toBe(target);
    await tale.story.apply(object('MySQLCluster', 'db', tale.spec));
    await tale.story.waitFor('rlm/db', 'Healthy');
  }, 120_000);
}

function changesSettings(tale: Tale): void {
  test('reach every server by one restart each, the primary last, and no write is lost', async () => {
    const { primary: old, members = [] } = await tale.site.status();
    const servers = members.filter(({ healthy }) => healthy === true).map(({ server }) => server);
    const settings = [...tale.spec.settings, { name: 'max_connections', value: '177' }];
    const outage = await tale.underWrites(async () => {
      await tale.story.apply(object('MySQLCluster', 'db', { ...tale.spec, settings }));
      await tale.story.waitFor('rlm/db', 'Restarting', 'SettingsApplied');
      await tale.story.waitFor('rlm/db', 'SwitchingOver', 'SettingsApplied');
      await tale.story.waitFor('rlm/db', 'Current', 'SettingsApplied');
    });
    console.log(`settings: no write for ${seconds(outage)} s at most`);
    const epoch = (old?.epoch ?? 0) + 1;
    expect(await tale.site.promotion(`db-settings-${epoch}`)).toMatchObject({
      oldPrimary: old?.server,
      dataLoss: 'None',
    });
    expect((await tale.site.status()).primary?.epoch).toBe(epoch);
    const seen = await Promise.all(
      servers.map((server) => tale.site.sql(server, 'SELECT @@max_connections')),
    );
    expect(seen.map((text) => text.trim())).toEqual(servers.map(() => '177'));
    await tale.story.waitFor('rlm/db', 'Healthy');
  }, 300_000);
}

function tellsOfPower(tale: Tale): void {
  test('is told, with the statement that ends it', async () => {
    const { message } = await tale.story.waitFor('rlm/db', 'AccountsFound', 'PrivilegedWriters');
    expect(message).toContain(`REVOKE ${tale.variant.privileges} ON *.* FROM 'boss'@'%';`);
    expect(await tale.story.kubectl('get', 'events')).toContain('PrivilegedWriters');
  }, 120_000);
}
