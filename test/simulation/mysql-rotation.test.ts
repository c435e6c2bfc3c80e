/** Changed passwords of a database cluster on fakes: every server gets them, and nobody is locked out on the way. */
import { afterEach, describe, expect, it, vi } from 'vitest';
import { findCondition } from '../../controller/api/conditions.ts';
import { secrets } from '../../controller/api/resource.ts';
import { namespace } from '../builders/site.ts';
import { ClusterWorld } from './cluster-world.ts';

/** Minutes of simulated time take seconds. */
vi.setConfig({ testTimeout: 60_000 });

let site: ClusterWorld;
/** What was said of failover since the passwords were edited, apart from `Armed`. */
let unarmed: Set<string>;

afterEach(() => {
  site.close();
});

async function up(spec: object = {}): Promise<void> {
  site = new ClusterWorld(spec);
  await site.untilHealthy();
  await site.until(() => current()?.status === 'True');
  unarmed = new Set();
}

const current = () => site.condition('CredentialsCurrent');
const step = () => site.cluster.status?.credentials?.rotation?.step;
const key = { namespace, name: 'db-mysql' };

function edit(admin: string, replication = `${admin}-replication`): void {
  const data = { admin: base64(admin), replication: base64(replication) };
  site.world.site.kube.edit(secrets, key, { data });
}

function base64(text: string): string {
  return Buffer.from(text).toString('base64');
}

/** Until then it is noted whenever a dead primary would not be replaced. */
async function until(isDone: () => boolean, seconds = 300): Promise<void> {
  await site.until(() => {
    const armed = site.condition('FailoverArmed');
    if (armed?.status !== 'True') unarmed.add(`${armed?.reason}: ${armed?.message}`);
    return isDone();
  }, seconds);
}

const isSettled = () => current()?.status === 'True' && step() === undefined;

/** Every server lets in who comes with these, and nobody else. */
function expectAccepted(admin: string, former: string): void {
  for (const { status } of [...site.servers('primary'), ...site.servers('replica')]) {
    const server = site.databases.server(status?.privateIP ?? '');
    expect([server.lets('admin', admin), server.lets('replication', `${admin}-replication`)]).toEqual([
      true,
      true,
    ]);
    expect([server.lets('admin', former), server.lets('replication', `${former}-replication`)]).toEqual([
      false,
      false,
    ]);
    if (server.address !== site.primary) expect(server.sourcePassword).toBe(`${admin}-replication`);
  }
}

