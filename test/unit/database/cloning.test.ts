/** The two jobs of a copy: their texts, and what they keep secret. Real hosts run them in test/contract. */
import { execFileSync } from 'node:child_process';
import path from 'node:path';
import { describe, expect, it, test } from 'vitest';
import { type Copy, type Donation, donorJob, joinerJob } from '../../../controller/database/cloning.ts';
import { root } from '../../source-tree.ts';
import { mariaDB } from './preparations.ts';

const { clusterUID } = mariaDB;
const donation: Donation = {
  flavor: 'MariaDB',
  clusterUID,
  privateAddress: '10.77.0.9',
  joinerCertificate: 'certificate of the joiner',
};
const copy: Copy = {
  flavor: 'MariaDB',
  series: '11.8',
  clusterUID,
  donorAddress: '10.77.0.9',
  donorCertificate: 'certificate of the donor',
  adminPassword: 'admin-secret',
  epoch: 4,
};

test.each([
  ['donor-mariadb.sh', donorJob('copy-1', donation)],
  ['donor-mysql.sh', donorJob('copy-1', { ...donation, flavor: 'MySQL' })],
  ['joiner-mariadb.sh', joinerJob('copy-1', copy)],
  ['joiner-mysql.sh', joinerJob('copy-1', { ...copy, flavor: 'MySQL', series: '9.7' })],
])('%s is as agreed, and bash reads it', async (name, { script }) => {
  execFileSync('bash', ['-n'], { input: script });
  await expect(script).toMatchFileSnapshot(path.join(root, 'test', 'golden', 'database', name));
});

describe('a copy', () => {
  it('trusts one certificate on each side', () => {
    const peers = [donorJob('copy-1', donation), joinerJob('copy-1', copy)].map(({ attachments }) =>
      attachments.map(({ name, content }) => [name, Buffer.from(content, 'base64').toString()]),
    );
    expect(peers).toEqual([
      [['peer.pem', 'certificate of the joiner']],
      [['peer.pem', 'certificate of the donor']],
    ]);
  });

  it('keeps the password out of the script', () => {
    const job = joinerJob('copy-1', { ...copy, flavor: 'MySQL' });
    expect(job.environment).toEqual({ RL_ADMIN_PASSWORD: 'admin-secret' });
    expect(job.script).not.toContain('admin-secret');
  });

  it('asks for the epoch before it gives up what the joiner holds', () => {
    const { script } = joinerJob('copy-1', copy);
    expect(script).toContain("epoch='4'\n");
    expect(script.indexOf('\ngive_up_data\n')).toBeLessThan(script.indexOf('\nempty_data\n'));
  });
});
