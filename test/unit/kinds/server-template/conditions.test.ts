/** What a ServerTemplate says of itself: its scripts, its image, its inputs, and who runs an older revision. */
import { cloudAccountKind } from '../../../../controller/api/cloud-account.ts';
import { labels } from '../../../../controller/api/meta.ts';
import { scriptKind } from '../../../../controller/api/script.ts';
import { serverKind } from '../../../../controller/api/server.ts';
import { serverTemplateKind } from '../../../../controller/api/server-template.ts';
import { createScriptController } from '../../../../controller/kinds/script/reconcile.ts';
import { createServerTemplateController } from '../../../../controller/kinds/server-template/reconcile.ts';
import { namespace, Site, words } from '../../../builders/site.ts';
import { testConditions } from '../condition-tables.ts';

interface Scene {
  readonly spec?: object;
  /** Scripts besides `boot`, which is well. */
  readonly scripts?: Readonly<Record<string, object>>;
  /** Scripts that nobody has looked at yet. */
  readonly unchecked?: readonly string[];
  /** Names of servers with the revision they run; `newest` for the template's own. */
  readonly servers?: Readonly<Record<string, string | undefined>>;
  /** Changes of the servers. */
  readonly server?: object;
  readonly isDeleted?: true;
  readonly account?: 'gone' | 'foreign' | 'without keys';
}

const key = { namespace, name: 'app' };
const steps = (...names: readonly string[]) => names.map((name) => ({ name, scriptRef: { name } }));

/** A pass, on fakes, over a template with one sound script and an image, after these changes. */
async function conditionsOf(scene: Scene) {
  const site = new Site();
  addAccount(site, scene.account);
  site.addDeployment();
  site.cloud.machines.images.push({ id: 'ami-0aaa', name: 'base-1', owner: 'self', available: true });
  site.cloud.machines.images.push({ id: 'ami-0bbb', name: 'fresh-1', owner: 'self', available: false });
  for (const [name, spec] of Object.entries({ boot: { source: { inline: 'true' } }, ...scene.scripts })) {
    const metadata = { namespace, name };
    site.kube.seed(scriptKind, { ...words(scriptKind), metadata, spec: spec as never });
    if (scene.unchecked?.includes(name) !== true) {
      await site.reconcile(createScriptController(site), metadata);
    }
  }
  const spec = {
    image: { name: 'base-*' },
    instance: { types: ['t3.small'] },
    boot: steps('boot'),
    ...scene.spec,
  };
  site.kube.seed(serverTemplateKind, { ...words(serverTemplateKind), metadata: key, spec: spec as never });
  const controller = createServerTemplateController(site);
  await site.reconcile(controller, key);
  const newest = site.cache.get(serverTemplateKind, key)?.status?.revision;
  Object.entries(scene.servers ?? {}).forEach(([name, revision], index) => {
    const runs = revision === 'newest' ? newest : revision;
    site.addServer(name, index + 1, { status: { templateRevision: runs } });
    site.kube.edit(serverKind, { namespace, name }, scene.server ?? {});
  });
  const template = site.cache.get(serverTemplateKind, key);
  if (scene.isDeleted === true && template !== undefined)
    await site.kube.delete(serverTemplateKind, template);
  await site.reconcile(controller, key);
  return site.cache.get(serverTemplateKind, key)?.status?.conditions ?? [];
}

function addAccount(site: Site, which: Scene['account']): void {
  if (which === 'gone') return;
  site.addAccount();
  const spec = {
    foreign: { allowedNamespaces: { from: 'Names', names: ['other'] } },
    'without keys': { credentials: { type: 'Secret', secretRef: { namespace: 'ops', name: 'aws' } } },
  };
  if (which !== undefined) site.kube.edit(cloudAccountKind, { name: 'default' }, { spec: spec[which] });
}

const unchecked: Scene = { unchecked: ['boot'] };
const invalid: Scene = {
  scripts: { broken: { source: { configMapKeyRef: { name: 'gone', key: 'x' } } } },
  spec: { boot: steps('boot', 'broken') },
};
const noScript: Scene = { spec: { boot: steps('boot', 'gone') } };
const noImage: Scene = { spec: { image: { id: 'ami-0eee' } } };
const newImage: Scene = { spec: { image: { name: 'fresh-*' } } };
const asking = { boot: { source: { inline: 'true' }, inputs: [{ name: 'RELEASE', required: true }] } };
const noInput: Scene = { scripts: asking };
const large = Object.fromEntries(
  Array.from({ length: 9 }, (_, number) => [
    `big-${number}`,
    { source: { inline: `${number}`.repeat(120_000) } },
  ]),
);
const tooLarge: Scene = { scripts: large, spec: { boot: steps(...Object.keys(large)) } };
const valid = /^Revision [0-9a-f]{8} can be launched\.$/;
const required =
  'Script boot requires RELEASE; no level sets it. Add it to spec.inputs of ServerTemplate/app or Deployment/shop.';
const many = Object.fromEntries(Array.from({ length: 11 }, (_, index) => [`s${index + 10}`, '00000001']));
const advice =
  'A Server keeps its machine; delete and create it to renew it. A ServerArray renews its own as spec.update says.';

