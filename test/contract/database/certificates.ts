/** The part of the suite about certificates: another takes the place of the one in use, and nobody who is connected notices. */
import { describe, expect, it } from 'vitest';
import type { CertificateLook } from '../../../controller/database/port.ts';
import { stamp } from '../../builders/stamp.ts';
import type { DatabaseHost } from './database-hosts.ts';
import type { Story, TestServer } from './story.ts';

/** Of ten years, with room for clocks. */
const nineYears = 9 * 365 * 86_400_000;

/** `primary` is followed by the others and needs one acknowledgement; afterwards two of them have other certificates. */
export function tellCertificates(story: Story, servers: () => readonly [TestServer, ...TestServer[]]): void {
  const { on, look, commit, ackersOf, rejection } = story;
  const now = () => stamp(story.epoch);
  const primary = () => servers()[0];
  const replicas = () => servers().slice(1);
  const certificates = (server: TestServer): Promise<CertificateLook> =>
    on(server.database.certificates.look(server.address, 2_000));

  async function reconnect(): Promise<void> {
    for (const { database } of replicas()) {
      await on(database.freeze(now()));
      await on(database.thaw(now()));
    }
    await ackersOf(primary(), replicas().length);
    expect(await commit(primary())).toBe('acknowledged');
  }

  describe('certificates', () => {
    let former = '';
    let next = '';

    it('are shown as they are in the files, and accepted by all who follow', async () => {
      const { own, other, presented, time } = await certificates(primary());
      expect(own).toBeDefined();
      expect(own?.fault).toBeUndefined();
      expect(own?.notBefore).toBeLessThanOrEqual(time);
      expect((own?.notAfter ?? 0) - time).toBeGreaterThan(nineYears);
      expect(other).toBeUndefined();
      expect(presented).toBe(own?.fingerprint);
      former = own?.fingerprint ?? '';
      for (const replica of replicas()) expect((await certificates(replica)).trusted).toEqual([former]);
    });

    it('are made beside the one in use, once for each mark', async () => {
      const { database, address } = primary();
      await on(database.certificates.make(address, 'first', now()));
      const made = (await certificates(primary())).other;
      await on(database.certificates.make(address, 'second', now()));
      const { own, other, presented } = await certificates(primary());
      expect(other?.fault).toBeUndefined();
      expect(other).toMatchObject({ mark: 'second' });
      next = other?.fingerprint ?? '';
      expect(next).not.toBe(made?.fingerprint);
      await on(database.certificates.make(address, 'second', now()));
      expect((await certificates(primary())).other?.fingerprint).toBe(next);
      expect([own?.fingerprint, presented]).toEqual([former, former]);
    });

    it('are both accepted by who follows, before another is shown', async () => {
      const both = await on(primary().database.certificate());
      for (const replica of replicas()) {
        await on(replica.database.certificates.trust(both, 'Former', now()));
        expect(new Set((await certificates(replica)).trusted)).toEqual(new Set([former, next]));
      }
      await reconnect();
    });

    it('are refused from whoever is no longer in charge', async () => {
      const stale = stamp(story.epoch - 1);
      const { database, address } = primary();
      const orders = [
        () => database.certificates.make(address, 'late', stale),
        () => database.certificates.trust('', 'None', stale),
        () => database.certificates.present(next, stale),
        () => database.certificates.discard(former, stale),
      ];
      for (const order of orders) expect(await rejection(order())).toBe('database.stale-epoch');
      expect(await certificates(primary())).toMatchObject({
        own: { fingerprint: former },
        other: { fingerprint: next },
        presented: former,
      });
    });

    it('change while commits are acknowledged, and who is connected stays', async () => {
      const { database } = primary();
      const unknown = next.replaceAll(/[0-9A-F]/gi, '0');
      expect(await rejection(database.certificates.present(unknown, now()))).toBe('shell.host-failed');
      const before = (await look(primary())).acks;
      const writes = Array.from({ length: 5 }, () => commit(primary()));
      await on(database.certificates.present(next, now()));
      writes.push(commit(primary()));
      expect(new Set(await Promise.all(writes))).toEqual(new Set(['acknowledged']));
      await on(database.certificates.present(next, now()));
      const { acks } = await look(primary());
      expect(acks).toMatchObject({ connected: before.connected, unacknowledged: before.unacknowledged });
      expect(await certificates(primary())).toMatchObject({ own: { fingerprint: next }, presented: next });
      await reconnect();
    });

    it('may change back while both are there', async () => {
      const { database } = primary();
      await on(database.certificates.present(former, now()));
      expect(await certificates(primary())).toMatchObject({
        own: { fingerprint: former },
        presented: former,
      });
      await on(database.certificates.present(next, now()));
      await reconnect();
    });

    it('are former ones at the end, which nobody keeps and nobody accepts', async () => {
      const { database } = primary();
      expect(await rejection(database.certificates.discard(former, now()))).toBe('shell.host-failed');
      await on(database.certificates.discard(next, now()));
      await on(database.certificates.discard(next, now()));
      const only = await on(database.certificate());
      for (const replica of replicas()) {
        await on(replica.database.certificates.trust(only, 'None', now()));
        expect((await certificates(replica)).trusted).toEqual([next]);
      }
      expect((await certificates(primary())).other).toBeUndefined();
      await reconnect();
    });

    it('change on a replica, which writes nothing of its own', async () => {
      const [replica] = replicas();
      const { database, address } = replica!;
      await on(database.certificates.make(address, 'of a replica', now()));
      const { fingerprint = '' } = (await certificates(replica!)).other ?? {};
      await on(database.certificates.present(fingerprint, now()));
      await on(database.certificates.discard(fingerprint, now()));
      expect(await certificates(replica!)).toMatchObject({ own: { fingerprint }, presented: fingerprint });
      await reconnect();
      const { executed } = await look(primary());
      await story.untilLook(replica!, 'holds the same', (seen) => {
        return story.contains(seen.executed, executed) && seen.replication?.receiver === 'Running';
      });
      expect(story.contains((await look(primary())).executed, (await look(replica!)).executed)).toBe(true);
    });
  });
}

