/** A template, or a revision of it, that somebody deletes while servers run from it. */
import { beforeEach, expect, test } from 'vitest';
import { finalizer } from '../../../../controller/api/meta.ts';
import { controllerRevisions } from '../../../../controller/api/resource.ts';
import { serverKind } from '../../../../controller/api/server.ts';
import { serverTemplateKind } from '../../../../controller/api/server-template.ts';
import { createServerTemplateController } from '../../../../controller/kinds/server-template/reconcile.ts';
import type { KindController } from '../../../../controller/kube/reconciler.ts';
import { namespace, Site, words } from '../../../builders/site.ts';

const key = { namespace, name: 'app' };

let site: Site;
let controller: KindController;

beforeEach(async () => {
  site = new Site();
  controller = createServerTemplateController(site);
  site.addAccount();
  site.addDeployment();
  site.cloud.machines.images.push({ id: 'ami-0aaa', name: 'base-1', owner: 'self', available: true });
  const spec = { image: { id: 'ami-0aaa' }, instance: { types: ['t3.small'] } } as never;
  site.kube.seed(serverTemplateKind, { ...words(serverTemplateKind), metadata: key, spec });
  await look();
  const { revision } = template()?.status ?? {};
  site.addServer('web', 1, { status: { templateName: 'app', templateRevision: revision } });
});

const look = () => site.reconcile(controller, key);
const template = () => site.cache.get(serverTemplateKind, key);
const revisions = () => site.cache.list(controllerRevisions).map(({ metadata }) => metadata);

async function remove(): Promise<void> {
  const found = template();
  if (found !== undefined) await site.kube.delete(serverTemplateKind, found);
  await look();
}

async function removeRevision(): Promise<void> {
  for (const revision of site.cache.list(controllerRevisions)) {
    await site.kube.delete(controllerRevisions, revision);
  }
  await look();
}

async function endServer(): Promise<void> {
  const server = site.cache.get(serverKind, { namespace, name: 'web' });
  if (server !== undefined) await site.kube.delete(serverKind, server);
  await look();
}

test('a template in use stays, with the revision that is run from', async () => {
  await remove();
  site.kube.collectGarbage();
  expect(template()?.status?.revision).toBeDefined();
  expect(revisions()).toHaveLength(1);
  await endServer();
  site.kube.collectGarbage();
  expect(template()).toBeUndefined();
  expect(revisions()).toEqual([]);
});

test('a server that points elsewhere by now still runs from it', async () => {
  site.kube.edit(serverKind, { namespace, name: 'web' }, { spec: { serverTemplateRef: { name: 'next' } } });
  await remove();
  expect(template()).toBeDefined();
});

test('whoever deletes a revision, as the end of a namespace does, takes it from nobody', async () => {
  expect(revisions()[0]?.finalizers).toEqual([finalizer]);
  await removeRevision();
  expect(revisions()).toHaveLength(1);
  await remove();
  expect(revisions()).toHaveLength(1);
  await endServer();
  expect(revisions()).toEqual([]);
});

test('a revision that was deleted and that nobody runs from is made anew', async () => {
  await endServer();
  await removeRevision();
  await look();
  expect(revisions()).toMatchObject([{ finalizers: [finalizer] }]);
  expect(revisions()[0]?.deletionTimestamp).toBeUndefined();
});

test('nobody is left to hold the revisions of a template whose finalizer was taken away', async () => {
  site.kube.edit(serverTemplateKind, key, { metadata: { finalizers: [] } });
  const found = template();
  if (found !== undefined) await site.kube.delete(serverTemplateKind, found);
  site.kube.collectGarbage();
  await look();
  expect(template()).toBeUndefined();
  expect(revisions()).toHaveLength(1);
  await endServer();
  expect(revisions()).toEqual([]);
});
