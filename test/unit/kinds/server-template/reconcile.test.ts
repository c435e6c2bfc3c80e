/** When a template cuts a revision, what is in it, and how long it is kept. */
import { beforeEach, describe, expect, test } from 'vitest';
import { controllerRevisions } from '../../../../controller/api/resource.ts';
import { scriptKind } from '../../../../controller/api/script.ts';
import { type ServerTemplate, serverTemplateKind } from '../../../../controller/api/server-template.ts';
import { templateRevision } from '../../../../controller/api/template-revision.ts';
import { createScriptController } from '../../../../controller/kinds/script/reconcile.ts';
import { createServerTemplateController } from '../../../../controller/kinds/server-template/reconcile.ts';
import type { KindController } from '../../../../controller/kube/reconciler.ts';
import { namespace, Site, words } from '../../../builders/site.ts';

const key = { namespace, name: 'app' };
const scriptKey = { namespace, name: 'boot' };

let site: Site;
let controller: KindController;

beforeEach(async () => {
  site = new Site();
  controller = createServerTemplateController(site);
  site.addAccount();
  site.addDeployment();
  site.cloud.machines.images.push({ id: 'ami-0aaa', name: 'base-1', owner: 'self', available: true });
  site.kube.seed(scriptKind, {
    ...words(scriptKind),
    metadata: scriptKey,
    spec: { source: { inline: 'echo one' } } as never,
  });
  await checkScript();
  site.kube.seed(serverTemplateKind, {
    ...words(serverTemplateKind),
    metadata: key,
    spec: {
      image: { name: 'base-*' },
      instance: { types: ['t3.small'] },
      boot: [{ name: 'first', scriptRef: { name: 'boot' } }],
    } as never,
  });
});

async function checkScript(): Promise<void> {
  await site.reconcile(createScriptController(site), scriptKey);
}

async function reconcile(): Promise<ServerTemplate> {
  await site.reconcile(controller, key);
  const template = site.cache.get(serverTemplateKind, key);
  if (template === undefined) throw new Error('the template is gone');
  return template;
}

const ready = (template: ServerTemplate) => template.status?.conditions?.find((one) => one.type === 'Ready');
const revisions = () => site.cache.list(controllerRevisions);

test('cuts a revision that holds everything a server needs', async () => {
  const template = await reconcile();
  const hash = template.status?.revision ?? '';
  expect(ready(template)).toMatchObject({ status: 'True', reason: 'Valid' });
  expect(template.status).toMatchObject({ imageID: 'ami-0aaa', servers: 0, outdatedServers: 0 });
  const [revision] = revisions();
  expect(revision?.metadata).toMatchObject({
    name: `app-${hash}`,
    labels: { 'ridgeline.dev/template': 'app' },
    ownerReferences: [{ kind: 'ServerTemplate', uid: template.metadata.uid }],
  });
  expect(templateRevision.parse(revision?.data)).toMatchObject({
    imageID: 'ami-0aaa',
    boot: [{ name: 'first', script: 'boot' }],
    scripts: [{ name: 'boot', text: 'echo one', interpreter: '/bin/bash' }],
    bootDeadlineSeconds: 1800,
  });
});

test('the same content keeps its revision, and costs EC2 nothing', async () => {
  const before = await reconcile();
  const calls = site.cloud.machines.faults.calls.length;
  const after = await reconcile();
  expect(after).toEqual(before);
  expect(revisions()).toHaveLength(1);
  expect(site.cloud.machines.faults.calls).toHaveLength(calls);
});

test('a changed script makes a new revision and tells what changed; servers become outdated', async () => {
  const before = await reconcile();
  site.addServer('web', 1, { status: { templateRevision: before.status?.revision } });
  site.kube.edit(scriptKind, scriptKey, { spec: { source: { inline: 'echo two' } } });
  expect(ready(await reconcile())?.reason).toBe('Resolving');
  await checkScript();
  const after = await reconcile();
  expect(after.status?.revision).not.toBe(before.status?.revision);
  expect(after.status).toMatchObject({ servers: 1, outdatedServers: 1 });
  expect(after.status?.conditions?.find((one) => one.type === 'UpToDate')).toMatchObject({
    status: 'False',
    reason: 'ServersOutdated',
  });
  expect(site.events.recorded.at(-1)).toMatchObject({
    reason: 'RevisionChanged',
    message: `Revision ${after.status?.revision} replaces ${before.status?.revision}; changed: script boot.`,
  });
});

