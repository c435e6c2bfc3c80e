/** A machine that runs already is taken over: once, by one Server, with the host keys it was known by. */
import { beforeEach, describe, expect, it, test } from 'vitest';
import { cloudAccountKind } from '../../../../controller/api/cloud-account.ts';
import { siteDeploymentKind } from '../../../../controller/api/deployment.ts';
import { memberTag, retainedKey, retainedTag } from '../../../../controller/api/retained.ts';
import { type Server, serverKind } from '../../../../controller/api/server.ts';
import { serverTemplateKind } from '../../../../controller/api/server-template.ts';
import { decide } from '../../../../controller/kinds/server/decide/index.ts';
import { AdoptionClaims, observeAdoption } from '../../../../controller/kinds/server/observe-adoption.ts';
import { aLaunch } from '../../../builders/launch-request.ts';
import { aServer, at, instanceID } from '../../../builders/server.ts';
import {
  aRevision,
  aScript,
  condition,
  installation,
  namespace,
  Site,
  words,
} from '../../../builders/site.ts';

const pin = `ED25519:SHA256:${'A'.repeat(43)}`;

const machine = {
  id: instanceID,
  state: 'running',
  type: 't3.small',
  imageId: 'ami-0123',
  zone: 'eu-west-1a',
  privateIp: '10.0.0.1',
  launchTime: Date.parse(at(0)),
  launchIndex: 0,
  tags: { [retainedTag]: 'old/web' },
} as const;

const ready = {
  state: 'ready',
  machine,
  accountName: 'default',
  template: 'web',
  revision: '00000001',
  sshHostKeys: [pin],
} as const;

const adopting = aServer().spec({ adopt: { instanceID } });

test('it is bound with its keys before it is marked, and never booted', () => {
  const plan = decide(adopting.with({ adoption: ready }).observed);
  expect(plan.record).toMatchObject({
    incarnation: 1,
    instanceID,
    templateRevision: '00000001',
    sshHostKeys: [pin],
    bootedTime: at(0),
  });
  expect(plan.action).toMatchObject({
    do: 'claim',
    tags: { [retainedTag]: '', 'ridgeline:namespace': 'shop', Name: 'web' },
  });
});

test('one that is bound and not marked yet, as after a crash, is marked', () => {
  const bound = adopting.operational().with({ machine: { state: 'present', machine } });
  expect(decide(bound.observed).action?.do).toBe('claim');
  const marked = { ...machine, tags: { [retainedTag]: '' } };
  expect(
    decide(bound.with({ machine: { state: 'present', machine: marked } }).observed).action,
  ).toBeUndefined();
});

describe('what it was in the cluster that let it go', () => {
  const memory = { ...machine, tags: { [retainedTag]: '', [memberTag]: 'old/db primary' } };
  const seen = adopting.operational().with({ machine: { state: 'present', machine: memory } });
  const label = (role: string) => seen.metadata({ labels: { 'ridgeline.dev/role': role } });
  const owner = (metadata: object = {}) => ({ counts: true, object: { metadata } as never });

  it.each([
    ['stays on it while a new cluster takes it over', label('joining').with({ owner: owner() })],
    ['stays on it without a cluster', seen],
    [
      'is not what a cluster that goes has just written',
      label('primary').with({ owner: owner({ deletionTimestamp: at(0) }) }),
    ],
  ])('%s', (_, server) => {
    expect(decide(server.observed).action).toBeUndefined();
  });

  it('is forgotten once it is another one of a new cluster', () => {
    const { action } = decide(label('primary').with({ owner: owner() }).observed);
    expect(action).toMatchObject({ do: 'claim', tags: { [memberTag]: '' } });
  });
});

test('when that machine is lost the next one is launched', () => {
  const lost = adopting.status({ incarnation: 2 });
  expect(Object.keys(decide(lost.observed).record ?? {})).toContain('launchRequest');
});

let site: Site;
let claims: AdoptionClaims;
let id: string;

