/** Certificates of a database cluster on fakes: renewed one server at a time, and nobody who is connected notices. */
import { afterEach, describe, expect, it, vi } from 'vitest';
import { findCondition } from '../../controller/api/conditions.ts';
import type { FailpointName } from '../../controller/base/failpoints.ts';
import { certificateLife, type FakePairs, fakePair } from '../fakes/database-certificates.ts';
import { ClusterWorld } from './cluster-world.ts';

/** Minutes of simulated time take seconds. */
vi.setConfig({ testTimeout: 60_000 });

const day = 86_400_000;

let site: ClusterWorld;
/** What was said of failover since the renewal began, apart from `Armed`. */
let unarmed: Set<string>;
/** Fingerprints before it. */
let former: ReadonlyMap<string, string | undefined>;

afterEach(() => {
  site.close();
});

async function up(spec: object = {}): Promise<void> {
  site = new ClusterWorld(spec);
  await site.untilHealthy();
  await site.until(() => current()?.status === 'True');
  unarmed = new Set();
  former = new Map(addresses().map((address) => [address, pairs(address).presented?.fingerprint]));
}

const current = () => site.condition('CertificatesCurrent');
const renewal = () => site.cluster.status?.certificates?.renewal;
const members = () => [...site.servers('replica'), ...site.servers('primary')];
const addresses = () => members().map(({ status }) => status?.privateIP ?? '');
const pairs = (address: string): FakePairs => site.databases.server(address).pairs;
const isSettled = () => current()?.status === 'True' && renewal() === undefined;

function ask(value: string): void {
  site.edit({ metadata: { annotations: { 'ridgeline.dev/renew-certificates': value } } });
}

/** Until then it is noted whenever a dead primary would not be replaced. */
async function until(isDone: () => boolean, seconds = 300): Promise<void> {
  await site.until(() => {
    const armed = site.condition('FailoverArmed');
    if (armed?.status !== 'True') unarmed.add(`${armed?.reason}: ${armed?.message}`);
    return isDone();
  }, seconds);
}

/** Every server shows one that it did not show before, alone, and replicas accept that of the primary and no other. */
function expectRenewed(): void {
  const { presented } = pairs(site.primary);
  for (const address of addresses()) {
    const { own, other, presented: shown } = pairs(address);
    expect(shown?.fingerprint).not.toBe(former.get(address));
    expect([own, other]).toEqual([shown, undefined]);
    if (address !== site.primary) expect(site.databases.server(address).trusts).toBe(presented?.pem);
  }
}

/** Every replica could connect anew to the primary. */
function isAccepted(): boolean {
  const { clock } = site.world.site;
  return addresses()
    .filter((one) => one !== site.primary)
    .every((one) => pairs(site.primary).isAcceptedBy(site.databases.server(one).trusts, clock.now()));
}

/** The certificate of that server has so many days left. */
function age(address: string, daysLeft: number): void {
  const { own } = pairs(address);
  const notAfter = site.world.site.clock.now() + daysLeft * day;
  Object.assign(pairs(address), { own: { ...own!, notAfter, notBefore: notAfter - certificateLife } });
  pairs(address).load();
}