test('a newer image does not change a template by itself; editing the template takes it', async () => {
  await reconcile();
  site.cloud.machines.images.push({ id: 'ami-0bbb', name: 'base-2', owner: 'self', available: true });
  await site.clock.advance(3_600_000);
  expect((await reconcile()).status?.imageID).toBe('ami-0aaa');
  controller = createServerTemplateController(site);
  expect((await reconcile()).status?.imageID).toBe('ami-0aaa');
  site.kube.edit(serverTemplateKind, key, { spec: { bootDeadlineSeconds: 600 } });
  expect((await reconcile()).status?.imageID).toBe('ami-0bbb');
});

test('going back to earlier content goes back to its revision', async () => {
  const first = await reconcile();
  site.kube.edit(serverTemplateKind, key, { spec: { bootDeadlineSeconds: 600 } });
  await reconcile();
  site.kube.edit(serverTemplateKind, key, { spec: { bootDeadlineSeconds: 1800 } });
  expect((await reconcile()).status?.revision).toBe(first.status?.revision);
  expect(revisions()).toHaveLength(2);
});

test('of many revisions the newest ten and those in use stay', async () => {
  const first = await reconcile();
  site.addServer('web', 1, { status: { templateRevision: first.status?.revision } });
  for (let seconds = 601; seconds <= 620; seconds += 1) {
    site.kube.edit(serverTemplateKind, key, { spec: { bootDeadlineSeconds: seconds } });
    await reconcile();
  }
  await reconcile();
  expect(revisions()).toHaveLength(11);
  expect(revisions().some((one) => one.metadata.name.endsWith(`-${first.status?.revision}`))).toBe(true);
});

describe('broken templates', () => {
  test.each([
    [{ boot: [{ name: 'a', scriptRef: { name: 'gone' } }] }, 'ScriptNotFound', 'Script/gone does not exist.'],
    [
      { image: { id: 'ami-0eee', name: null } },
      'ImageNotFound',
      'There is no image ami-0eee in this region, or this account may not use it.',
    ],
    [
      { image: { name: 'other-*' } },
      'ImageNotFound',
      "There is no image 'other-*' of owner self in this region, or this account may not use it.",
    ],
  ])('%o: %s', async (spec, reason, message) => {
    site.kube.edit(serverTemplateKind, key, { spec });
    const template = await reconcile();
    expect(ready(template)).toMatchObject({ status: 'False', reason, message });
    expect(template.status?.revision).toBeUndefined();
    expect(site.events.recorded.at(-1)).toMatchObject({ type: 'Warning', reason });
  });

  test('a broken edit leaves the last good revision in force', async () => {
    const before = await reconcile();
    site.kube.edit(serverTemplateKind, key, { spec: { image: { name: 'other-*' } } });
    const after = await reconcile();
    expect(ready(after)?.reason).toBe('ImageNotFound');
    expect(after.status?.revision).toBe(before.status?.revision);
  });

  test('a required input that no level sets', async () => {
    site.kube.edit(scriptKind, scriptKey, { spec: { inputs: [{ name: 'RELEASE', required: true }] } });
    await checkScript();
    const template = await reconcile();
    expect(ready(template)).toMatchObject({
      status: 'False',
      reason: 'RequiredInputMissing',
      message:
        'Script boot requires RELEASE; no level sets it. Add it to spec.inputs of ServerTemplate/app or Deployment/shop.',
    });
    expect(template.status?.revision).toBeDefined();
    site.addServer('web', 1, { spec: { inputs: [{ name: 'RELEASE', value: '7' }] } });
    expect(ready(await reconcile())?.status).toBe('True');
  });

  test('scripts that are too large together', async () => {
    for (let number = 0; number < 9; number += 1) {
      const metadata = { namespace, name: `big-${number}` };
      const spec = { source: { inline: `${number}`.repeat(120_000) } } as never;
      site.kube.seed(scriptKind, { ...words(scriptKind), metadata, spec });
      await site.reconcile(createScriptController(site), metadata);
    }
    const boot = Array.from({ length: 9 }, (_, number) => ({
      name: `s${number}`,
      scriptRef: { name: `big-${number}` },
    }));
    site.kube.edit(serverTemplateKind, key, { spec: { boot } });
    expect(ready(await reconcile())?.reason).toBe('ScriptsTooLarge');
    expect(revisions()).toEqual([]);
  });

  test('no account for the namespace', async () => {
    site = new Site();
    site.kube.seed(serverTemplateKind, {
      ...words(serverTemplateKind),
      metadata: key,
      spec: { image: { id: 'ami-0aaa' }, instance: { types: ['t3.small'] } } as never,
    });
    controller = createServerTemplateController(site);
    expect(ready(await reconcile())).toMatchObject({ status: 'False', reason: 'AccountNotReady' });
  });
});
