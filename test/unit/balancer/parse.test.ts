/** What real HAProxies say is read right: captures of 2.6.12 and 3.0.11, with a drained, a retired and a new server. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { readLook } from '../../../controller/balancer/look.ts';
import {
  parseFile,
  parseInfo,
  parseMaintenance,
  parseOldWorkers,
  parseServers,
  parseTraffic,
  sumStatistics,
} from '../../../controller/balancer/parse.ts';
import { renderConfig } from '../../../controller/balancer/render.ts';
import { root } from '../../source-tree.ts';
import { models } from './models.ts';

describe.each(['2.6', '3.0'])('HAProxy %s', (version) => {
  const said = (what: string) =>
    readFileSync(path.join(root, 'test', 'golden', 'haproxy', `says-${version}`, `${what}.txt`), 'utf8');

  test('show info', () => {
    const { base, version: full, pid } = parseInfo(said('show-info'));
    expect(base).toBe('0123456789ab');
    expect(full).toMatch(new RegExp(`^${version.replace('.', '\\.')}\\.`));
    expect(said('show-proc')).toContain(`${pid} `);
  });

  test('show servers state and show stat', () => {
    const servers = parseServers(said('show-servers-state'), said('show-stat'));
    expect(servers).toEqual([
      {
        backend: 'app',
        name: 'i-1-28090',
        address: '127.0.0.1',
        port: 28090,
        admin: 'drain',
        up: true,
        weight: 100,
        limit: 0,
      },
      {
        backend: 'app',
        name: 'i-2-28091',
        address: '127.0.0.1',
        port: 28091,
        admin: 'maint',
        up: false,
        weight: 30,
        limit: 20,
      },
      {
        backend: 'app',
        name: 'i-3-28090',
        address: '127.0.0.1',
        port: 28090,
        admin: 'maint',
        up: false,
        weight: 50,
        limit: 0,
      },
      {
        backend: 'tcp',
        name: 'i-1-28092',
        address: '127.0.0.1',
        port: 28092,
        admin: 'ready',
        up: true,
        weight: 1,
        limit: 0,
      },
    ]);
    const { servers: loads } = sumStatistics([said('show-stat')]);
    expect(loads.find(({ name }) => name === 'i-1-28090')).toMatchObject({
      check: 'L7OK',
      current: 0,
      queued: 0,
    });
  });

  test('show stat, for what was answered: requests over HTTP, connections over TCP', () => {
    const stat = counting(said('show-stat'), [
      ['http', 'FRONTEND', { req_tot: 1000, stot: 7, hrsp_5xx: 12 }],
      ['echo', 'FRONTEND', { stot: 50 }],
      ['app', 'BACKEND', { req_tot: 1000, hrsp_5xx: 12, econ: 3 }],
      ['tcp', 'BACKEND', { stot: 50, econ: 4 }],
    ]);
    expect(parseTraffic(stat)).toEqual({ requests: 1050, failures: 16 });
  });

  test('show map', () => {
    expect(parseMaintenance(said('show-map'))).toBe(false);
    expect(parseMaintenance(said('show-map').replace('off', 'on'))).toBe(true);
  });
});

const says30 = (what: string) =>
  readFileSync(path.join(root, 'test', 'golden', 'haproxy', 'says-3.0', `${what}.txt`), 'utf8');

test('sessions in a worker that a reload left behind are counted', () => {
  expect(parseOldWorkers(says30('show-proc'))).toEqual([22742]);
  const { servers, clients } = sumStatistics([says30('show-stat'), says30('show-stat-old')]);
  expect(servers.find(({ backend }) => backend === 'tcp')).toMatchObject({ current: 1 });
  expect(clients).toBe(1);
});

/** The same rows with these numbers in them. */
function counting(
  stat: string,
  numbers: readonly (readonly [string, string, Readonly<Record<string, number>>])[],
): string {
  const [header = '', ...rows] = stat.split('\n');
  const columns = header.replace(/^# /, '').split(',');
  const changed = rows.map((row) => {
    const values = row.split(',');
    const found = numbers.find(([proxy, server]) => values[0] === proxy && values[1] === server);
    for (const [column, count] of Object.entries(found?.[2] ?? {})) {
      values[columns.indexOf(column)] = String(count);
    }
    return values.join(',');
  });
  return [header, ...changed].join('\n');
}

test('who else listens on our ports', () => {
  const ports = '80 812 session-3.scope haproxy\n443 90  my server\n';
  expect(readLook(`--- ports\n${ports}--- flags\n--- file\n`).strangers).toEqual([
    { port: 80, pid: 812, unit: 'session-3.scope', program: 'haproxy' },
    { port: 443, pid: 90, unit: '', program: 'my server' },
  ]);
});

describe('our file', () => {
  const { text, base } = renderConfig(models['http']!);

  test('is known by its seal', () => {
    const { base: read, isEdited, servers } = parseFile(text);
    expect({ read, isEdited }).toEqual({ read: base, isEdited: false });
    expect([...servers.keys()]).toEqual(['app/i-0a-8000', 'app/i-0b-8000', 'app/i-0f-8000']);
  });

  test('is seen to be edited, wherever', () => {
    expect(parseFile(text.replace('weight 30', 'weight 31')).isEdited).toBe(true);
    expect(parseFile(`${text}# note\n`).isEdited).toBe(true);
  });

  test('is told from one that is not ours', () => {
    expect(parseFile('global\n')).toEqual({ isEdited: false, servers: new Map() });
  });

  test('survives a look, whatever it contains', () => {
    const odd = `${text}--- file\n--- old\n`;
    const look = readLook(
      `${says30('show-proc')}--- old\n${says30('show-stat-old')}--- flags\nmaintenance on\n--- file\nabc123\n${odd}`,
    );
    expect(look).toMatchObject({
      fileDigest: 'abc123',
      maintenance: true,
      isRunning: true,
      workers: [22742],
    });
    expect(look.old).toHaveLength(1);
    expect(look.file).toMatchObject({ base, isEdited: true });
  });

  test('may be missing, and HAProxy may not run', () => {
    const look = readLook('--- flags\n--- file\n');
    expect(look).toMatchObject({ fileDigest: '', isRunning: false, maintenance: false, workers: [] });
    expect(look.file.base).toBeUndefined();
  });
});
