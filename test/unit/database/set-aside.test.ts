/** The script's copy of relay logs: whole or not there, and never made a second time from what is left. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { nodeScript } from '../../../controller/database/node-script.ts';

const [verb = ''] = /^set_aside\(\) \{\n[^]*?\n\}\n/m.exec(nodeScript) ?? [];

let place: string;

beforeEach(() => {
  place = mkdtempSync(path.join(tmpdir(), 'set-aside-'));
  writeFileSync(path.join(place, 'relay.000001'), 'received');
  writeFileSync(path.join(place, 'relay.index'), 'relay.000001');
});

afterEach(() => rmSync(place, { recursive: true }));

function setAside(basename = 'relay'): void {
  const fail = 'fail() { echo "$1" >&2; exit 70; }';
  const words = [path.join(place, basename), path.join(place, 'kept', 'epoch-2')];
  execFileSync('bash', ['-c', `${fail}\n${verb}\nset_aside "$@"`, 'bash', ...words], { stdio: 'pipe' });
}

it('copies all files of that name', () => {
  setAside();
  expect(readdirSync(path.join(place, 'kept'))).toEqual(['epoch-2']);
  expect(readdirSync(path.join(place, 'kept', 'epoch-2'))).toEqual(['relay.000001', 'relay.index']);
});

it('keeps the first copy when it is asked again after the server has thrown them away', () => {
  setAside();
  writeFileSync(path.join(place, 'relay.000001'), '');
  setAside();
  expect(readFileSync(path.join(place, 'kept', 'epoch-2', 'relay.000001'), 'utf8')).toBe('received');
});

it('fails where there is nothing of that name', () => {
  expect(() => setAside('other')).toThrow('cannot copy');
});