describe('certificates', () => {
  it.each([2, 3])(
    'of all %d servers are renewed under writes when that is asked for, with failover armed throughout',
    async (instances) => {
      await up({ instances });
      const links = addresses().map((address) => site.databases.server(address).link);
      ask('now');
      await until(() => renewal() !== undefined);
      let writes = 0;
      const answers: Promise<string>[] = [];
      await until(() => {
        writes += 1;
        answers.push(site.databases.commit(site.primary, `write ${writes}`));
        return isSettled();
      });
      expect(new Set(await Promise.all(answers))).toEqual(new Set(['acknowledged']));
      expect([...unarmed]).toEqual([]);
      expectRenewed();
      // Nobody had to connect anew.
      expect(addresses().map((address) => site.databases.server(address).link)).toEqual(links);
      expect(site.promotions).toEqual([]);
      await site.world.pass(60);
      expect(renewal()).toBeUndefined();
      former = new Map(addresses().map((address) => [address, pairs(address).presented?.fingerprint]));
      ask('again');
      await until(() => renewal() !== undefined);
      await until(isSettled);
      expectRenewed();
    },
  );

  it('are renewed by themselves when a third of their life is left, the primary last', async () => {
    await up();
    const order: string[] = [];
    const [one = ''] = addresses();
    age(one, 1_300);
    await site.world.pass(600);
    expect(renewal()).toBeUndefined();
    expect(
      site.cluster.status?.members?.map(({ certificateEndTime = '' }) => certificateEndTime.slice(0, 4)),
    ).toContain(String(new Date(pairs(one).own!.notAfter).getUTCFullYear()));
    for (const address of addresses()) age(address, 1_200);
    await until(() => {
      const { server } = renewal() ?? {};
      if (server !== undefined && order.at(-1) !== server) order.push(server);
      return order.length === 3 && isSettled();
    }, 900);
    expect(order.at(-1)).toBe(site.cluster.status?.primary?.server);
    expect([...unarmed]).toEqual([]);
    expectRenewed();
  });

  it('are never shown to a replica that would not accept them', async () => {
    await up();
    ask('now');
    await until(() => {
      expect(isAccepted()).toBe(true);
      return (
        renewal() === undefined && pairs(site.primary).presented?.fingerprint !== former.get(site.primary)
      );
    });
  });

  it.each(
    ['Making', 'Trusting', 'Presenting', 'Discarding'].flatMap((when) => [
      ['the primary', when] as const,
      ['a replica', when] as const,
    ]),
  )('are no obstacle to a failover while %s is at the step %s, and go on after it', async (who, when) => {
    await up();
    ask('now');
    const leader = site.cluster.status?.primary?.server;
    await until(() => (renewal()?.server === leader) === (who === 'the primary') && renewal()?.step === when);
    const old = site.primary;
    expect(await site.databases.commit(old, 'before')).toBe('acknowledged');
    site.databases.powerOff(old);
    await site.until(() => site.primary !== old);
    await site.until(isSettled, 900);
    await site.untilHealthy(900);
    const [promotion] = site.promotions;
    expect(findCondition(promotion?.status, 'Succeeded')?.status).toBe('True');
    expect(promotion?.status?.dataLoss).toBe('None');
    expect(site.databases.missingOn(site.primary)).toEqual([]);
    expectRenewed();
  });

  it('lose nothing when the power of the primary is cut right after it shows its new one', async () => {
    await up();
    ask('now');
    const old = site.primary;
    const isShown = () => pairs(old).presented?.fingerprint !== former.get(old);
    await until(() => {
      void site.databases.commit(old, `write ${site.world.site.clock.now()}`);
      return isShown();
    });
    expect(await site.databases.commit(old, 'the last')).toBe('acknowledged');
    site.databases.powerOff(old);
    await site.until(() => site.primary !== old);
    await site.untilHealthy(900);
    await site.until(isSettled, 900);
    expect(site.promotions[0]?.status?.dataLoss).toBe('None');
    expect(site.databases.missingOn(site.primary)).toEqual([]);
    expect([...unarmed]).toEqual([]);
  });

  it.each<FailpointName>([
    'certificates.after-making-recorded',
    'certificates.after-made',
    'certificates.after-trusting-recorded',
    'certificates.after-trusted',
    'certificates.after-presenting-recorded',
    'certificates.after-presented',
    'certificates.after-discarding-recorded',
    'certificates.after-discarded',
  ])('are renewed by the next controller when one dies at %s', async (crashAt) => {
    await up();
    ask('now');
    site.world.arm(crashAt);
    await until(() => site.world.crashes > 0);
    await until(() => renewal() === undefined && site.cluster.status?.certificates?.due === undefined);
    await until(isSettled);
    expectRenewed();
    expect(site.condition('FailoverArmed')?.status).toBe('True');
  });

  it('are not called bad after a failover, when replicas have to accept that of another', async () => {
    await up();
    const said = new Set<string>();
    const old = site.primary;
    site.databases.powerOff(old);
    await site.until(() => {
      said.add(current()?.reason ?? '');
      return (
        site.primary !== old && findCondition(site.promotions[0]?.status, 'Succeeded')?.status === 'True'
      );
    });
    await site.until(() => {
      said.add(current()?.reason ?? '');
      return isSettled() && site.condition('Ready')?.status === 'True';
    }, 900);
    await site.world.pass(400);
    expect([...said].filter((reason) => reason !== 'Current' && reason !== 'NotChecked')).toEqual([]);
    expect(site.world.site.events.recorded.map(({ reason }) => reason)).not.toContain('CertificateInvalid');
  });

  it('wait for a server that is on its way in as a copy', async () => {
    await up();
    site.onJob = (job) => ({ takes: job === 'cloning' ? 60_000 : 1_000 });
    site.edit({ spec: { instances: 4 } });
    await site.until(() => site.cluster.status?.members?.some((one) => one.step === 'Cloning') === true);
    ask('now');
    await until(() => current()?.reason === 'RenewalPending');
    expect(current()?.message).toMatch(/asks for it\. Renewal waits: db-\w+ is on its way in as a copy\.$/);
    await until(isSettled);
    expectRenewed();
  });

  it('wait while the cluster is suspended', async () => {
    await up();
    site.edit({ spec: { suspend: true } });
    ask('now');
    await site.until(() => current()?.reason === 'RenewalPending');
    expect(current()?.message).toMatch(/It is renewed once the cluster is neither suspended nor paused\.$/);
    await site.world.pass(30);
    expect(renewal()).toBeUndefined();
    site.edit({ spec: { suspend: false } });
    await site.until(() => renewal() !== undefined);
    await site.until(isSettled);
    expectRenewed();
  });
});

