/** What a Script says of itself, for every place its text and files can be missing from. */
import { createHash } from 'node:crypto';
import { configMaps } from '../../../../controller/api/resource.ts';
import { scriptKind } from '../../../../controller/api/script.ts';
import { createScriptController } from '../../../../controller/kinds/script/reconcile.ts';
import { namespace, Site, words } from '../../../builders/site.ts';
import { testConditions } from '../condition-tables.ts';

interface Scene {
  readonly spec: object;
  /** There is no account that could read S3. */
  readonly isAlone?: true;
}

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');
const wanted = sha256('expected');
const inline = { source: { inline: 'true' } };
const inObject = (key: string, digest = wanted): Scene => ({
  spec: { source: { s3: { bucket: 'state', key, sha256: digest } } },
});
const inMap = (key: string, name = 'scripts'): Scene => ({
  spec: { source: { configMapKeyRef: { name, key } } },
});
const withFiles = (...attachments: readonly object[]): Scene => ({ spec: { ...inline, attachments } });
const secretFile = (key: string, name = 'db') => ({ name: `${key}.yml`, secretKeyRef: { name, key } });

/** The text comes from wherever it is kept, so the whole pass is run, on fakes. */
async function conditionsOf({ spec, isAlone }: Scene) {
  const site = new Site();
  if (isAlone !== true) site.addAccount();
  site.addSecret({ name: 'db' }, { host: 'db' });
  await site.cloud.objects.put('state', 'deploy.sh', 'tampered');
  await site.cloud.objects.put('state', 'long.sh', 'x'.repeat(131_073));
  const data = { 'deploy.sh': 'echo', 'long.sh': 'é'.repeat(65_537) };
  const metadata = { namespace, name: 'scripts' };
  site.kube.seed(configMaps, { apiVersion: 'v1', kind: 'ConfigMap', metadata, data });
  const key = { namespace, name: 'deploy' };
  site.kube.seed(scriptKind, { ...words(scriptKind), metadata: key, spec: spec as never });
  await site.reconcile(createScriptController(site), key);
  return site.cache.get(scriptKind, key)?.status?.conditions ?? [];
}

const valid = 'The text and all files can be read.';

testConditions<'Script', Scene>({
  kind: 'Script',
  conditionsOf,
  rows: {
    Ready: [
      ['inline', { spec: inline }, 'True', 'Valid', valid],
      ['in a ConfigMap', inMap('deploy.sh'), 'True', 'Valid', valid],
      ['in S3, with the digest asked for', inObject('deploy.sh', sha256('tampered')), 'True', 'Valid', valid],
      ['inline, which needs no account', { spec: inline, isAlone: true }, 'True', 'Valid', valid],
      ['all its files are there', withFiles(secretFile('host')), 'True', 'Valid', valid],
      ['no such ConfigMap', inMap('x', 'gone'), 'False', 'SourceNotFound', 'ConfigMap gone does not exist.'],
      [
        'no such key',
        inMap('gone.sh'),
        'False',
        'SourceNotFound',
        "ConfigMap scripts has no key 'gone.sh' (it has 2 keys).",
      ],
      [
        'no such object in S3',
        inObject('gone.sh'),
        'False',
        'SourceNotFound',
        's3://state/gone.sh does not exist.',
      ],
      [
        'in S3, and no account',
        { ...inObject('deploy.sh'), isAlone: true },
        'False',
        'SourceNotFound',
        'There is no CloudAccount to read S3 with.',
      ],
      [
        'another object than the one asked for',
        inObject('deploy.sh'),
        'False',
        'ChecksumMismatch',
        `s3://state/deploy.sh has sha256 ${sha256('tampered')}, the Script names ${wanted}. Nothing of it is used.`,
      ],
      [
        'too long in a ConfigMap, in bytes and not in letters',
        inMap('long.sh'),
        'False',
        'SourceTooLarge',
        'The text has 131074 bytes, more than 131072.',
      ],
      [
        'too long in S3',
        inObject('long.sh', sha256('x'.repeat(131_073))),
        'False',
        'SourceTooLarge',
        'The text has 131073 bytes, more than 131072.',
      ],
      [
        'files are missing: each is named',
        withFiles(secretFile('password'), secretFile('host'), secretFile('x', 'gone')),
        'False',
        'AttachmentNotFound',
        "File password.yml: Secret db has no key 'password' (it has 1 keys). File x.yml: Secret gone does not exist.",
      ],
      [
        'the text comes before the files',
        { spec: { ...inMap('gone.sh').spec, attachments: [secretFile('x', 'gone')] } },
        'False',
        'SourceNotFound',
        /^ConfigMap scripts has no key/,
      ],
    ],
  },
  passing: {
    Reconciling: [
      ['well', { spec: inline }, 'absent'],
      ['broken', inMap('gone.sh'), 'absent'],
    ],
    Stalled: [
      ['well', { spec: inline }, 'absent'],
      [
        'broken, until a person mends the source',
        inMap('x', 'gone'),
        'True',
        'SourceNotFound',
        'ConfigMap gone does not exist.',
      ],
    ],
  },
});
