/** Keys in OpenSSH's format, checked by ssh2. */
import { utils } from 'ssh2';
import { expect, test } from 'vitest';
import { createPrivateKey, publicLineOf } from '../../../../controller/kinds/cloud-account/login-key.ts';

test('a created key is one that ssh2 can sign with, and its public line matches', () => {
  for (const comment of ['', 'a', 'ab', 'ridgeline default', 'x'.repeat(40)]) {
    const privateKey = createPrivateKey(comment);
    const parsed = utils.parseKey(privateKey);
    if (parsed instanceof Error) throw parsed;
    expect(publicLineOf(privateKey)).toBe(`ssh-ed25519 ${parsed.getPublicSSH().toString('base64')}`);
    const signature = parsed.sign('challenge');
    expect(signature instanceof Error ? signature : parsed.verify('challenge', signature)).toBe(true);
  }
});

test('two created keys differ', () => {
  expect(createPrivateKey('a')).not.toBe(createPrivateKey('a'));
});

test.each([
  ['nothing', ''],
  ['another format', '-----BEGIN RSA PRIVATE KEY-----\nAAAA\n-----END RSA PRIVATE KEY-----'],
  ['a cut-off body', `${createPrivateKey('a').slice(0, 120)}\n-----END OPENSSH PRIVATE KEY-----`],
  [
    'a passphrase',
    utils.generateKeyPairSync('ed25519', { passphrase: 'correct horse', cipher: 'aes256-cbc', rounds: 1 })
      .private,
  ],
])('%s is not usable', (_, text) => {
  expect(publicLineOf(text)).toBeUndefined();
});
