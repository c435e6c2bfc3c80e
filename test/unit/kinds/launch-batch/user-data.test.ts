/** The first script of a machine: valid bash, small enough, nothing in it that is secret. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect, test } from 'vitest';
import { conflictMarker } from '../../../../controller/api/launch-batch.ts';
import {
  addressesThatFit,
  renderUserData,
  userDataLimit,
} from '../../../../controller/kinds/launch-batch/user-data.ts';

const input = {
  user: 'admin',
  publicKey: "ssh-ed25519 AAAA it's ours",
  attestationUrls: ['https://bucket.test/attest/lb-1/0?X=1&Y=2', 'https://bucket.test/attest/lb-1/1?X=1&Y=2'],
};

test('bash reads it, quotes included', () => {
  execFileSync('bash', ['-n'], { input: renderUserData(input) });
  const [head = ''] = renderUserData(input).split('say()');
  const shown = execFileSync('bash', { input: `${head}\nprintf '%s\\n' "$user" "$key" "\${urls[1]}"` });
  expect(shown.toString().split('\n').slice(0, 3)).toEqual([
    'admin',
    "ssh-ed25519 AAAA it's ours",
    input.attestationUrls[1],
  ]);
});

test('addresses are taken as long as they fit', () => {
  const long = {
    ...input,
    attestationUrls: Array.from({ length: 25 }, () => `https://x.test/${'t'.repeat(1_400)}`),
  };
  const count = addressesThatFit(long);
  expect(count).toBeGreaterThan(5);
  expect(count).toBeLessThan(25);
  const fitting = { ...long, attestationUrls: long.attestationUrls.slice(0, count) };
  expect(Buffer.byteLength(renderUserData(fitting))).toBeLessThanOrEqual(userDataLimit);
  expect(addressesThatFit(input)).toBe(2);
});

/** Runs the upload part against a curl that answers with these codes, one per call. */
function upload(...codes: readonly string[]): string {
  const dir = mkdtempSync(path.join(tmpdir(), 'ridgeline-user-data-'));
  try {
    const calls = path.join(dir, 'codes');
    writeFileSync(calls, `${codes.join('\n')}\n`);
    const text = renderUserData(input);
    const loop = text.slice(text.indexOf('doubt=no'));
    const fakes = `
      say() { echo "$*"; }
      sleep() { :; }
      systemctl() { echo "systemctl $*"; }
      upload() { head -n 1 ${calls}; sed -i 1d ${calls}; }
      index=0; urls=(x); keys=$(mktemp)
    `;
    return execFileSync('bash', { input: `${fakes}\n${loop}` }).toString();
  } finally {
    rmSync(dir, { recursive: true });
  }
}

test.each([
  ['accepted at once', ['200'], 'host keys reported', false],
  ['accepted at the second try', ['503', '200'], 'host keys reported', false],
  ['the address has expired', ['403'], 'refused', false],
  ['an answer was lost: the 412 is about our own upload', ['000', '412'], 'reported already', false],
  ['somebody else was first', ['412'], conflictMarker, true],
])('upload: %s', (_, codes, said, stops) => {
  const output = upload(...codes);
  expect(output).toContain(said);
  expect(output.includes('systemctl stop')).toBe(stops);
});
