/** Where a Script's text comes from, and what is said when it cannot be had. */
import { createHash } from 'node:crypto';
import { beforeEach, describe, expect, test } from 'vitest';
import { configMaps } from '../../../../controller/api/resource.ts';
import { type Script, scriptKind } from '../../../../controller/api/script.ts';
import { serverTemplateKind } from '../../../../controller/api/server-template.ts';
import { createScriptController } from '../../../../controller/kinds/script/reconcile.ts';
import type { KindController } from '../../../../controller/kube/reconciler.ts';
import { namespace, Site, words } from '../../../builders/site.ts';

const key = { namespace, name: 'deploy' };
const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');

let site: Site;
let controller: KindController;

beforeEach(() => {
  site = new Site();
  site.addAccount();
  controller = createScriptController(site);
});

function addScript(spec: object): void {
  site.kube.seed(scriptKind, { ...words(scriptKind), metadata: key, spec: spec as never });
}

function addConfigMap(name: string, data: Readonly<Record<string, string>>): void {
  site.kube.seed(configMaps, { apiVersion: 'v1', kind: 'ConfigMap', metadata: { namespace, name }, data });
}

async function reconcile(): Promise<Script> {
  await site.reconcile(controller, key);
  const script = site.cache.get(scriptKind, key);
  if (script === undefined) throw new Error('the script is gone');
  return script;
}

const ready = (script: Script) => script.status?.conditions?.find((one) => one.type === 'Ready');
const configMapKeyRef = { name: 'scripts', key: 'deploy.sh' };

describe('where the text comes from', () => {
  test('inline', async () => {
    addScript({ source: { inline: 'echo one' }, inputs: [{ name: 'A' }, { name: 'B' }] });
    const script = await reconcile();
    expect(ready(script)).toMatchObject({ status: 'True', reason: 'Valid' });
    expect(script.status).toMatchObject({
      sha256: sha256('echo one'),
      inputs: 2,
      usedBy: 0,
      observedGeneration: 1,
    });
  });

  test('a ConfigMap; a change is noticed within a minute and told', async () => {
    addConfigMap('scripts', { 'deploy.sh': 'echo one' });
    addScript({ source: { configMapKeyRef } });
    expect((await reconcile()).status?.sha256).toBe(sha256('echo one'));
    site.kube.edit(configMaps, { namespace, name: 'scripts' }, { data: { 'deploy.sh': 'echo two' } });
    await site.clock.advance(60_000);
    expect((await reconcile()).status?.sha256).toBe(sha256('echo two'));
    expect(site.events.recorded).toEqual([
      {
        type: 'Normal',
        about: 'shop/deploy',
        reason: 'ScriptChanged',
        message: `The text changed from ${sha256('echo one').slice(0, 12)} to ${sha256('echo two').slice(0, 12)}.`,
      },
    ]);
  });

  test('S3, when the digest is the one that was asked for', async () => {
    await site.cloud.objects.put('state', 'deploy.sh', 'echo s3');
    addScript({ source: { s3: { bucket: 'state', key: 'deploy.sh', sha256: sha256('echo s3') } } });
    expect((await reconcile()).status?.sha256).toBe(sha256('echo s3'));
  });
});

describe('broken scripts', () => {
  const s3 = { bucket: 'state', key: 'deploy.sh', sha256: sha256('expected') };
  const secretKeyRef = { name: 'db', key: 'database.yml' };

  test.each([
    [
      'no ConfigMap',
      { source: { configMapKeyRef: { name: 'gone', key: 'x' } } },
      'SourceNotFound',
      'ConfigMap gone does not exist.',
    ],
    [
      'no key',
      { source: { configMapKeyRef: { name: 'scripts', key: 'x' } } },
      'SourceNotFound',
      "ConfigMap scripts has no key 'x' (it has 2 keys).",
    ],
    [
      'too long',
      { source: { configMapKeyRef: { name: 'scripts', key: 'long' } } },
      'SourceTooLarge',
      'The text has 131073 bytes, more than 131072.',
    ],
    [
      'no object',
      { source: { s3: { ...s3, key: 'gone' } } },
      'SourceNotFound',
      's3://state/gone does not exist.',
    ],
    [
      'no bucket',
      { source: { s3: { ...s3, bucket: 'nobody' } } },
      'SourceNotFound',
      's3://nobody/deploy.sh does not exist.',
    ],
    [
      'another object than expected',
      { source: { s3 } },
      'ChecksumMismatch',
      `s3://state/deploy.sh has sha256 ${sha256('tampered')}, the Script names ${s3.sha256}. Nothing of it is used.`,
    ],
    [
      'a missing file',
      { source: { inline: 'true' }, attachments: [{ name: 'database.yml', secretKeyRef }] },
      'AttachmentNotFound',
      'File database.yml: Secret db does not exist.',
    ],
  ])('%s', async (...[, spec, reason, message]) => {
    await site.cloud.objects.put('state', 'deploy.sh', 'tampered');
    addConfigMap('scripts', { 'deploy.sh': 'echo', long: 'x'.repeat(131_073) });
    addScript(spec);
    const script = await reconcile();
    expect(ready(script)).toMatchObject({ status: 'False', reason, message });
    expect(script.status?.conditions?.map((one) => one.type)).toEqual(['Ready', 'Stalled']);
    await reconcile();
    expect(site.events.recorded).toEqual([{ type: 'Warning', about: 'shop/deploy', reason, message }]);
  });
});

test('templates that use it are counted, and wake it', async () => {
  addScript({ source: { inline: 'true' } });
  const template = site.kube.seed(serverTemplateKind, {
    ...words(serverTemplateKind),
    metadata: { namespace, name: 'app' },
    spec: {
      image: { id: 'ami-0123' },
      instance: { types: ['t3.small'] },
      decommission: [{ name: 'a', scriptRef: { name: 'deploy' } }],
      health: { type: 'Script', scriptRef: { name: 'probe' } },
    } as never,
  });
  expect((await reconcile()).status?.usedBy).toBe(1);
  expect(controller.watches[0]?.wakes(template, site.cache)).toEqual([key, { namespace, name: 'probe' }]);
});
