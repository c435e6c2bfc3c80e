/** Rendered files are exactly the golden ones, which HAProxy accepts (`test/contract/balancer`). */
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import type { ProxyModel } from '../../../controller/balancer/model.ts';
import { renderConfig } from '../../../controller/balancer/render.ts';
import { root } from '../../source-tree.ts';
import { models } from './models.ts';

const golden = path.join(root, 'test', 'golden', 'haproxy');
const model = (name: string): ProxyModel => models[name]!;

test.each(Object.keys(models))('%s is as agreed', async (name) => {
  await expect(renderConfig(model(name)).text).toMatchFileSnapshot(path.join(golden, `${name}.cfg`));
});

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
