/** Who is looked at when something else changes. */
import { expect, test } from 'vitest';
import { siteDeploymentKind } from '../../../../controller/api/deployment.ts';
import type { AnyObject } from '../../../../controller/api/meta.ts';
import { serverKind } from '../../../../controller/api/server.ts';
import { wakeByInstance } from '../../../../controller/kinds/server/instances.ts';
import {
  byAccount,
  byDeployment,
  byRevision,
  byRun,
  bySlot,
  byTemplate,
} from '../../../../controller/kinds/server/wakes.ts';
import { aBatch, aRun, aServer } from '../../../builders/server.ts';
import { namespace, Site } from '../../../builders/site.ts';

const waiting = { status: { instanceID: undefined } };

function aSite() {
  const site = new Site();
  site.addDeployment();
  site.addServer('running', 1);
  site.addServer('waiting', 2, waiting);
  const named = (name: string, more: object = {}): AnyObject => ({
    apiVersion: 'v1',
    kind: 'Any',
    metadata: { name, namespace, uid: name, resourceVersion: '1', creationTimestamp: '', ...more },
  });
  const names = (keys: readonly { readonly name: string }[]) => keys.map(({ name }) => name);
  return { cache: site.cache, named, names };
}

test('a Deployment wakes all its servers, and only its own', () => {
  const { cache, named, names } = aSite();
  expect(names(byDeployment(named('shop'), cache))).toEqual(['running', 'waiting']);
  expect(names(byDeployment(named('other'), cache))).toEqual([]);
});

test('a template, its revisions and the account wake servers that still want a machine', () => {
  const { cache, named, names } = aSite();
  expect(names(byTemplate(named('app'), cache))).toEqual(['waiting']);
  const revision = named('app-1', { labels: { 'ridgeline.dev/template': 'app' } });
  expect(names(byRevision(revision, cache))).toEqual(['waiting']);
  expect(names(byRevision(named('somebody-elses-revision'), cache))).toEqual([]);
  expect(cache.list(siteDeploymentKind)).toHaveLength(1);
  expect(names(byAccount(named('default', { namespace: undefined }), cache))).toEqual(['waiting']);
});

test('a batch wakes the servers of its slots, a run the server that made it', () => {
  expect(bySlot(aBatch({}, 2))).toEqual([
    { namespace: 'shop', name: 'web' },
    { namespace: 'shop', name: 'web-1' },
  ]);
  expect(byRun(aRun('web-boot-1'))).toEqual([{ namespace: 'shop', name: 'web' }]);
});

test('news from EC2 find the Server that has the machine, for as long as it has it', () => {
  const woken: string[] = [];
  let tell: (type: string, object: AnyObject) => void = () => undefined;
  const news = {
    onChange: (listener: (change: { type: string; object: AnyObject }) => void) => {
      tell = (type, object) => listener({ type, object });
    },
  };
  const wake = wakeByInstance(news, (resource, key) => woken.push(`${resource.kind}/${key.name}`));
  const { server } = aServer().machine().observed;
  const instanceID = server.status?.instanceID ?? '';
  wake(instanceID);
  tell('added', server);
  wake(instanceID);
  tell('updated', { ...server, status: { ...server.status, instanceID: 'i-2' } } as AnyObject);
  wake(instanceID);
  wake('i-2');
  tell('deleted', server);
  wake('i-2');
  expect(woken).toEqual([`${serverKind.kind}/web`, `${serverKind.kind}/web`]);
});