testConditions<'ServerTemplate', Scene>({
  kind: 'ServerTemplate',
  conditionsOf,
  rows: {
    Ready: [
      [
        'its deletion was asked for, and a server runs from it',
        { servers: { web: 'newest' }, isDeleted: true },
        'False',
        'InUse',
        /^Its deletion was asked for, and it is in use: Server\/web\. It stays, with revision [0-9a-f]{8}, for 1 server /,
      ],
      ['all is there', {}, 'True', 'Valid', valid],
      ['no scripts at all', { spec: { boot: [] } }, 'True', 'Valid', valid],
      ['no such script', noScript, 'False', 'ScriptNotFound', 'Script/gone does not exist.'],
      [
        'a script that is not Ready, in its own words',
        invalid,
        'False',
        'ScriptInvalid',
        'Script/broken (SourceNotFound): ConfigMap gone does not exist.',
      ],
      [
        'a script that nobody has checked',
        unchecked,
        'Unknown',
        'Resolving',
        'Script/boot is being checked.',
      ],
      [
        'several: all are told, the first gives the reason',
        { ...unchecked, ...noScript },
        'Unknown',
        'Resolving',
        'Script/boot is being checked. Script/gone does not exist.',
      ],
      [
        'its health check is a script that is not there',
        { spec: { health: { type: 'Script', scriptRef: { name: 'probe' } } } },
        'False',
        'ScriptNotFound',
        'Script/probe does not exist.',
      ],
      [
        'the scripts are too large together',
        tooLarge,
        'False',
        'ScriptsTooLarge',
        /^All scripts together take 108\d{4} bytes, more than 1000000\. Move some to S3 or into packages\.$/,
      ],
      [
        'no such image',
        noImage,
        'False',
        'ImageNotFound',
        'There is no image ami-0eee in this region, or this account may not use it.',
      ],
      [
        'no image of the name',
        { spec: { image: { name: 'other-*', owner: 'amazon' } } },
        'False',
        'ImageNotFound',
        "There is no image 'other-*' of owner amazon in this region, or this account may not use it.",
      ],
      [
        'an image that is not available',
        newImage,
        'False',
        'ImageUnavailable',
        'The image ami-0bbb exists but is not available yet.',
      ],
      [
        'no account',
        { account: 'gone' },
        'False',
        'AccountNotReady',
        'No CloudAccount allows this namespace, so images cannot be looked up.',
      ],
      [
        'no account for this namespace',
        { account: 'foreign' },
        'False',
        'AccountNotReady',
        'No CloudAccount allows this namespace, so images cannot be looked up.',
      ],
      [
        'an account without keys',
        { account: 'without keys' },
        'False',
        'AccountNotReady',
        /^CloudAccount\/default: .*ops\/aws.* \[cloud\.account-not-ready\]$/,
      ],
      ['no level sets a required input', noInput, 'False', 'RequiredInputMissing', required],
      [
        'the template sets it',
        { scripts: asking, spec: { inputs: [{ name: 'RELEASE', value: '7' }] } },
        'True',
        'Valid',
        valid,
      ],
      [
        'its only server sets it',
        {
          scripts: asking,
          servers: { web: 'newest' },
          server: { spec: { inputs: [{ name: 'RELEASE', value: '7' }] } },
        },
        'True',
        'Valid',
        valid,
      ],
      [
        'only an operation asks for it',
        {
          scripts: { ...asking, plain: { source: { inline: 'true' } } },
          spec: { boot: steps('plain'), operations: steps('boot') },
        },
        'True',
        'Valid',
        valid,
      ],
      [
        'broken scripts come before the image',
        { spec: { ...noImage.spec, ...noScript.spec } },
        'False',
        'ScriptNotFound',
        /./,
      ],
    ],
    UpToDate: [
      ['no servers', {}, 'True', 'AllServersCurrent', '0 servers, all on the newest revision.'],
      [
        'all run the newest',
        { servers: { a: 'newest', b: 'newest' } },
        'True',
        'AllServersCurrent',
        '2 servers, all on the newest revision.',
      ],
      [
        'one runs an older one',
        { servers: { a: 'newest', b: '00000001' } },
        'False',
        'ServersOutdated',
        `1 of 2 run an older revision: b. ${advice}`,
      ],
      [
        'many: ten are named',
        { servers: many },
        'False',
        'ServersOutdated',
        `11 of 11 run an older revision: ${Object.keys(many).slice(0, 10).join(', ')} and others. ${advice}`,
      ],
      [
        'one is pinned to its older one by a person',
        { servers: { a: '00000001' }, server: { spec: { templateRevision: '00000001' } } },
        'True',
        'AllServersCurrent',
        /^1 servers/,
      ],
      [
        'one is pinned to it by its array',
        {
          servers: { a: '00000001' },
          server: {
            metadata: { labels: { [labels.array]: 'web' } },
            spec: { templateRevision: '00000001' },
          },
        },
        'False',
        'ServersOutdated',
        `1 of 1 run an older revision: a. ${advice}`,
      ],
      [
        'one has no machine yet',
        { servers: { a: undefined } },
        'True',
        'AllServersCurrent',
        '1 servers, all on the newest revision.',
      ],
    ],
  },
  passing: {
    Reconciling: [
      ['all is there', {}, 'absent'],
      ['a script is being checked', unchecked, 'True', 'Resolving', 'Script/boot is being checked.'],
      ['the image will be there', newImage, 'True', 'ImageUnavailable', /^The image ami-0bbb/],
      ['the account is tried again', { account: 'gone' }, 'True', 'AccountNotReady', /^No CloudAccount/],
      ['a person is needed', noImage, 'absent'],
    ],
    Stalled: [
      ['all is there', {}, 'absent'],
      ['a script is being checked', unchecked, 'absent'],
      ['no such script', noScript, 'True', 'ScriptNotFound', 'Script/gone does not exist.'],
      ['a broken script', invalid, 'True', 'ScriptInvalid', /^Script\/broken/],
      ['no such image', noImage, 'True', 'ImageNotFound', /^There is no image/],
      ['no level sets an input', noInput, 'True', 'RequiredInputMissing', required],
      ['too large', tooLarge, 'True', 'ScriptsTooLarge', /^All scripts together/],
    ],
  },
});
