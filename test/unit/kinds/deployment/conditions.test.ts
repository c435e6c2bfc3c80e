/** What a Deployment says of itself: its account, its inputs, its members, and what keeps it. */
import { cloudAccountKind } from '../../../../controller/api/cloud-account.ts';
import { siteDeploymentKind } from '../../../../controller/api/deployment.ts';
import { namespaces } from '../../../../controller/api/resource.ts';
import { createDeploymentController } from '../../../../controller/kinds/deployment/reconcile.ts';
import { condition, namespace, Site } from '../../../builders/site.ts';
import { testConditions } from '../condition-tables.ts';

interface Scene {
  readonly spec?: object;
  /** Names and states of the servers. */
  readonly servers?: Readonly<Record<string, string>>;
  /** Servers that are wanted switched off. */
  readonly off?: readonly string[];
  /** Changes of its account; `gone` when there is none. */
  readonly account?:
    | { readonly spec?: object; readonly status?: object | null; readonly isEdited?: true }
    | 'gone';
  readonly isDeleted?: true;
}

/** A pass, on fakes, over a Deployment with a ready account and two Operational servers, after these changes. */
async function conditionsOf(scene: Scene) {
  const { servers = { app: 'Operational', db: 'Operational' }, account = {} } = scene;
  const site = new Site();
  const metadata = { name: namespace, labels: { team: 'web' } };
  site.kube.seed(namespaces, { apiVersion: 'v1', kind: 'Namespace', metadata });
  if (account !== 'gone') {
    site.addAccount(account.spec);
    if ('status' in account)
      site.kube.edit(cloudAccountKind, { name: 'default' }, { status: account.status });
    if (account.isEdited === true)
      site.kube.edit(cloudAccountKind, { name: 'default' }, { spec: { maxServers: 7 } });
  }
  site.addSecret({ name: 'db' }, { user: 'shop' });
  site.addDeployment(scene.spec);
  Object.entries(servers).forEach(([name, reason], index) => {
    const status = reason === 'Operational' ? 'True' : 'False';
    const conditions = reason === '' ? [] : [{ ...condition('Ready', reason), status }];
    const power = scene.off?.includes(name) === true ? 'Stopped' : 'Running';
    // The first has no address yet.
    const address = index === 0 ? { privateIP: undefined } : {};
    site.addServer(name, index + 1, { spec: { power }, status: { conditions, ...address } });
  });
  const controller = createDeploymentController(site);
  const key = { namespace, name: 'shop' };
  await site.reconcile(controller, key);
  const deployment = site.cache.get(siteDeploymentKind, key);
  if (scene.isDeleted === true && deployment !== undefined) {
    await site.kube.delete(siteDeploymentKind, deployment);
  }
  await site.reconcile(controller, key);
  return site.cache.get(siteDeploymentKind, key)?.status?.conditions ?? [];
}

const notReady = { ...condition('Ready', 'Throttled'), status: 'False', message: 'Rate exceeded' };
const broken: Scene = { account: { status: { conditions: [notReady] } } };
const foreign: Scene = { account: { spec: { allowedNamespaces: { from: 'Names', names: ['first'] } } } };
const gone: Scene = { account: 'gone' };
const suspended: Scene = { spec: { suspend: true } };
const booting: Scene = { servers: { app: 'Booting', db: 'Operational', new: '' } };
const inputs = (...valueFrom: readonly object[]): Scene => ({
  spec: { inputs: valueFrom.map((from, index) => ({ name: `IN_${index + 1}`, valueFrom: from })) },
});
const user = { secretKeyRef: { name: 'db', key: 'user' } };
const noKey = { secretKeyRef: { name: 'db', key: 'password' } };
const noSecret = { secretKeyRef: { name: 'gone', key: 'x' } };
const noMap = { configMapKeyRef: { name: 'gone', key: 'x' } };
const endpoint = (name: string) => ({ endpointRef: { kind: 'Server', name, endpoint: 'Private' } });
const many = Object.fromEntries(Array.from({ length: 12 }, (_, index) => [`s${index + 10}`, 'Stranded']));
const firstTen = Array.from({ length: 10 }, (_, index) => `Server/s${index + 10}`);
const kept = 'Servers keep their current value.';

