/** Pins are OpenSSH's fingerprints. */
import { describe, expect, it } from 'vitest';
import { algorithmsFor, pinOf, pinsOf } from '../../../controller/shell/host-key.ts';
import { fakeHostKey, fakeHostKeyPin } from '../../fakes/clouds.ts';
import { generateKeyPair } from '../../fakes/key-pair.ts';

describe('pinsOf', () => {
  it('names a key as ssh-keygen -l does', () => {
    expect(pinsOf(`${fakeHostKey} root@host\n`)).toEqual([fakeHostKeyPin]);
  });

  it('takes every good line once and ignores the rest', () => {
    const text = `# comment\n\nssh-dss AAAA\nssh-rsa ${fakeHostKey.split(' ')[1]}\n${fakeHostKey}\n${fakeHostKey} again\n`;
    expect(pinsOf(text)).toEqual([fakeHostKeyPin]);
    expect(pinsOf('ssh-ed25519')).toEqual([]);
  });
});

describe('algorithmsFor', () => {
  it('lets a host prove only what was pinned', () => {
    expect(algorithmsFor(['ED25519:SHA256:x'])).toEqual(['ssh-ed25519']);
    expect(algorithmsFor(['RSA:SHA256:x'])).toEqual(['rsa-sha2-512', 'rsa-sha2-256']);
    expect(algorithmsFor([])).toEqual([]);
  });
});

describe('generateKeyPair', () => {
  it('makes an OpenSSH ed25519 pair, another one each time', () => {
    const pair = generateKeyPair('ridgeline default');
    expect(pair.privateKey).toMatch(/^-----BEGIN OPENSSH PRIVATE KEY-----/);
    expect(pair.publicKey).toMatch(/^ssh-ed25519 \S+ ridgeline default$/);
    expect(pinsOf(pair.publicKey)).toHaveLength(1);
    expect(pinsOf(generateKeyPair('x').publicKey)).not.toEqual(pinsOf(pair.publicKey));
    expect(pinOf(new Uint8Array(3))).toBeUndefined();
  });
});