beforeEach(async () => {
  site = new Site();
  claims = new AdoptionClaims();
  site.addAccount();
  site.kube.edit(cloudAccountKind, { name: 'default' }, { status: { sshPublicKey: 'ssh-ed25519 AAAA' } });
  site.addDeployment();
  site.kube.edit(
    siteDeploymentKind,
    { namespace, name: 'shop' },
    { status: { conditions: [condition('Ready', 'Empty')] } },
  );
  site.addRevision(aRevision([aScript('base')]));
  const spec = { image: { id: 'ami-0aaa' }, instance: { types: ['t3.small'] } } as never;
  const status = { revision: '00000001', conditions: [condition('Ready', 'Valid')] };
  site.kube.seed(serverTemplateKind, {
    ...words(serverTemplateKind),
    metadata: { namespace, name: 'app' },
    spec,
    status,
  });
  const [launched] = await site.cloud.machines.launch(aLaunch(installation));
  id = launched?.id ?? '';
  await site.cloud.machines.tag(id, { [retainedTag]: 'old/web' });
  await site.cloud.objects.put(
    'state',
    retainedKey('prod/', id),
    JSON.stringify({ server: 'old/web', sshHostKeys: [pin] }),
  );
});

function add(name: string, adopt: object = { instanceID: id }): Server {
  return site.kube.seed(serverKind, {
    ...words(serverKind),
    metadata: { namespace, name },
    spec: { deploymentRef: { name: 'shop' }, serverTemplateRef: { name: 'app' }, adopt } as never,
  });
}

async function look(server: Server) {
  const deployment = site.cache.get(siteDeploymentKind, { namespace, name: 'shop' });
  const account = site.cache.get(cloudAccountKind, { name: 'default' });
  return await observeAdoption(
    { kube: site.kube, cache: site.cache, accounts: site.accounts, claims },
    { server, deployment, account, now: 0 },
  );
}

test('the keys it was known by are pinned again', async () => {
  expect(await look(add('web'))).toMatchObject({ state: 'ready', sshHostKeys: [pin], revision: '00000001' });
});

test('keys that a person gives come first; without any it is not spoken to', async () => {
  const other = `ED25519:SHA256:${'B'.repeat(43)}`;
  expect(await look(add('web', { instanceID: id, sshHostKeys: [other] }))).toMatchObject({
    sshHostKeys: [other],
  });
  await site.cloud.objects.put('state', retainedKey('prod/', id), '{"server":"old/web","sshHostKeys":[]}');
  expect(await look(add('late'))).toMatchObject({ state: 'refused' });
});

test('one that was not let go, or is not of this account, is refused with what to do', async () => {
  const says = async (server: Server) => {
    const found = await look(server);
    return found?.state === 'refused' ? found.message : found?.state;
  };
  expect(await says(add('far', { instanceID: 'i-0123456789abcdef0' }))).toContain(
    'has no instance i-0123456789abcdef0',
  );
  await site.cloud.machines.tag(id, { [retainedTag]: '' });
  expect(await says(add('web'))).toContain(
    `aws ec2 create-tags --resources ${id} --tags Key=ridgeline:retained`,
  );
  site.addServer('owner', 1, { status: { instanceID: id } });
  expect(await says(add('thief'))).toBe(
    `${id} belongs to Server shop/owner. Delete that one first, with spec.deletionPolicy Retain.`,
  );
});

test.each([
  ['', /^Nobody knows whether i-\S+ was the primary of its cluster: it has no tag ridgeline:member\. /],
  ['old/db replica', /="old\/db replica" and may lack acknowledged writes\. .* tagged "old\/db primary"/],
  ['old/db former primary', /="old\/db former primary" and may lack acknowledged writes/],
  ['old/db unfinished copy', /="old\/db unfinished copy" and may lack acknowledged writes/],
  ['old/db primary', undefined],
  ['by-hand primary', undefined],
])('a cluster that finds the mark "%s"', async (mark, refusal) => {
  await site.cloud.machines.tag(id, { [memberTag]: mark });
  const server = add('db-1');
  const member = { ...server, metadata: { ...server.metadata, labels: { 'ridgeline.dev/cluster': 'db' } } };
  const found = await look(member);
  const message = refusal === undefined ? undefined : (expect.stringMatching(refusal) as string);
  expect(found).toMatchObject(message === undefined ? { state: 'ready' } : { state: 'refused', message });
  if (refusal !== undefined)
    expect(JSON.stringify(found)).toContain('Key=ridgeline:member,Value=by-hand primary');
});

test('of two Servers that ask at once one has it, and the other when that one is gone', async () => {
  const [first, second] = [add('first'), add('second')];
  expect(await look(first)).toMatchObject({ state: 'ready' });
  expect(await look(second)).toMatchObject({
    state: 'refused',
    message: `Another Server is about to adopt ${id}.`,
  });
  await site.kube.delete(serverKind, first);
  expect(await look(second)).toMatchObject({ state: 'ready' });
});
