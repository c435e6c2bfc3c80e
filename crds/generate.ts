/** Writes what follows from the kinds: CRDs, field reference, roles. With `--check` it only says what is stale. */
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { stringify } from 'yaml';
import { crdOf } from '../controller/api/crd.ts';
import { referenceOf } from '../controller/api/docs.ts';
import { kinds } from '../controller/api/index.ts';
import { group } from '../controller/api/meta.ts';
import { protectionObjects } from '../controller/api/protection.ts';
import { rbacObjects } from '../controller/api/rbac.ts';

const root = path.resolve(import.meta.dirname, '..');
const notice = '# Written by `npm run generate` from controller/api. Do not edit.\n';

/** What every generated file should contain, by its path in the repository. */
export function generatedFiles(): ReadonlyMap<string, string> {
  const crds = kinds.map((kind) => [`${group}_${kind.plural}.yaml`, yaml([crdOf(kind)])] as const);
  return new Map([
    ...crds.map(([name, text]) => [`crds/${name}`, text] as const),
    ['crds/kustomization.yaml', yaml([{ resources: crds.map(([name]) => name).toSorted() }])],
    ['crds/README.md', `${introduction}\n${referenceOf(kinds)}\n`],
    ['manifests/rbac.yaml', yaml(rbacObjects())],
    ['manifests/protection.yaml', yaml(protectionObjects())],
  ]);
}

/** Generated files that are missing, differ, or are left over from a kind that is gone. */
export function staleFiles(): readonly string[] {
  const wanted = generatedFiles();
  const differing = [...wanted].filter(([file, text]) => readIfThere(path.join(root, file)) !== text);
  return [...differing.map(([file]) => file), ...leftovers(wanted)];
}

function leftovers(wanted: ReadonlyMap<string, string>): readonly string[] {
  return readdirSync(path.join(root, 'crds'))
    .map((name) => `crds/${name}`)
    .filter((file) => file.endsWith('.yaml') && !wanted.has(file));
}

function readIfThere(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
}

function yaml(documents: readonly object[]): string {
  const options = { lineWidth: 0, aliasDuplicateObjects: false };
  return notice + documents.map((document) => stringify(document, options)).join('---\n');
}

function generate(): void {
  const wanted = generatedFiles();
  for (const file of leftovers(wanted)) rmSync(path.join(root, file));
  for (const [file, text] of wanted) writeFileSync(path.join(root, file), text);
  console.log(`${wanted.size} files written.`);
}

function check(): void {
  const stale = staleFiles();
  if (stale.length === 0) return;
  console.error(`Stale, run \`npm run generate\`:\n${stale.map((file) => `  ${file}`).join('\n')}`);
  process.exitCode = 1;
}

const introduction = `# Field reference

The kinds of \`${group}/v1alpha1\`, as \`kubectl explain\` tells them too. The YAML files of this folder are the
CustomResourceDefinitions that \`kubectl apply --server-side -k manifests\` installs.
Everything here but \`generate.ts\` is written by it (\`npm run generate\`) from \`controller/api\`.

\`{name}\` is a reference to an object of the same namespace; \`{name, key}\` to a key of a Secret or ConfigMap.
Every object also has the conditions listed at the end.
`;

if (import.meta.main) {
  if (process.argv.includes('--check')) check();
  else generate();
}