describe('changed passwords', () => {
  it.each([2, 3])(
    'reach all of %d servers under writes, with failover armed throughout',
    async (instances) => {
      await up({ instances });
      edit('first');
      await until(() => !isSettled());
      let writes = 0;
      const answers: Promise<string>[] = [];
      await until(() => {
        writes += 1;
        answers.push(site.databases.commit(site.primary, `write ${writes}`));
        return isSettled();
      });
      expect(new Set(await Promise.all(answers))).toEqual(new Set(['acknowledged']));
      expect([...unarmed]).toEqual([]);
      expectAccepted('first', 'none');
      edit('second');
      await until(() => !isSettled());
      await until(isSettled);
      expectAccepted('second', 'first');
      expect(site.promotions).toEqual([]);
      expect(site.databases.missingOn(site.primary)).toEqual([]);
    },
  );

  it('move replicas one after the other', async () => {
    await up();
    const apart = new Set<number>();
    edit('new');
    await until(() => step() === 'Moving');
    await until(() => {
      const replicas = site
        .servers('replica')
        .map(({ status }) => site.databases.server(status?.privateIP ?? ''));
      apart.add(replicas.filter(({ link }) => link === undefined).length);
      return step() !== 'Moving';
    });
    expect(Math.max(...apart)).toBeLessThan(2);
  });

  it.each(['Accepting', 'Moving', 'Discarding'])(
    'are no obstacle to a failover while the step is %s, and go on after it',
    async (when) => {
      await up();
      edit('new');
      await until(() => step() === when);
      const old = site.primary;
      expect(await site.databases.commit(old, 'before')).toBe('acknowledged');
      site.databases.powerOff(old);
      await site.until(() => site.primary !== old);
      await site.until(isSettled, 900);
      await site.untilHealthy(900);
      expectAccepted('new', 'none');
      const [promotion] = site.promotions;
      expect(findCondition(promotion?.status, 'Succeeded')?.status).toBe('True');
      expect(promotion?.status?.dataLoss).toBe('None');
      expect(site.databases.missingOn(site.primary)).toEqual([]);
    },
  );

  it.each(['credentials.after-pinned', 'credentials.after-recorded', 'credentials.after-told'])(
    'are carried on with by the next controller when one dies at %s',
    async (crashAt) => {
      await up();
      edit('new');
      site.world.arm(crashAt);
      await until(() => site.world.crashes > 0);
      await until(() => !isSettled());
      await until(isSettled);
      // A controller that has just begun has looked at nobody yet: that is told, too.
      expect(site.condition('FailoverArmed')?.status).toBe('True');
      expectAccepted('new', 'none');
    },
  );

  it.each(['Accepting', 'Moving', 'Discarding'])('may be edited again while the step is %s', async (when) => {
    await up();
    edit('first');
    await until(() => step() === when);
    edit('second');
    await until(() => isSettled() && site.databases.server(site.primary).lets('admin', 'second'));
    expectAccepted('second', 'first');
    expect([...unarmed]).toEqual([]);
  });

  it.each(['Accepting', 'Moving', 'Discarding'])('may be edited back while the step is %s', async (when) => {
    await up();
    edit('first');
    await until(() => !isSettled());
    await until(isSettled);
    edit('second');
    await until(() => step() === when);
    edit('first');
    await until(() => isSettled() && site.databases.server(site.primary).lets('admin', 'first'));
    expectAccepted('first', 'second');
    expect([...unarmed]).toEqual([]);
  });

  it('are told when a server refuses them, and the former ones stay in use', async () => {
    await up();
    edit('good');
    await until(() => !isSettled());
    await until(isSettled);
    for (const { status } of site.servers()) {
      const isWeak = (password: string) => password.startsWith('weak');
      site.databases.trouble(status?.privateIP ?? '', { refusesPassword: isWeak });
    }
    edit('weak');
    await until(() => current()?.reason === 'Refused');
    expect(current()?.message).toMatch(/1819: Your password does not satisfy .*Secret shop\/db-mysql/);
    site.world.restart();
    await until(() => current()?.reason === 'Refused');
    await site.world.pass(120);
    expect([...unarmed]).toEqual([]);
    expectAccepted('good', 'weak');
    edit('strong');
    await until(isSettled);
    expectAccepted('strong', 'good');
  });

  it.each([
    ['empty', { data: { admin: '' } }, 'SecretInvalid', "has nothing under the key 'admin'"],
    [
      'too long',
      { data: { replication: base64('x'.repeat(33)) } },
      'SecretInvalid',
      'more than 32 characters',
    ],
    ['two lines', { data: { admin: base64('one\ntwo') } }, 'SecretInvalid', 'control characters'],
  ])('that are %s are told, and change nothing', async (_, patch, reason, text) => {
    await up();
    edit('good');
    await until(() => !isSettled());
    await until(isSettled);
    site.world.site.kube.edit(secrets, key, patch);
    await until(() => current()?.reason === reason);
    expect(current()?.message).toContain(text);
    expect(current()?.message).toContain('kubectl -n shop create secret generic db-mysql');
    site.world.restart();
    await site.world.pass(60);
    await until(() => current()?.reason === reason);
    expect([...unarmed]).toEqual([]);
    expectAccepted('good', '');
    expect(site.condition('Stalled')).toBeUndefined();
  });

  it('that are deleted are made anew, unless the user has named their Secret', async () => {
    await up();
    const { kube } = site.world.site;
    await kube.delete(secrets, (await kube.get(secrets, key))!);
    await until(() => !isSettled());
    await until(isSettled);
    site.edit({ spec: { credentialsSecretRef: { name: 'mine' } } });
    await until(() => current()?.reason === 'SecretMissing');
    expect(current()?.message).toMatch(/^Secret shop\/mine does not exist\./);
    site.world.restart();
    await site.world.pass(60);
    expect([...unarmed]).toEqual([]);
    const data = { admin: base64('mine'), replication: base64('mine-replication') };
    kube.seed(secrets, { apiVersion: 'v1', kind: 'Secret', metadata: { namespace, name: 'mine' }, data });
    await until(() => isSettled() && site.databases.server(site.primary).lets('admin', 'mine'));
    expectAccepted('mine', 'first');
  });

  it('wait for a server that is on its way in as a copy', async () => {
    await up();
    site.onJob = (job) => ({ takes: job === 'cloning' ? 60_000 : 1_000 });
    site.edit({ spec: { instances: 4 } });
    await site.until(() => site.cluster.status?.members?.some((one) => one.step === 'Cloning') === true);
    edit('new');
    await until(() => step() === 'Accepting');
    await site.world.pass(30);
    expect(step()).toBe('Accepting');
    await until(isSettled);
    expect(site.servers('replica')).toHaveLength(3);
    expectAccepted('new', 'none');
  });
});

it('what people change by hand is put right', async () => {
  await up();
  edit('good');
  await until(() => !isSettled());
  await until(isSettled);
  const alteredAccounts = { admin: ['theirs'], replication: ['theirs'] };
  for (const { status } of site.servers()) {
    site.databases.trouble(status?.privateIP ?? '', { alteredAccounts });
  }
  await site.world.pass(70);
  for (const { status } of site.servers('replica')) {
    site.databases.trouble(status?.privateIP ?? '', { alteredAccounts: undefined });
  }
  await site.until(isSettled);
  expectAccepted('good', 'theirs');
  await site.until(() => site.condition('FailoverArmed')?.status === 'True');
});
