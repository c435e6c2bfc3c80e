/** The rules of the house, as tests: who may import whom, what stays pure, how big a file may be. */
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { staleFiles } from '../crds/generate.ts';

import { nodeEnvironment, nodeFlags } from '../lab/demo/controller.ts';
import { danglingOptionals, type Lock, lockFile } from './lock-file.ts';
import { codeLines, filesBelow, importsOf, root, type SourceFile, withoutComments } from './source-tree.ts';

const isTypeScript = (name: string) => name.endsWith('.ts');
const controller = filesBelow('controller', isTypeScript);
const lab = filesBelow('lab', isTypeScript);
const sources = [
  ...controller,
  ...lab,
  ...filesBelow('bundle', isTypeScript),
  ...filesBelow('crds', isTypeScript),
  ...filesBelow('test', isTypeScript),
];
const documents = filesBelow('.', (name) =>
  /\.(ts|md|ya?ml|json|sh)$|^(Makefile|Dockerfile)$/.test(name),
).filter((file) => file.path !== 'package-lock.json');

/**
 * Room of the controller -> what it may import besides itself: rooms, or single files of them. Arrows point down:
 * ports and pure code know no adapter, a kind knows no other kind, and only main.ts knows everything.
 */
const allowedRooms: Readonly<Record<string, readonly string[]>> = {
  base: [],
  api: ['base'],
  http: ['base'],
  kube: ['base', 'api'],
  cloud: ['base', 'api'],
  shell: ['base', 'api'],
  balancer: ['base', 'api', 'shell/port'],
  'load-reports': ['base'],
  dns: ['base', 'cloud/port'],
  database: ['base', 'api', 'shell/port', 'shell/quoting'],
  supervision: ['base', 'api', 'cloud/port', 'database/port', 'database/gtid'],
  failover: [
    'base',
    'api',
    'kube/port',
    'database/port',
    'database/gtid',
    'database/set-aside',
    'supervision/port',
  ],
  'job-logs': ['base', 'shell/port'],
  breaker: ['base'],
  inputs: ['base', 'api', 'kube/port', 'cloud/port'],
  accounts: ['base', 'api', 'kube/port', 'cloud/port', 'shell/port'],
  'owned-servers': ['base', 'api', 'kube/port', 'accounts/port', 'breaker/limits'],
  'cluster-access': [
    'base',
    'api',
    'accounts/host',
    'accounts/port',
    'accounts/site',
    'cloud/port',
    'database/port',
    'kube/port',
    'shell/port',
  ],
  routes: [
    'base',
    'api',
    'accounts/host',
    'accounts/port',
    'accounts/site',
    'balancer',
    'cloud/port',
    'database/tcp-port',
    'dns',
    'failover/port',
    'kube/port',
    'shell/port',
  ],
  runtime: ['base', 'api', 'http/routes', 'kube/port', 'kube/reconciler', 'kube/decode', 'kube/versions'],
  kinds: [
    'base',
    'api',
    'inputs',
    'accounts',
    'balancer',
    'breaker',
    'cluster-access',
    'database',
    'dns',
    'failover',
    'job-logs',
    'load-reports',
    'owned-servers',
    'routes',
    'supervision/port',
    'kube/port',
    'kube/reconciler',
    'cloud/port',
    'shell/port',
    'shell/host-key',
    'shell/quoting',
  ],
};

/** Room -> packages it may import; Node's own modules are free where nothing must stay pure. */
const allowedPackages: Readonly<Record<string, readonly string[]>> = {
  base: ['pino'],
  api: ['zod'],
  http: [],
  kube: ['@kubernetes/client-node', 'undici', 'zod'],
  cloud: ['@aws-sdk/', 'prom-client'],
  shell: ['ssh2'],
  database: ['mysql2'],
  supervision: ['prom-client'],
  failover: ['prom-client'],
  inputs: [],
  accounts: [],
  runtime: ['prom-client'],
  kinds: ['prom-client', 'croner'],
};

/** Files that decide: the same input must give the same output, in a test as in production. */
const pureFile =
  /^controller\/(api\/|kinds\/[^/]+\/(decide\.ts|decide\/|status\.ts)|inputs\/resolve\.ts|job-logs\/mask\.ts|cluster-access\/stamp\.ts|routes\/(model|records|verdict)\.ts|database\/(gtid(-mysql|-mariadb)?|replication|set-aside)\.ts|supervision\/(classify|observers|signs)\.ts|failover\/(elect|proof)\.ts|breaker\/limits\.ts|owned-servers\/removals\.ts)/;
