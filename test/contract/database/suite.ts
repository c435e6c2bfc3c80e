/** What every Database must do, in memory and for real: one story of three servers, told in order. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { stamp } from '../../builders/stamp.ts';
import { tellCertificates } from './certificates.ts';
import { tellChangedVariables } from './changed-variables.ts';
import { tellFailures } from './failures.ts';
import { tellPasswords } from './passwords.ts';
import { type DatabaseFixture, Story, type TestServer } from './story.ts';

export function describeDatabases(title: string, open: () => Promise<DatabaseFixture>): void {
  describe(`Databases: ${title}`, () => {
    const story = new Story();
    const { on, look, commit, contains, until, untilLook, follow, ackersOf, rejection } = story;
    let one: TestServer;
    let two: TestServer;
    let three: TestServer;

    beforeAll(async () => {
      [one, two, three] = await story.begin(open);
    });
    afterAll(() => story.fixture.close());

    describe('a new cluster', () => {
      it('has servers that boot read-only and follow nobody', async () => {
        for (const server of story.fixture.servers) {
          const now = await look(server);
          expect(now).toMatchObject({ readOnly: true, executed: '', epoch: 0, acks: { armed: false } });
          expect(now.replication).toBeUndefined();
          expect(await commit(server)).toBe('refused');
        }
        const identities = await Promise.all(
          story.fixture.servers.map(async (server) => (await look(server)).identity),
        );
        expect(new Set(identities).size).toBe(3);
      });

      it('follows a primary before it is opened, so that its first commit is acknowledged', async () => {
        await follow(two, one);
        await follow(three, one);
        await on(one.database.requireAcks(1, stamp(story.epoch)));
        await ackersOf(one, 2);
        await on(one.database.open(stamp(story.epoch)));
        expect(await look(one)).toMatchObject({
          readOnly: false,
          epoch: story.epoch,
          acks: { armed: true, required: 1 },
        });
        expect(await commit(one)).toBe('acknowledged');
      });

      it('tells what replicas received, applied and hear', async () => {
        const { executed } = await look(one);
        await untilLook(two, 'has it all', (now) => contains(now.executed, executed));
        const now = await look(two);
        expect(now).toMatchObject({
          readOnly: true,
          epoch: story.epoch,
          replication: { source: one.address, receiver: 'Running', applier: 'Running', acknowledges: true },
        });
        expect(contains(now.replication!.received, now.executed)).toBe(true);
        const { heard } = now.replication!;
        await untilLook(two, 'hears its source', ({ replication }) => replication!.heard > heard);
        expect(await on(two.keys())).toEqual(await on(one.keys()));
      });

      it('has a certificate that others follow it by, and no other will do', async () => {
        const certificate = await on(one.database.certificate());
        expect(certificate).toMatch(/^-----BEGIN CERTIFICATE-----\n/);
        const source = await on(one.source(true));
        expect(source.certificate).toBe(certificate);
        const other = await on(two.database.certificate());
        expect(other).not.toBe(certificate);
        await rejection(three.database.follow({ ...source, certificate: other }, stamp(story.epoch)));
        await story.fixture.pass(1_500);
        expect((await look(three)).replication?.receiver).not.toBe('Running');
        await follow(three, one);
      });
    });

    describe('writes', () => {
      it('beats, and the beat reaches replicas', async () => {
        const before = (await look(one)).beatTime!;
        await story.fixture.pass(20);
        await on(one.database.beat(story.epoch, 2_000));
        await untilLook(one, 'has beaten', ({ beatTime }) => beatTime! > before);
        await untilLook(two, 'saw the beat', ({ beatTime }) => beatTime! > before);
      });

      it('refuses writes and beats on a replica', async () => {
        expect(await commit(two)).toBe('refused');
        expect(await rejection(two.database.beat(story.epoch, 2_000))).toBe('database.failed');
      });

      it('is acknowledged while one of two ackers is there', async () => {
        await on(two.database.freeze(stamp(story.epoch)));
        expect(await commit(one)).toBe('acknowledged');
        await on(two.database.thaw(stamp(story.epoch)));
        await ackersOf(one, 2);
      });

      it('waits when every acker is frozen, and what waits reaches none of them', async () => {
        const frozen = [
          await on(two.database.freeze(stamp(story.epoch))),
          await on(three.database.freeze(stamp(story.epoch))),
        ];
        const { acknowledged } = (await look(one)).acks;
        expect(await commit(one, 1_500)).toBe('unknown');
        expect(await rejection(one.database.beat(story.epoch, 1_000))).toBe('database.silent');
        await untilLook(one, 'lost its ackers', ({ acks }) => acks.connected === 0);
        expect((await look(one)).acks.waiting).toBeGreaterThan(0);
        for (const [index, server] of [two, three].entries()) {
          const { replication, executed } = await look(server);
          expect(replication).toMatchObject({ receiver: 'Stopped', received: frozen[index]!.received });
          expect(contains(frozen[index]!.received, executed)).toBe(true);
        }
        await on(two.database.thaw(stamp(story.epoch)));
        await untilLook(one, 'waits no more', ({ acks }) => acks.waiting === 0);
        expect((await look(one)).acks).toMatchObject({ unacknowledged: 0 });
        expect((await look(one)).acks.acknowledged).toBeGreaterThan(acknowledged);
        await on(three.database.thaw(stamp(story.epoch)));
        await ackersOf(one, 2);
      });

      it('does not wait for replicas that are told not to acknowledge', async () => {
        await on(two.database.acknowledge(false, stamp(story.epoch)));
        await on(three.database.acknowledge(false, stamp(story.epoch)));
        await ackersOf(one, 0);
        expect((await look(two)).replication).toMatchObject({ receiver: 'Running', acknowledges: false });
        expect(await commit(one, 1_000)).toBe('unknown');
        await on(two.database.acknowledge(true, stamp(story.epoch)));
        // It is not asked for what it had before; a beat is what it is asked for.
        await until(
          'it beats again',
          async () => (await rejection(one.database.beat(story.epoch, 1_000))) === 'none',
        );
        expect((await look(one)).acks).toMatchObject({ waiting: 0, unacknowledged: 0 });
        await on(three.database.acknowledge(true, stamp(story.epoch)));
        await ackersOf(one, 2);
      });

      it('waits for nobody when no acknowledgement is required', async () => {
        await on(two.database.freeze(stamp(story.epoch)));
        await on(three.database.freeze(stamp(story.epoch)));
        await on(one.database.requireAcks(0, stamp(story.epoch)));
        expect(await commit(one)).toBe('acknowledged');
        expect((await look(one)).acks).toMatchObject({ armed: false, required: 0 });
        await on(two.database.thaw(stamp(story.epoch)));
        await on(three.database.thaw(stamp(story.epoch)));
        await on(one.database.requireAcks(1, stamp(story.epoch)));
        await ackersOf(one, 2);
        expect((await look(one)).acks).toMatchObject({ armed: true, required: 1 });
      });

      it('takes every order twice', async () => {
        const before = await on(one.keys());
        await follow(two, one);
        await follow(two, one);
        for (const replica of [two, three]) {
          const frozen = await on(replica.database.freeze(stamp(story.epoch)));
          expect(await on(replica.database.freeze(stamp(story.epoch)))).toEqual(frozen);
          await on(replica.database.thaw(stamp(story.epoch)));
          await on(replica.database.thaw(stamp(story.epoch)));
        }
        await on(one.database.requireAcks(1, stamp(story.epoch)));
        await ackersOf(one, 2);
        await on(one.database.open(stamp(story.epoch)));
        expect(await commit(one)).toBe('acknowledged');
        expect((await on(one.keys())).slice(0, before.length)).toEqual(before);
      });
    });

    tellPasswords(story, () => [one, two, three]);
    tellCertificates(story, () => [one, two, three]);
    describe('a server that somebody sets otherwise', () => {
      tellChangedVariables(story, () => [one, two]);
    });

    describe('a change of primary', () => {
      it('closes: takes no more writes and says what is executed', async () => {
        const executed = await on(one.database.close(stamp(story.epoch), 2_000));
        expect(await on(one.database.close(stamp(story.epoch), 2_000))).toBe(executed);
        expect(await look(one)).toMatchObject({ readOnly: true, executed });
        expect(await commit(one)).toBe('refused');
        await on(one.database.open(stamp(story.epoch)));
        expect(await commit(one)).toBe('acknowledged');
      });

      it('does not close while commits wait for replicas, and can be opened again', async () => {
        await on(two.database.freeze(stamp(story.epoch)));
        await on(three.database.freeze(stamp(story.epoch)));
        expect(await commit(one, 500)).toBe('unknown');
        expect(await rejection(one.database.close(stamp(story.epoch), 1_000))).toMatch(
          /^database\.(silent|failed)$/,
        );
        await on(two.database.thaw(stamp(story.epoch)));
        await on(three.database.thaw(stamp(story.epoch)));
        await ackersOf(one, 2);
        await on(one.database.open(stamp(story.epoch)));
        expect(await commit(one)).toBe('acknowledged');
      });

      it('never forgets what a replica received and has not applied', async () => {
        await on(two.holdApplier());
        expect(await commit(one)).toBe('acknowledged');
        const target = (await look(one)).executed;
        await untilLook(two, 'received it', ({ replication }) => contains(replication!.received, target));
        const { received, executed } = await on(two.database.freeze(stamp(story.epoch)));
        expect([contains(received, target), contains(executed, target)]).toEqual([true, false]);
        expect(await rejection(two.database.takeLead(1, stamp(story.epoch)))).toBe('database.failed');
        expect(contains((await look(two)).replication!.received, target)).toBe(true);
        expect(await on(two.database.catchUp(target, 500))).toBe(false);
        await on(two.letApplierGo());
        expect(await on(two.database.catchUp(target, 5_000))).toBe(true);
        expect(contains((await look(two)).executed, target)).toBe(true);
      });

      it('says when it did not catch up in time', async () => {
        expect(await commit(one)).toBe('acknowledged');
        const target = (await look(one)).executed;
        expect(await on(two.database.catchUp(target, 500))).toBe(false);
        await on(two.database.thaw(stamp(story.epoch)));
        expect(await on(two.database.catchUp(target, 5_000))).toBe(true);
      });

      it('hands over to a replica that has everything, and the old primary follows', async () => {
        await on(one.database.close(stamp(story.epoch), 2_000));
        const target = (await look(one)).executed;
        expect(await on(two.database.catchUp(target, 5_000))).toBe(true);
        story.epoch += 1;
        await on(two.database.freeze(stamp(story.epoch)));
        for (const acks of [0, 1]) await on(two.database.takeLead(acks, stamp(story.epoch)));
        expect(await look(two)).toMatchObject({ readOnly: true, acks: { armed: true, required: 1 } });
        expect((await look(two)).replication).toBeUndefined();
        await follow(three, two);
        await on(two.database.open(stamp(story.epoch)));
        await follow(one, two);
        await ackersOf(two, 2);
        expect(await commit(two)).toBe('acknowledged');
        expect(await look(one)).toMatchObject({ readOnly: true, acks: { armed: false } });
        await untilLook(one, 'is in the new epoch', (now) => now.epoch === story.epoch);
        expect(await commit(one)).toBe('refused');
      });

      it('waits for no replica of its own any more when one that follows is led again', async () => {
        await on(one.database.requireAcks(1, stamp(story.epoch)));
        expect((await look(one)).acks).toMatchObject({ armed: true });
        expect(await commit(two)).toBe('acknowledged');
        const { executed } = await look(two);
        await follow(one, two);
        expect((await look(one)).acks).toMatchObject({ armed: false, waiting: 0 });
        await untilLook(one, 'has it all', (now) => contains(now.executed, executed));
        await ackersOf(two, 2);
      });

      it('refuses every order of an epoch that is over, and does not carry it out', async () => {
        const stale = story.epoch - 1;
        const source = await on(two.source(true));
        const orders: readonly (() => Promise<unknown>)[] = [
          () => two.database.close(stamp(stale), 1_000),
          () => two.database.requireAcks(0, stamp(stale)),
          () => two.database.open(stamp(stale)),
          () => two.database.kill(stamp(stale)),
          () => three.database.freeze(stamp(stale)),
          () => three.database.thaw(stamp(stale)),
          () => three.database.takeLead(1, stamp(stale)),
          () => three.database.follow(source, stamp(stale)),
          () => three.database.acknowledge(false, stamp(stale)),
        ];
        for (const order of orders) expect(await rejection(order())).toBe('database.stale-epoch');
        expect(await look(two)).toMatchObject({
          readOnly: false,
          epoch: story.epoch,
          acks: { required: 1, connected: 2 },
        });
        expect((await look(three)).replication).toMatchObject({ receiver: 'Running', source: two.address });
        expect(await commit(two)).toBe('acknowledged');
      });

      it('refuses, within an epoch, every order that comes from an earlier record', async () => {
        await on(two.database.requireAcks(1, stamp(story.epoch, 2)));
        await on(three.database.acknowledge(true, stamp(story.epoch, 10)));
        expect(await rejection(two.database.requireAcks(0, stamp(story.epoch, 1)))).toBe(
          'database.stale-epoch',
        );
        expect(await rejection(three.database.acknowledge(false, stamp(story.epoch, 9)))).toBe(
          'database.stale-epoch',
        );
        await on(two.database.requireAcks(1, stamp(story.epoch, 2)));
        expect((await look(two)).acks).toMatchObject({ required: 1, connected: 2 });
      });

      it('remembers the epoch of an order, whatever became of the order', async () => {
        story.epoch += 1;
        await on(three.database.freeze(stamp(story.epoch)));
        expect(await rejection(three.database.thaw(stamp(story.epoch - 1)))).toBe('database.stale-epoch');
        await on(three.database.thaw(stamp(story.epoch)));
        await ackersOf(two, 2);
      });
    });

    tellFailures(story);
  });
}
