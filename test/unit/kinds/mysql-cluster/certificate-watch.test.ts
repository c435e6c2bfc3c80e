/** How often hosts are asked about certificates, and how long their answers stand. */
import { beforeEach, expect, it } from 'vitest';
import type { MySQLCluster, MySQLClusterStatus } from '../../../../controller/api/mysql-cluster.ts';
import { AppError } from '../../../../controller/base/errors.ts';
import type { CertificateLook, Member } from '../../../../controller/database/port.ts';
import { CertificateWatch } from '../../../../controller/kinds/mysql-cluster/certificate-watch.ts';
import { FakeClock } from '../../../fakes/clock.ts';
import { ago } from './condition-scene.ts';

const clock = new FakeClock();
const answer: CertificateLook = {
  time: 0,
  own: undefined,
  other: undefined,
  presented: undefined,
  trusted: [],
};
const renewal = { server: 'db-1', step: 'Trusting', startTime: ago(0) } as const;

let watch: CertificateWatch;
let asked: number;
let isSilent: boolean;
const member = {
  server: 'db-1',
  address: '10.77.1.1',
  database: {
    certificates: {
      look: async () => {
        asked += 1;
        if (isSilent) throw new AppError('shell.unreachable', 'db-1 does not answer');
        return await Promise.resolve(answer);
      },
    },
  },
} as unknown as Member;

beforeEach(() => {
  watch = new CertificateWatch(clock);
  asked = 0;
  isSilent = false;
});

function cluster(status: MySQLClusterStatus = {}): MySQLCluster {
  const primary = { server: 'db-1', epoch: 1 };
  return { metadata: { uid: 'u-1' }, status: { primary, ...status } } as MySQLCluster;
}

/** A pass each second; how often the host was asked. */
async function pass(
  seconds: readonly [from: number, to: number],
  status?: MySQLClusterStatus,
): Promise<number> {
  asked = 0;
  for (let second = seconds[0]; second < seconds[1]; second += 1)
    await watch.ask(cluster(status), [member], second * 1_000);
  return asked;
}

it('asks every five minutes, and who did not answer every ten seconds', async () => {
  expect(await pass([0, 601])).toBe(3);
  isSilent = true;
  expect(await pass([900, 931])).toBe(4);
});

it('asks with every pass while a certificate is renewed, but not for ever while that waits', async () => {
  await pass([0, 1]);
  const certificates = { certificates: { renewal } };
  expect(await pass([10, 70], certificates)).toBe(60);
  expect(await pass([70, 100], certificates)).toBe(3);
  expect(await pass([100, 160], { certificates: { renewal: { ...renewal, step: 'Presenting' } } })).toBe(60);
  expect(await pass([200, 230], { certificates: { due: ['of another, which is kept'] } })).toBe(1);
});

it('tells what was answered in this epoch, and whether that was now', async () => {
  expect(watch.of(cluster(), 0)).toEqual({ looks: new Map(), isFresh: false });
  await pass([0, 1]);
  expect(watch.of(cluster(), 0)).toEqual({ looks: new Map([['db-1', answer]]), isFresh: true });
  expect(watch.of(cluster(), 1_000).isFresh).toBe(false);
  const next = { primary: { server: 'db-2', epoch: 2 } };
  expect(watch.of(cluster(next), 1_000).looks.size).toBe(0);
  expect(await pass([1, 2], next)).toBe(1);
  expect(watch.of(cluster(next), 1_000).looks.size).toBe(1);
  watch.forget('u-1');
  expect(watch.of(cluster(next), 1_000).looks.size).toBe(0);
});