const impure =
  /\bawait\b|\bDate\.now\b|\bnew Date\(\)|\bMath\.random\b|\bprocess\.|\bset(Timeout|Interval|Immediate)\b|\bperformance\.|\bfetch\(/;

/** The room of a controller file: its folder, or the file itself at the top. */
function roomOf(file: string): string {
  return file.split('/')[1]!.replace(/\.ts$/, '');
}

function offences(files: readonly SourceFile[], find: (file: SourceFile) => readonly string[]): string[] {
  return files.flatMap((file) => find(file).map((what) => `${file.path}: ${what}`));
}

test('rooms of the controller import only what the table allows', () => {
  const composed = new Set(['main', 'config']);
  const found = offences(controller, (file) => {
    const room = roomOf(file.path);
    if (composed.has(room)) return [];
    const allowed = allowedRooms[room];
    if (allowed === undefined) return ['is in a room the table does not know'];
    return importsOf(file)
      .filter(({ isPackage }) => !isPackage)
      .map(({ target }) => target)
      .filter((target) => !isOwnRoom(file.path, target) && !allowed.some((name) => isIn(target, name)))
      .map((target) => `imports ${target}`);
  });
  expect(found).toEqual([]);
});

/** For kinds, each kind is a room of its own. */
function isOwnRoom(file: string, target: string): boolean {
  const depth = roomOf(file) === 'kinds' ? 3 : 2;
  const room = (name: string) => name.split('/').slice(0, depth).join('/');
  return room(file) === room(target);
}

function isIn(target: string, room: string): boolean {
  return target === `controller/${room}.ts` || target.startsWith(`controller/${room}/`);
}

test('SDKs stay behind their adapters', () => {
  const found = offences(controller, (file) => {
    const allowed = allowedPackages[roomOf(file.path)] ?? ['zod', 'pino', 'prom-client'];
    return importsOf(file)
      .filter(({ isPackage, target }) => isPackage && !target.startsWith('node:'))
      .filter(({ target }) => !allowed.some((name) => target === name || target.startsWith(name)))
      .map(({ target }) => `imports ${target}`);
  });
  expect(found).toEqual([]);
});

test('the controller knows nothing of the lab, and the lab nothing of the controller', () => {
  expect([...importsBeyond('controller', controller), ...importsBeyond('lab', lab)]).toEqual([]);
});

function importsBeyond(house: string, files: readonly SourceFile[]): string[] {
  return offences(files, (file) =>
    importsOf(file)
      .filter(({ isPackage, target }) => !isPackage && !target.startsWith(`${house}/`))
      .map(({ target }) => `imports ${target}`),
  );
}

test('nothing imports a main program', () => {
  const found = offences(sources, (file) =>
    importsOf(file)
      .filter(({ target }) => /(^|\/)main\.ts$/.test(target))
      .map(({ target }) => `imports ${target}`),
  );
  expect(found).toEqual([]);
});

test('what decides is pure', () => {
  const found = offences(
    controller.filter((file) => pureFile.test(file.path)),
    (file) => [
      ...[...withoutComments(file.text).matchAll(new RegExp(impure, 'g'))].map(([word]) => `uses ${word}`),
      ...importsOf(file)
        .filter(({ target }) => target.startsWith('node:'))
        .map(({ target }) => `imports ${target}`),
    ],
  );
  expect(found).toEqual([]);
});

test('imports never go in circles, types included', () => {
  const files = [...controller, ...lab];
  const graph = new Map(files.map((file) => [file.path, importsOf(file).map(({ target }) => target)]));
  const state = new Map<string, 'open' | 'done'>();
  const circles: string[] = [];
  const visit = (file: string, way: readonly string[]) => {
    if (state.get(file) === 'open') circles.push([...way.slice(way.indexOf(file)), file].join(' -> '));
    if (state.has(file)) return;
    state.set(file, 'open');
    for (const target of graph.get(file) ?? []) visit(target, [...way, file]);
    state.set(file, 'done');
  };
  for (const { path: file } of files) visit(file, []);
  expect(circles).toEqual([]);
});

test('what a decision is made from lives with the decision', () => {
  const found = offences(
    controller.filter(({ path: file }) => !/\/(decide\.ts|observed\.ts|decide\/)/.test(file)),
    (file) =>
      /^(?:export )?(?:interface|type) Observed\b/m.test(file.text) ? ['says what Observed is'] : [],
  );
  expect(found).toEqual([]);
});

test('private members are #private, and numbers in templates stand as they are', () => {
  const found = offences(sources, (file) => {
    const text = withoutComments(file.text);
    return [
      ...[...text.matchAll(/^ +(?:private|protected) (?!constructor)\w+/gm)].map(([member]) => member.trim()),
      // What was caught may be anything.
      ...[...text.matchAll(/\$\{String\((?!error)[^()]*\)\}/g)].map(([word]) => word),
    ];
  });
  expect(found).toEqual([]);
});

test('a file has at most 400 lines of code', () => {
  expect(offences(sources, (file) => (codeLines(file) > 400 ? [`${codeLines(file)} lines`] : []))).toEqual(
    [],
  );
});

test('a file opens with one line that says what it is for', () => {
  const purpose = /^(#!.*\n)?\/\*\*( \S.{15,} \*\/)?\n/;
  expect(offences(sources, (file) => (purpose.test(file.text) ? [] : ['no purpose']))).toEqual([]);
});

test('every folder has a door plate', () => {
  const missing = ['controller', 'bundle', 'lab', 'crds', 'manifests', 'examples', 'docs', 'test'].flatMap(
    (folder) => foldersWithoutReadme(folder),
  );
  expect(missing).toEqual([]);
});

/** In every kind's room: see controller/kinds/README.md. */
const usualFiles = new Set([
  'reconcile.ts',
  'observe.ts',
  'decide.ts',
  'observed.ts',
  'act.ts',
  'status.ts',
  'metrics.ts',
  'wakes.ts',
  'announce.ts',
]);

test('a door plate names what is in the room, and nothing else', () => {
  const folders = new Set([...controller, ...lab].map(({ path: file }) => path.dirname(file)));
  const known = [...new Set(sources.map(({ path: file }) => `/${file}`))];
  const found = [...folders].flatMap((folder) => {
    const files = readdirSync(path.join(root, folder));
    if (!files.includes('README.md')) return [];
    const words = codeWords(readFileSync(path.join(root, folder, 'README.md'), 'utf8'));
    const isUsual = (name: string) => /^controller\/kinds\/[^/]+$/.test(folder) && usualFiles.has(name);
    const isNamed = (name: string) => words.some((word) => `${word}.ts` === name || matches(word, name));
    const isThere = (word: string) =>
      word.includes('/')
        ? known.some((file) => file.endsWith(path.join('/', word.replace(/^(\.\.\/)+/, ''))))
        : known.some((file) => file.startsWith(`/${folder}/`) && matches(word, path.basename(file)));
    return [
      ...files
        .filter((name) => isTypeScript(name) && !isUsual(name) && !isNamed(name))
        .map((name) => `${folder}: ${name} is not named`),
      ...words
        .filter((word) => isTypeScript(word) && !/[<>]|\/.*\*/.test(word) && !isThere(word))
        .map((word) => `${folder}: there is no ${word}`),
    ];
  });
  expect(found).toEqual([]);
});

/** Words of a README that are set as code, where the names of files are. */
function codeWords(text: string): string[] {
  const spans = [...text.matchAll(/^```[^]*?^```|`([^`\n]+)`/gm)].map(([span]) => span);
  return spans.flatMap((span) => span.match(/[\w./*<>-]+/g) ?? []);
}

/** `observe*.ts` names `observe-jobs.ts`. */
function matches(word: string, name: string): boolean {
  const [start, end] = word.split('*');
  return end === undefined ? word === name : name.startsWith(start!) && name.endsWith(end);
}

/** Below test/unit the folders mirror the code, whose own READMEs speak for them. */
function foldersWithoutReadme(folder: string): string[] {
  if (folder === 'test/unit') return [];
  const entries = readdirSync(path.join(root, folder), { withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile()).map(({ name }) => name);
  const below = entries
    .filter((entry) => entry.isDirectory())
    .flatMap(({ name }) => foldersWithoutReadme(path.join(folder, name)));
  return files.length >= 2 && !files.includes('README.md') ? [folder, ...below] : below;
}

test('no room or file is named after nothing', () => {
  const vague = /(^|\/)(utils?|helpers?|common|misc|types|shared|lib)(\/|\.ts$)/;
  expect(offences(sources, (file) => (vague.test(file.path) ? ['a name that says nothing'] : []))).toEqual(
    [],
  );
});

test('nothing is tied to one machine or one mirror', () => {
  const names = /deb\.debian\.org|registry\.npmjs\.org|proxy\.golang\.org|\/work\/(main|shared)/g;
  const found = offences(documents, (file) => [...file.text.matchAll(names)].map(([name]) => name));
  expect(found).toEqual([]);
});

test('the lint rules are never switched off inside a file', () => {
  const switches = /@ts-(ignore|nocheck|expect-error)|(eslint|oxlint)-disable|biome-(ignore)/;
  expect(offences(sources, (file) => (switches.test(file.text) ? ['switches a rule off'] : []))).toEqual([]);
});

test('status never has a phase: conditions tell the state', () => {
  const found = offences(
    controller.filter((file) => file.path.startsWith('controller/api/')),
    (file) =>
      [...file.text.matchAll(/status\.phase|statusOf\(\{[^]*?\bphase:[^]*?\n\}\)/g)].map(() => 'has a phase'),
  );
  expect(found).toEqual([]);
});

test('generated files are fresh', () => {
  expect(staleFiles()).toEqual([]);
});

test('the demo starts the controller as the image does', () => {
  const dockerfile = readFileSync(path.join(root, 'Dockerfile'), 'utf8');
  const command: unknown = JSON.parse(/^ENTRYPOINT (.*)$/m.exec(dockerfile)?.[1] ?? '');
  expect(command).toEqual(['node', ...nodeFlags, 'dist/main.mjs']);
  const environment = [...dockerfile.matchAll(/\b(MALLOC_\w+)=(\S+)/g)].map(([, name, value]) => [
    name,
    value,
  ]);
  expect(Object.fromEntries(environment)).toEqual(nodeEnvironment);
});

test('the lock file can be installed', () => {
  expect(danglingOptionals(JSON.parse(readFileSync(lockFile, 'utf8')) as Lock)).toEqual([]);
});
