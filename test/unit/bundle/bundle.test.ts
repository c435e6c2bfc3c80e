/** The bundle: it runs without anything beside it, holds what is used and little else, and knows where its lines come from. */
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { Worker } from 'node:worker_threads';
import { build, type Metafile } from 'esbuild';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { bundleController, options } from '../../../bundle/bundle.ts';
import { packagesOf } from '../../../bundle/licences.ts';
import type { PageReply, PageRequest } from '../../../controller/cloud/sweep-worker.ts';
import { Ec2Api } from '../../fakes/ec2-api.ts';

let folder = '';
let metafile: Metafile;

beforeAll(async () => {
  folder = mkdtempSync(path.join(tmpdir(), 'ridgeline-bundle-'));
  metafile = await bundleController(folder);
}, 60_000);

afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

/** How the bundled controller ends without a cluster: exit code and log. */
function run(env: NodeJS.ProcessEnv, flags: readonly string[] = []) {
  return new Promise<{ readonly code: unknown; readonly log: string }>((resolve) => {
    const args = [...flags, path.join(folder, 'main.mjs')];
    execFile(process.execPath, args, { cwd: folder, env }, (error, _out, log) =>
      resolve({ code: error?.code ?? 0, log }),
    );
  });
}

const anywhere = { METRICS_ADDRESS: '127.0.0.1:0', HEALTH_ADDRESS: '127.0.0.1:0' };

test('it runs from a folder of its own, and its traces name the sources', async () => {
  const nowhere = { ...anywhere, KUBECONFIG: path.join(folder, 'none') };
  const { code, log } = await run(nowhere, ['--enable-source-maps']);
  expect(code).toBe(1);
  expect(log).toContain('could not run');
  const [, line] = /controller\/kube\/kubeconfig\.ts:(\d+):/.exec(log) ?? [];
  const source = readFileSync('controller/kube/kubeconfig.ts', 'utf8').split('\n');
  expect(source[Number(line) - 1]).toContain('loadFromFile(file)');
});

test('what nobody uses of the large packages is left out', () => {
  const sizeOf = (name: string) =>
    Object.entries(metafile.outputs[outputs().main]!.inputs)
      .filter(([file]) => file.includes(`node_modules/${name}/`))
      .reduce((sum, [, { bytesInOutput }]) => sum + bytesInOutput, 0);
  expect(sizeOf('@aws-sdk/client-ec2')).toBeGreaterThan(10_000);
  expect(sizeOf('@aws-sdk/client-ec2')).toBeLessThan(200_000);
  expect(sizeOf('@kubernetes/client-node')).toBeGreaterThan(10_000);
  expect(sizeOf('@kubernetes/client-node')).toBeLessThan(200_000);
});

test('the worker holds no more than it needs to read EC2', () => {
  const packages = packagesOf({ inputs: {}, outputs: { worker: metafile.outputs[outputs().worker]! } });
  expect(packages.length).toBeGreaterThan(10);
  expect(packages.filter((name) => !/^node_modules\/@(aws|aws-sdk|smithy)\//.test(name))).toEqual([]);
});

test('it is ASCII, and only comments had to change for that', async () => {
  expect(readFileSync(path.join(folder, 'main.mjs')).every((byte) => byte < 128)).toBe(true);
  const bare = await build({
    ...options,
    outdir: folder,
    write: false,
    legalComments: 'none',
    sourcemap: false,
    minifyWhitespace: true,
  });
  for (const { contents } of bare.outputFiles) expect(contents.every((byte) => byte < 128)).toBe(true);
}, 60_000);

function outputs(): { readonly main: string; readonly worker: string } {
  const names = Object.keys(metafile.outputs);
  const find = (end: string) => names.find((name) => name.endsWith(`/${end}`))!;
  return { main: find('main.mjs'), worker: find('sweep-worker.mjs') };
}

test('the bundled worker reads the same from EC2 as its source', async () => {
  await using api = await Ec2Api.listen();
  api.count = 3;
  const read = async (file: URL) => {
    const worker = new Worker(file);
    const request: PageRequest = { id: 1, target: api.target, nextToken: undefined };
    worker.postMessage(request, []);
    const [reply] = (await once(worker, 'message')) as [PageReply];
    await worker.terminate();
    return reply;
  };
  const [bundled, source] = await Promise.all([
    read(pathToFileURL(path.join(folder, 'sweep-worker.mjs'))),
    read(pathToFileURL(path.resolve('controller/cloud/sweep-worker.ts'))),
  ]);
  expect(source.page?.machines).toHaveLength(3);
  expect(bundled).toEqual(source);
});

test('every package in it has its licence beside it', () => {
  const text = readFileSync(path.join(folder, 'LICENSES.txt'), 'utf8');
  const packages = packagesOf(metafile);
  expect(packages.length).toBeGreaterThan(50);
  for (const one of packages) {
    const { name, version } = JSON.parse(readFileSync(path.join(one, 'package.json'), 'utf8')) as Readonly<
      Record<string, string>
    >;
    expect(text).toContain(`${name} ${version}`);
  }
  expect(text).toContain('Permission is hereby granted, free of charge');
});
