/** Generated files are fresh, examples fit the schemas, and roles and policies grant no more than the code uses. */
import { globSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { type Schema, schemaOf } from '../../../controller/api/crd.ts';
import { kinds } from '../../../controller/api/index.ts';
import { group } from '../../../controller/api/meta.ts';
import { home, rbacObjects } from '../../../controller/api/rbac.ts';
import { staleFiles } from '../../../crds/generate.ts';
import { changed, good, type Manifest, readManifests, shop } from '../../fixtures/manifests.ts';

const root = path.resolve(import.meta.dirname, '../../..');

test('nobody forgot `npm run generate`', () => {
  expect(staleFiles()).toEqual([]);
});

/** What is wrong with a manifest of ours: schema errors and fields that do not exist. */
function faults({ kind, spec }: Manifest): readonly string[] {
  const options = kinds.find((candidate) => candidate.kind === kind)?.options;
  if (options === undefined) return [`no kind ${kind}`];
  const parsed = options.spec.safeParse(spec);
  const errors = parsed.success
    ? []
    : parsed.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`);
  return [...errors, ...unknownFields(schemaOf(options.spec), spec, 'spec')];
}

function unknownFields(schema: Schema, value: unknown, at: string): readonly string[] {
  if (Array.isArray(value)) {
    return value.flatMap((item, index) =>
      schema.items ? unknownFields(schema.items, item, `${at}.${index}`) : [],
    );
  }
  if (typeof value !== 'object' || value === null || schema.properties === undefined) return [];
  return Object.entries(value).flatMap(([name, inner]) => {
    const property = schema.properties?.[name];
    return property ? unknownFields(property, inner, `${at}.${name}`) : [`${at}.${name}: unknown field`];
  });
}

const examples = globSync('examples/**/*.{yaml,yml}', { cwd: root }).flatMap((file) =>
  readManifests(path.join(root, file))
    .filter(({ apiVersion }) => apiVersion.startsWith(`${group}/`))
    .map((object) => ({ name: `${file}: ${object.kind}/${object.metadata.name}`, object })),
);

test('every example fits the schemas', () => {
  expect(examples.flatMap(({ name, object }) => faults(object).map((fault) => `${name}: ${fault}`))).toEqual(
    [],
  );
});

test.for(shop)('the good $kind fits its schema, and a fault in it would be seen', (object) => {
  expect(faults(object)).toEqual([]);
  expect(faults(changed(object, { 'spec.colour': 'red' }))).toEqual(['spec.colour: unknown field']);
});

test('a wrong type and a wrong name are seen', () => {
  const wrong = changed(good('MySQLCluster'), { 'spec.instances': 'three', 'spec.failover.mod': 'Manual' });
  expect(faults(wrong)).toEqual([expect.stringContaining('instances:'), 'spec.failover.mod: unknown field']);
});

interface Role {
  readonly kind: string;
  readonly metadata: { readonly name: string };
  readonly rules?: readonly { readonly resources: readonly string[]; readonly verbs: readonly string[] }[];
}

function rulesOf(name: string) {
  const roles = rbacObjects() as readonly Role[];
  return roles.filter(({ metadata }) => metadata.name === name).flatMap((role) => role.rules ?? []);
}

test('no role says "everything", and the controller cannot list Secrets', () => {
  expect(JSON.stringify(rbacObjects())).not.toContain('"*"');
  const onSecrets = rulesOf(home.serviceAccount).filter(({ resources }) => resources.includes('secrets'));
  expect(onSecrets.flatMap(({ verbs }) => verbs)).toEqual(['get', 'create', 'patch']);
});

test('people with the runner role change nothing but runs and sizes', () => {
  const changing = rulesOf('ridgeline-runner').filter(({ verbs }) => verbs.includes('update'));
  expect(changing.flatMap(({ resources }) => resources)).toEqual([
    'scriptruns',
    'serverarrays/scale',
    'mysqlclusters/scale',
  ]);
});

test('the deletion policy knows every kind that can be locked', () => {
  const lockable = kinds.filter(({ options }) => schemaOf(options.spec).properties?.['deletionProtection']);
  const [policy] = readManifests(path.join(root, 'manifests/deletion-protection.yaml'));
  const constraints = policy?.spec?.['matchConstraints'] as { resourceRules: { resources: string[] }[] };
  expect(new Set(constraints.resourceRules[0]?.resources)).toEqual(
    new Set(lockable.map(({ plural }) => plural)),
  );
});

/** What IAM calls an SDK command; nothing where no permission is needed. */
const actionOf: Readonly<Record<string, string | undefined>> = {
  's3:HeadBucket': 's3:ListBucket',
  's3:ListObjectsV2': 's3:ListBucket',
  'sts:GetCallerIdentity': undefined,
};

test('the IAM policy allows exactly the calls in the code', () => {
  const used = globSync('controller/**/*.ts', { cwd: root }).flatMap((file) => {
    const source = readFileSync(path.join(root, file), 'utf8');
    return [...source.matchAll(/import (?!type)\{([^}]*)\} from '@aws-sdk\/client-([a-z0-9-]+)'/g)].flatMap(
      ([, names = '', client = '']) =>
        [...names.matchAll(/(?<!type )\b(\w+)Command\b/g)].map(
          ([, name]) => `${client.replace('-', '')}:${name}`,
        ),
    );
  });
  const wanted = used
    .map((call) => (call in actionOf ? actionOf[call] : call))
    .filter((action) => action !== undefined);

  const policy = JSON.parse(
    readFileSync(path.join(root, 'manifests/aws/controller-policy.json'), 'utf8'),
  ) as {
    Statement: { Effect: string; Action: string | string[] }[];
  };
  const allowed = policy.Statement.filter(({ Effect }) => Effect === 'Allow').flatMap(({ Action }) => Action);
  // Handing an instance profile to a machine is no call of its own.
  expect(new Set(allowed)).toEqual(new Set([...wanted, 'iam:PassRole']));
});
