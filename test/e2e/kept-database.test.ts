/** A database that people delete in every ordinary way: it goes on, and when they mean it another namespace takes it over. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { clusterSpec, DatabaseSite, databaseTemplate, type Shape } from '../chaos/database-site.ts';
import { object, Story } from './story.ts';
import { WrittenHistory } from './written-history.ts';

const shape: Shape = { flavor: 'MariaDB', replicas: 1 };
const count = 'SELECT COUNT(*), COUNT(DISTINCT value) FROM chaos.entries';

let site: DatabaseSite;
/** Machines of the cluster, the primary first. */
let machines: readonly string[];
let rows: string;
let epoch: number;

beforeAll(async () => {
  site = await DatabaseSite.open(shape);
}, 300_000);

afterAll(() => site.close());

async function refusal(...args: string[]): Promise<string> {
  return await site.story.kubectl(...args).then(
    () => 'accepted',
    (error: unknown) => String(error),
  );
}

test('a protected one loses neither a machine nor a write to whatever people delete', async () => {
  const before = await site.status();
  const { server: primary = '' } = before.primary ?? {};
  machines = await Promise.all([primary, ...(await site.replicas())].map((one) => site.instanceOf(one)));
  await new WrittenHistory(site).during(async () => {
    expect(await refusal('delete', 'namespace', 'databases')).toContain(
      'holds MySQLCluster db, which is protected',
    );
    const servers = ['delete', 'rlsrv', '--selector=ridgeline.dev/cluster=db', '--wait=false'];
    expect(await refusal(...servers)).toContain('belongs to MySQLCluster db, which is protected');
    await site.story.kubectl('delete', 'rlt,rls,secret', '--all', '--wait=false');
    await site.story.waitFor('rlt/database', 'InUse');
  });
  await site.story.waitFor('rlm/db', 'Healthy');
  expect((await site.status()).primary).toEqual(before.primary);
  expect(await site.installation.instances()).toEqual(expect.arrayContaining([...machines]));
  rows = await site.sql(primary, count);
  epoch = before.primary?.epoch ?? 0;
}, 120_000);

test('one that is to be retained leaves its machines running, and the namespace goes', async () => {
  const spec = { deletionProtection: false, deletionPolicy: 'Retain' };
  await site.story.kubectl('patch', 'rlm/db', '--type=merge', `--patch=${JSON.stringify({ spec })}`);
  await site.story.kubectl('delete', 'namespace', 'databases', '--timeout=150s');
  expect([...(await site.installation.instances())].toSorted()).toEqual([...machines].toSorted());
}, 180_000);

test('another namespace takes its primary over, with every row, and is redundant again', async () => {
  const story = await Story.open(site.installation, 'adopted');
  const { template, spec } = adoptedCluster(machines[0] ?? '');
  await story.apply(template, object('MySQLCluster', 'db', spec));
  await story.kubectl('wait', 'rlm/db', '--for=condition=Available', '--timeout=150s');
  const primary = await story.field('rlm/db', '{.status.primary.server}');
  expect(await story.field(`rlsrv/${primary}`, '{.status.instanceID}')).toBe(machines[0]);
  const seen = await story.onMachine(primary, `mariadb --skip-column-names --execute="${count}"`);
  expect(seen).toBe(rows);
  expect(Number(await story.field('rlm/db', '{.status.primary.epoch}'))).toBeGreaterThan(epoch);
  await story.waitFor('rlm/db', 'Healthy');
  await story.waitFor('rlm/db', 'CandidateReady', 'Redundant');
  const [replica = ''] = (
    await story.field('rlm/db', '{.status.members[?(@.role=="Replica")].server}')
  ).split(' ');
  expect(await story.onMachine(replica, `mariadb --skip-column-names --execute="${count}"`)).toBe(rows);
}, 300_000);

test('nobody takes over what has an owner', async () => {
  const story = await Story.open(site.installation, 'late');
  const { template } = adoptedCluster('');
  const late = { deploymentRef: { name: 'site' }, serverTemplateRef: { name: 'database' } };
  await story.apply(template, object('Server', 'thief', { ...late, adopt: { instanceID: machines[0] } }));
  const { message } = await story.waitFor('rlsrv/thief', 'Blocked');
  expect(message).toMatch(/belongs to Server adopted\/db-/);
}, 60_000);

function adoptedCluster(instanceID: string) {
  const { endpoints: _, ...spec } = clusterSpec(shape);
  return {
    template: databaseTemplate(shape),
    spec: {
      ...spec,
      deletionProtection: false,
      bootstrap: { type: 'Adopt', adopt: { instanceID } },
    },
  };
}