/** On a real host: what people do to the files is seen, and another pair takes their place while the server runs. */
export async function expectSpoiledFilesReplaced(server: DatabaseHost, epoch: number): Promise<void> {
  const { certificates } = server.database;
  const look = () => certificates.look(server.address, 2_000);
  const make =
    'openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj /CN=theirs';
  const spoiled = [
    ['rm server-cert.pem', undefined],
    ['rm server-cert.pem server-key.pem', undefined],
    ['echo nonsense > theirs && mv theirs server-cert.pem', undefined],
    ['openssl genpkey -algorithm ED25519 -out theirs && mv theirs server-key.pem', 'OtherKey'],
    [
      `${make} -addext subjectAltName=IP:192.0.2.1 -keyout k -out c && mv k server-key.pem && mv c server-cert.pem`,
      'OtherAddress',
    ],
  ] as const;
  for (const [command, fault] of spoiled) {
    await server.asRoot(`cd /etc/mysql/ridgeline && ${command}`);
    const { own } = await look();
    expect([command, own?.fault]).toEqual([command, fault]);
    expect(own === undefined).toBe(fault === undefined);
    await certificates.make(server.address, command, stamp(epoch));
    const { fingerprint = '' } = (await look()).other ?? {};
    await certificates.present(fingerprint, stamp(epoch));
    await certificates.discard(fingerprint, stamp(epoch));
    const after = await look();
    expect(after).toMatchObject({ own: { fingerprint }, presented: fingerprint });
    expect([after.own?.fault, after.other]).toEqual([undefined, undefined]);
  }
  for (const command of ['rm -f source-cert.pem', 'printf nonsense > source-cert.pem']) {
    await server.asRoot(`cd /etc/mysql/ridgeline && ${command}`);
    expect((await look()).trusted).toEqual([]);
    await certificates.trust(await server.database.certificate(), 'Former', stamp(epoch));
    const { own, trusted } = await look();
    expect(trusted).toEqual([own?.fingerprint]);
  }
}