describe('what people do to certificates', () => {
  it.each<[string, (on: FakePairs) => void, RegExp]>([
    [
      'a file is deleted',
      (on) => Object.assign(on, { own: undefined }),
      /has no certificate that can be read/,
    ],
    [
      'a key is replaced',
      (on) => Object.assign(on, { own: { ...on.own!, fault: 'OtherKey' } }),
      /does not belong to its key/,
    ],
    [
      'another is put there',
      (on) =>
        Object.assign(on, { own: { ...on.own!, ...fakePair('theirs', '', 0), notAfter: on.own!.notAfter } }),
      /shows another certificate than the one in its files/,
    ],
    [
      'another is put there and loaded',
      (on) => {
        Object.assign(on, { own: { ...fakePair('theirs', '', 0), notAfter: on.own!.notAfter } });
        on.load();
      },
      /does not accept the certificate of db-/,
    ],
    [
      'it has ended',
      (on) => {
        Object.assign(on, { own: { ...on.own!, notAfter: site.world.site.clock.now() - day } });
        on.load();
      },
      /has a certificate that ended on 2/,
    ],
  ])('is seen, told and put right: %s', async (_, spoil, says) => {
    await up();
    spoil(pairs(site.primary));
    const wasAccepted = isAccepted();
    await until(() => renewal() !== undefined, 400);
    const events = site.world.site.events.recorded.filter(({ reason }) => reason === 'CertificateInvalid');
    expect(events.map(({ message }) => message).join()).toMatch(says);
    await until(() => {
      // Whoever could connect anew still could, whatever the files say.
      if (wasAccepted) expect(isAccepted()).toBe(true);
      return isSettled();
    });
    expect(pairs(site.primary).presented?.fingerprint).not.toBe(former.get(site.primary));
    expect([...unarmed]).toEqual([]);
    for (const address of addresses().filter((one) => one !== site.primary))
      expect(site.databases.server(address).trusts).toBe(pairs(site.primary).pem);
  });

  it('what a replica accepts is put back when somebody has spoiled it', async () => {
    await up();
    const [replica = ''] = addresses().filter((one) => one !== site.primary);
    site.databases.server(replica).trusts = 'nonsense';
    await until(() => renewal() !== undefined, 400);
    const told = site.world.site.events.recorded.filter(({ reason }) => reason === 'CertificateInvalid');
    expect(told[0]?.message).toMatch(/: db-\w+ does not accept the certificate of db-\w+\.$/);
    await until(isSettled);
    expect(isAccepted()).toBe(true);
    expect([...unarmed]).toEqual([]);
  });

  it('a server that does not load another is told, keeps the former one, and gets one later', async () => {
    await up();
    const [address = ''] = addresses();
    pairs(address).isStuck = true;
    ask('now');
    await until(() => current()?.reason === 'RenewalFailed');
    expect(current()?.message).toMatch(
      /is not renewed: .*3887.* the former one stays in use\. On db-\w+, look at journalctl -u mariadb/,
    );
    await site.world.pass(120);
    expect(pairs(address).presented?.fingerprint).toBe(former.get(address));
    pairs(address).isStuck = false;
    await until(isSettled);
    expectRenewed();
    expect([...unarmed]).toEqual([]);
  });

  it('a clock that is behind keeps a certificate from being shown until it is good there', async () => {
    await up({ instances: 2 });
    const [replica = ''] = site.servers('replica').map(({ status }) => status?.privateIP ?? '');
    pairs(replica).clockAhead = -20 * 60_000;
    ask('now');
    const leader = site.cluster.status?.primary?.server;
    await until(() => renewal()?.server === leader && current()?.message.includes('clock') === true);
    expect(current()?.message).toMatch(
      /It waits: the clock of db-\w+ shows .*, and the certificate is good from /,
    );
    await site.world.pass(60);
    expect(pairs(site.primary).presented?.fingerprint).toBe(former.get(site.primary));
    await until(isSettled, 1_500);
    expectRenewed();
    expect([...unarmed]).toEqual([]);
  });
});