testConditions<'Deployment', Scene>({
  kind: 'Deployment',
  conditionsOf,
  beyond: {
    Ready: { Reconciling: 'No code says it: the first status is written after the first look.' },
    InputsResolved: {
      InputCycle: 'No code says it of a Deployment: only servers have boot scripts that wait.',
    },
  },
  rows: {
    Ready: [
      ['all members are ready', {}, 'True', 'AllMembersReady', 'All 2 members are ready.'],
      [
        'one is switched off, as wanted',
        { servers: { app: 'Operational', db: 'Stopped' }, off: ['db'] },
        'True',
        'AllMembersReady',
        'All 1 members are ready.',
      ],
      ['no members', { servers: {} }, 'True', 'Empty', 'There are no members yet.'],
      [
        'some are not ready, one of them not looked at',
        booting,
        'False',
        'MembersNotReady',
        '2 of 3 members are not ready: Server/app (Booting), Server/new (Pending).',
      ],
      [
        'one is off and should not be',
        { servers: { db: 'Stopped' } },
        'False',
        'MembersNotReady',
        '1 of 1 members are not ready: Server/db (Stopped).',
      ],
      [
        'many are not ready: ten are named',
        { servers: many },
        'False',
        'MembersNotReady',
        `12 of 12 members are not ready: ${firstTen.map((name) => `${name} (Stranded)`).join(', ')}, ….`,
      ],
      ['no account', gone, 'False', 'AccountNotFound', 'CloudAccount/default does not exist.'],
      [
        'an account that does not allow the namespace',
        foreign,
        'False',
        'NamespaceNotAllowed',
        `Namespace shop may not use CloudAccount/default. An admin can allow it: kubectl patch rlc default --type=json -p '[{"op":"add","path":"/spec/allowedNamespaces/names/-","value":"shop"}]'.`,
      ],
      [
        'an account that allows it by label',
        { account: { spec: { allowedNamespaces: { from: 'Selector', matchLabels: { team: 'web' } } } } },
        'True',
        'AllMembersReady',
        'All 2 members are ready.',
      ],
      [
        'an account that is not Ready, in its own words',
        broken,
        'False',
        'AccountNotReady',
        'CloudAccount/default: Rate exceeded',
      ],
      [
        'an account that was not looked at',
        { account: { status: null } },
        'False',
        'AccountNotReady',
        'CloudAccount/default: It was not checked yet.',
      ],
      [
        'an account that was edited and not looked at since',
        { account: { isEdited: true } },
        'False',
        'AccountNotReady',
        /^CloudAccount\/default: /,
      ],
      [
        'an input without value, in the words of InputsResolved',
        inputs(noKey),
        'False',
        'InputsUnresolved',
        `IN_1: Secret db has no key 'password' (it has 1 keys). ${kept}`,
      ],
      ['suspended', suspended, 'False', 'Suspended', 'spec.suspend is set; nothing is changed.'],
      [
        'suspended, with a broken account',
        { ...broken, ...suspended },
        'False',
        'Suspended',
        'spec.suspend is set; nothing is changed.',
      ],
      [
        'deleted, with members',
        { isDeleted: true },
        'False',
        'MembersExist',
        'Deletion waits for Server/app, Server/db; delete them: kubectl delete -n shop server.ridgeline.dev/app server.ridgeline.dev/db.',
      ],
      [
        'deleted, with many: ten are named',
        { servers: many, isDeleted: true },
        'False',
        'MembersExist',
        `Deletion waits for ${firstTen.join(', ')} and others; delete them: kubectl delete -n shop ${firstTen.map((name) => name.replace('Server/', 'server.ridgeline.dev/')).join(' ')}.`,
      ],
      [
        'deleted and suspended',
        { ...suspended, servers: { db: 'Stopped' }, off: ['db'], isDeleted: true },
        'False',
        'MembersExist',
        'Deletion waits for Server/db; delete them: kubectl delete -n shop server.ridgeline.dev/db.',
      ],
    ],
    InputsResolved: [
      ['no inputs', {}, 'True', 'Resolved', '0 inputs resolved.'],
      ['all can be read', inputs(user, endpoint('db')), 'True', 'Resolved', '2 inputs resolved.'],
      [
        'no such Secret',
        inputs(user, noSecret),
        'False',
        'SecretNotFound',
        `IN_2: Secret gone does not exist. ${kept}`,
      ],
      [
        'no such ConfigMap',
        inputs(noMap),
        'False',
        'ConfigMapNotFound',
        `IN_1: ConfigMap gone does not exist. ${kept}`,
      ],
      [
        'no such key',
        inputs(noKey),
        'False',
        'KeyNotFound',
        `IN_1: Secret db has no key 'password' (it has 1 keys). ${kept}`,
      ],
      [
        'a server has no address yet',
        inputs(endpoint('app')),
        'False',
        'EndpointNotPublished',
        `IN_1: waiting until Server/app has published its Private address. ${kept}`,
      ],
      [
        'several: all are told, the first gives the reason',
        inputs(noMap, noKey),
        'False',
        'ConfigMapNotFound',
        `IN_1: ConfigMap gone does not exist. IN_2: Secret db has no key 'password' (it has 1 keys). ${kept}`,
      ],
      [
        'it is told beside another obstacle',
        { ...gone, ...inputs(noMap) },
        'False',
        'ConfigMapNotFound',
        /^IN_1/,
      ],
    ],
  },
  passing: {
    Reconciling: [
      ['all members are ready', {}, 'absent'],
      ['no members', { servers: {} }, 'absent'],
      ['suspended', suspended, 'absent'],
      ['members come', booting, 'True', 'MembersNotReady', /^2 of 3 members/],
      [
        'the account is tried again',
        broken,
        'True',
        'AccountNotReady',
        'CloudAccount/default: Rate exceeded',
      ],
      ['inputs are looked for again', inputs(noMap), 'True', 'InputsUnresolved', /^IN_1/],
      ['members leave', { isDeleted: true }, 'True', 'MembersExist', /^Deletion waits/],
      ['a person is needed', gone, 'absent'],
    ],
    Stalled: [
      ['all members are ready', {}, 'absent'],
      ['members come', booting, 'absent'],
      ['somebody has to make the account', gone, 'True', 'AccountNotFound', /does not exist\.$/],
      ['an admin has to allow it', foreign, 'True', 'NamespaceNotAllowed', /^Namespace shop may not use/],
    ],
  },
});
