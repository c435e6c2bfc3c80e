/** Rendered files are exactly the golden ones, and HAProxy accepts each of those. */
import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import type { ProxyModel } from '../../../controller/balancer/model.ts';
import { renderConfig } from '../../../controller/balancer/render.ts';
import { root } from '../../source-tree.ts';
import { models } from './models.ts';

const golden = path.join(root, 'test', 'golden', 'haproxy');
const haproxy = '/usr/sbin/haproxy';
const model = (name: string): ProxyModel => models[name]!;

test.each(Object.keys(models))('%s is as agreed', async (name) => {
  await expect(renderConfig(model(name)).text).toMatchFileSnapshot(path.join(golden, `${name}.cfg`));
});

describe.skipIf(!existsSync(haproxy))('HAProxy of this machine', () => {
  test.each(Object.keys(models))('accepts %s without a warning', async (name) => {
    const folder = mkdtempSync(path.join(tmpdir(), 'ridgeline-render-'));
    try {
      const { stdout, stderr } = await check(folder, model(name));
      expect(`${stdout}${stderr}`).not.toMatch(/WARNING|ALERT/);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

/** With every path moved below `folder`, where the side files lie too. */
async function check(folder: string, checked: ProxyModel): Promise<{ stdout: string; stderr: string }> {
  const layout = {
    ...checked.layout,
    directory: folder,
    adminSocket: path.join(folder, 'admin.sock'),
    stateFile: path.join(folder, 'state'),
  };
  const certificate = await selfSigned(folder);
  const listeners = checked.listeners.map((one) =>
    one.protocol === 'HTTPS' ? { ...one, certificate } : one,
  );
  const { text, sideFiles } = renderConfig({ ...checked, layout, listeners });
  mkdirSync(folder, { recursive: true });
  writeFileSync(path.join(folder, 'flags.map'), 'maintenance off\n');
  writeFileSync(layout.stateFile, '1\n');
  for (const { name, content } of sideFiles) writeFileSync(path.join(folder, name), content);
  const file = path.join(folder, 'haproxy.cfg');
  writeFileSync(file, text);
  return await promisify(execFile)(haproxy, ['-c', '-f', file]);
}

async function selfSigned(folder: string): Promise<string> {
  const [key, chain] = [path.join(folder, 'key'), path.join(folder, 'chain')];
  const options = '-x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=test'.split(
    ' ',
  );
  await promisify(execFile)('openssl', ['req', ...options, '-keyout', key, '-out', chain]);
  const { stdout } = await promisify(execFile)('cat', [chain, key]);
  return stdout;
}

describe('the base hash', () => {
  const { base } = renderConfig(model('http'));
  const changed = (changes: Partial<ProxyModel>) => renderConfig({ ...model('http'), ...changes }).base;

  test('ignores servers, the host and the maintenance switch: none of them needs a reload', () => {
    const [backend] = model('http').backends;
    expect(changed({ backends: [{ ...backend!, servers: [] }] })).toBe(base);
    expect(changed({ node: 'front-2' })).toBe(base);
    expect(changed({ maintenance: true })).toBe(base);
  });

  test('changes with listeners, checks, pages and lines of the user', () => {
    const [listener] = model('http').listeners;
    const bases = [
      changed({ listeners: [{ ...listener!, port: 81 }] }),
      changed({ page: 'another' }),
      changed({ extra: { global: [], defaults: ['timeout check 1s'] } }),
    ];
    expect(new Set([base, ...bases]).size).toBe(4);
  });
});

test('the order of servers does not matter', () => {
  const [backend] = model('http').backends;
  const turned = { ...backend!, servers: backend!.servers.toReversed() };
  expect(renderConfig({ ...model('http'), backends: [turned] }).text).toBe(renderConfig(model('http')).text);
});

test.each(['10.0.0.1 check', '10.0.0.1\nserver x', '10.0.0.1;shutdown', '', '$HOME', '"a"'])(
  'an address such as %j never reaches the file',
  (address) => {
    const [backend] = model('http').backends;
    const servers = [{ ...backend!.servers[0]!, address }];
    expect(() => renderConfig({ ...model('http'), backends: [{ ...backend!, servers }] })).toThrow(
      'may not stand',
    );
  },
);
