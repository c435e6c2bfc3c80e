/** What every Database must do, in memory and for real: one story of three servers, told in order. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Millis } from '../../../controller/base/clock.ts';
import type { ErrorCode } from '../../../controller/base/errors.ts';
import { algebraOf } from '../../../controller/database/gtid.ts';
import type { Database, Flavor, Look, Source, Witness } from '../../../controller/database/port.ts';
import { stamp } from '../../builders/stamp.ts';

/** `unknown`: it was sent, and no answer came. `refused`: it surely did not happen. */
export type WriteOutcome = 'acknowledged' | 'unknown' | 'refused';

/** A server and what a test does to it behind the back of its Database. */
export interface TestServer {
  readonly name: string;
  /** Address at which replicas reach it. */
  readonly address: string;
  readonly database: Database;
  /** The eyes of its host. */
  readonly witness: Witness;
  /** How others follow it. */
  source(acknowledges: boolean): Promise<Source>;
  /** Writes a row with this key, in a transaction of its own, as an application that waits for at most so long. */
  commit(key: string, limit: Millis): Promise<WriteOutcome>;
  /** Keys of the rows a reader sees. */
  keys(): Promise<readonly string[]>;
  /** Keeps it from applying what it receives, as a lock does (FLUSH TABLES WITH READ LOCK); its threads run on. */
  holdApplier(): Promise<void>;
  letApplierGo(): Promise<void>;
  /** The process dies as from SIGKILL, and is not started again. */
  crash(): Promise<void>;
  /** Tries to start the process as an administrator would; resolves when it answers or cannot be started. */
  restart(): Promise<void>;
  /** The process stands still (SIGSTOP): its port accepts, nobody greets. */
  suspend(): Promise<void>;
  resume(): Promise<void>;
}

/**
 * Three servers that have just been prepared as servers of one cluster: same data, no transaction in their logs, node
 * epoch 0. The first write to a primary may create what `commit` and `keys` need.
 */
export interface DatabaseFixture {
  readonly flavor: Flavor;
  readonly servers: readonly [TestServer, TestServer, TestServer];
  /** Lets time pass until the promise is settled. */
  during<Result>(work: Promise<Result>): Promise<Result>;
  pass(time: Millis): Promise<void>;
  close(): Promise<void>;
}

export function describeDatabases(title: string, open: () => Promise<DatabaseFixture>): void {
  describe(`Databases: ${title}`, () => {
    let fixture: DatabaseFixture;
    let one: TestServer;
    let two: TestServer;
    let three: TestServer;
    let epoch = 1;
    let keys = 0;

    beforeAll(async () => {
      fixture = await open();
      [one, two, three] = fixture.servers;
    });
    afterAll(() => fixture.close());

    const on = <Result>(work: Promise<Result>) => fixture.during(work);
    const look = (server: TestServer) => on(server.database.look(2_000));
    const freshKey = () => `key-${(keys += 1)}`;
    const commit = (server: TestServer, limit: Millis = 5_000) => on(server.commit(freshKey(), limit));
    const contains = (left: string, right: string) => algebraOf(fixture.flavor).contains(left, right);

    async function until(what: string, condition: () => Promise<boolean>): Promise<void> {
      for (let round = 0; round < 50; round += 1) {
        if (await condition()) return;
        await fixture.pass(200);
      }
      throw new Error(`not within 10 s: ${what}`);
    }

    const untilLook = (server: TestServer, what: string, condition: (now: Look) => boolean) =>
      until(`${server.name} ${what}`, async () => condition(await look(server)));

    async function follow(replica: TestServer, primary: TestServer): Promise<void> {
      await on(replica.database.follow(await on(primary.source(true)), stamp(epoch)));
      await untilLook(replica, 'receives', ({ replication }) => replication?.receiver === 'Running');
    }

    const ackersOf = (primary: TestServer, count: number) =>
      untilLook(primary, `has ${count} ackers`, ({ acks }) => acks.connected === count);

    async function rejection(work: Promise<unknown>): Promise<ErrorCode | 'none'> {
      try {
        await on(work);
        return 'none';
      } catch (error) {
        return (error as { readonly code: ErrorCode }).code;
      }
    }

    describe('a new cluster', () => {
      it('has servers that boot read-only and follow nobody', async () => {
        for (const server of fixture.servers) {
          const now = await look(server);
          expect(now).toMatchObject({ readOnly: true, executed: '', epoch: 0, acks: { armed: false } });
          expect(now.replication).toBeUndefined();
          expect(await commit(server)).toBe('refused');
        }
        const identities = await Promise.all(
          fixture.servers.map(async (server) => (await look(server)).identity),
        );
        expect(new Set(identities).size).toBe(3);
      });

      it('follows a primary before it is opened, so that its first commit is acknowledged', async () => {
        await follow(two, one);
        await follow(three, one);
        await on(one.database.requireAcks(1, stamp(epoch)));
        await ackersOf(one, 2);
        await on(one.database.open(stamp(epoch)));
        expect(await look(one)).toMatchObject({ readOnly: false, epoch, acks: { armed: true, required: 1 } });
        expect(await commit(one)).toBe('acknowledged');
      });

      it('tells what replicas received, applied and hear', async () => {
        const { executed } = await look(one);
        await untilLook(two, 'has it all', (now) => contains(now.executed, executed));
        const now = await look(two);
        expect(now).toMatchObject({
          readOnly: true,
          epoch,
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
        await rejection(three.database.follow({ ...source, certificate: other }, stamp(epoch)));
        await fixture.pass(1_500);
        expect((await look(three)).replication?.receiver).not.toBe('Running');
        await follow(three, one);
      });
    });

    describe('writes', () => {
      it('beats, and the beat reaches replicas', async () => {
        const before = (await look(one)).beatTime!;
        await fixture.pass(20);
        await on(one.database.beat(epoch, 2_000));
        await untilLook(one, 'has beaten', ({ beatTime }) => beatTime! > before);
        await untilLook(two, 'saw the beat', ({ beatTime }) => beatTime! > before);
      });

      it('refuses writes and beats on a replica', async () => {
        expect(await commit(two)).toBe('refused');
        expect(await rejection(two.database.beat(epoch, 2_000))).toBe('database.failed');
      });

      it('is acknowledged while one of two ackers is there', async () => {
        await on(two.database.freeze(stamp(epoch)));
        expect(await commit(one)).toBe('acknowledged');
        await on(two.database.thaw(stamp(epoch)));
        await ackersOf(one, 2);
      });

      it('waits when every acker is frozen, and what waits reaches none of them', async () => {
        const frozen = [
          await on(two.database.freeze(stamp(epoch))),
          await on(three.database.freeze(stamp(epoch))),
        ];
        const { acknowledged } = (await look(one)).acks;
        expect(await commit(one, 1_500)).toBe('unknown');
        expect(await rejection(one.database.beat(epoch, 1_000))).toBe('database.silent');
        await untilLook(one, 'lost its ackers', ({ acks }) => acks.connected === 0);
        expect((await look(one)).acks.waiting).toBeGreaterThan(0);
        for (const [index, server] of [two, three].entries()) {
          const { replication, executed } = await look(server);
          expect(replication).toMatchObject({ receiver: 'Stopped', received: frozen[index]!.received });
          expect(contains(frozen[index]!.received, executed)).toBe(true);
        }
        await on(two.database.thaw(stamp(epoch)));
        await untilLook(one, 'waits no more', ({ acks }) => acks.waiting === 0);
        expect((await look(one)).acks).toMatchObject({ unacknowledged: 0 });
        expect((await look(one)).acks.acknowledged).toBeGreaterThan(acknowledged);
        await on(three.database.thaw(stamp(epoch)));
        await ackersOf(one, 2);
      });

      it('does not wait for replicas that are told not to acknowledge', async () => {
        await on(two.database.acknowledge(false, stamp(epoch)));
        await on(three.database.acknowledge(false, stamp(epoch)));
        await ackersOf(one, 0);
        expect((await look(two)).replication).toMatchObject({ receiver: 'Running', acknowledges: false });
        expect(await commit(one, 1_000)).toBe('unknown');
        await on(two.database.acknowledge(true, stamp(epoch)));
        // It is not asked for what it had before; a beat is what it is asked for.
        await until(
          'it beats again',
          async () => (await rejection(one.database.beat(epoch, 1_000))) === 'none',
        );
        expect((await look(one)).acks).toMatchObject({ waiting: 0, unacknowledged: 0 });
        await on(three.database.acknowledge(true, stamp(epoch)));
        await ackersOf(one, 2);
      });

      it('waits for nobody when no acknowledgement is required', async () => {
        await on(two.database.freeze(stamp(epoch)));
        await on(three.database.freeze(stamp(epoch)));
        await on(one.database.requireAcks(0, stamp(epoch)));
        expect(await commit(one)).toBe('acknowledged');
        expect((await look(one)).acks).toMatchObject({ armed: false, required: 0 });
        await on(two.database.thaw(stamp(epoch)));
        await on(three.database.thaw(stamp(epoch)));
        await on(one.database.requireAcks(1, stamp(epoch)));
        await ackersOf(one, 2);
        expect((await look(one)).acks).toMatchObject({ armed: true, required: 1 });
      });

      it('takes every order twice', async () => {
        const before = await on(one.keys());
        await follow(two, one);
        await follow(two, one);
        for (const replica of [two, three]) {
          const frozen = await on(replica.database.freeze(stamp(epoch)));
          expect(await on(replica.database.freeze(stamp(epoch)))).toEqual(frozen);
          await on(replica.database.thaw(stamp(epoch)));
          await on(replica.database.thaw(stamp(epoch)));
        }
        await on(one.database.requireAcks(1, stamp(epoch)));
        await ackersOf(one, 2);
        await on(one.database.open(stamp(epoch)));
        expect(await commit(one)).toBe('acknowledged');
        expect((await on(one.keys())).slice(0, before.length)).toEqual(before);
      });
    });

    describe('a change of primary', () => {
      it('closes: takes no more writes and says what is executed', async () => {
        const executed = await on(one.database.close(stamp(epoch), 2_000));
        expect(await on(one.database.close(stamp(epoch), 2_000))).toBe(executed);
        expect(await look(one)).toMatchObject({ readOnly: true, executed });
        expect(await commit(one)).toBe('refused');
        await on(one.database.open(stamp(epoch)));
        expect(await commit(one)).toBe('acknowledged');
      });

      it('does not close while commits wait for replicas, and can be opened again', async () => {
        await on(two.database.freeze(stamp(epoch)));
        await on(three.database.freeze(stamp(epoch)));
        expect(await commit(one, 500)).toBe('unknown');
        expect(await rejection(one.database.close(stamp(epoch), 1_000))).toMatch(
          /^database\.(silent|failed)$/,
        );
        await on(two.database.thaw(stamp(epoch)));
        await on(three.database.thaw(stamp(epoch)));
        await ackersOf(one, 2);
        await on(one.database.open(stamp(epoch)));
        expect(await commit(one)).toBe('acknowledged');
      });

      it('never forgets what a replica received and has not applied', async () => {
        await on(two.holdApplier());
        expect(await commit(one)).toBe('acknowledged');
        const target = (await look(one)).executed;
        await untilLook(two, 'received it', ({ replication }) => contains(replication!.received, target));
        const { received, executed } = await on(two.database.freeze(stamp(epoch)));
        expect([contains(received, target), contains(executed, target)]).toEqual([true, false]);
        expect(await rejection(two.database.detach(stamp(epoch)))).toBe('database.failed');
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
        await on(two.database.thaw(stamp(epoch)));
        expect(await on(two.database.catchUp(target, 5_000))).toBe(true);
      });

      it('hands over to a replica that has everything, and the old primary follows', async () => {
        await on(one.database.close(stamp(epoch), 2_000));
        const target = (await look(one)).executed;
        expect(await on(two.database.catchUp(target, 5_000))).toBe(true);
        epoch += 1;
        await on(two.database.freeze(stamp(epoch)));
        await on(two.database.detach(stamp(epoch)));
        await on(two.database.detach(stamp(epoch)));
        expect((await look(two)).replication).toBeUndefined();
        await on(two.database.requireAcks(1, stamp(epoch)));
        await follow(three, two);
        await on(two.database.open(stamp(epoch)));
        await follow(one, two);
        await ackersOf(two, 2);
        expect(await commit(two)).toBe('acknowledged');
        expect(await look(one)).toMatchObject({ readOnly: true, acks: { armed: false } });
        await untilLook(one, 'is in the new epoch', (now) => now.epoch === epoch);
        expect(await commit(one)).toBe('refused');
      });

      it('refuses every order of an epoch that is over, and does not carry it out', async () => {
        const stale = epoch - 1;
        const source = await on(two.source(true));
        const orders: readonly (() => Promise<unknown>)[] = [
          () => two.database.close(stamp(stale), 1_000),
          () => two.database.requireAcks(0, stamp(stale)),
          () => two.database.open(stamp(stale)),
          () => two.database.kill(stamp(stale)),
          () => three.database.freeze(stamp(stale)),
          () => three.database.thaw(stamp(stale)),
          () => three.database.detach(stamp(stale)),
          () => three.database.follow(source, stamp(stale)),
          () => three.database.acknowledge(false, stamp(stale)),
        ];
        for (const order of orders) expect(await rejection(order())).toBe('database.stale-epoch');
        expect(await look(two)).toMatchObject({
          readOnly: false,
          epoch,
          acks: { required: 1, connected: 2 },
        });
        expect((await look(three)).replication).toMatchObject({ receiver: 'Running', source: two.address });
        expect(await commit(two)).toBe('acknowledged');
      });

      it('refuses, within an epoch, every order that comes from an earlier record', async () => {
        await on(two.database.requireAcks(1, stamp(epoch, 2)));
        await on(three.database.acknowledge(true, stamp(epoch, 10)));
        expect(await rejection(two.database.requireAcks(0, stamp(epoch, 1)))).toBe('database.stale-epoch');
        expect(await rejection(three.database.acknowledge(false, stamp(epoch, 9)))).toBe(
          'database.stale-epoch',
        );
        await on(two.database.requireAcks(1, stamp(epoch, 2)));
        expect((await look(two)).acks).toMatchObject({ required: 1, connected: 2 });
      });

      it('remembers the epoch of an order, whatever became of the order', async () => {
        epoch += 1;
        await on(three.database.freeze(stamp(epoch)));
        expect(await rejection(three.database.thaw(stamp(epoch - 1)))).toBe('database.stale-epoch');
        await on(three.database.thaw(stamp(epoch)));
        await ackersOf(two, 2);
      });
    });

    describe('a server that fails', () => {
      it('is seen from other hosts while it is well', async () => {
        expect(await on(one.witness.reaches(two.address, 1_000))).toBe(true);
        expect(await on(two.database.inspect(2_000))).toMatchObject({ running: true, diskReadOnly: false });
      });

      it('is silent when it stands still, and back when it goes on', async () => {
        await on(two.suspend());
        expect(await rejection(two.database.look(1_000))).toBe('database.silent');
        expect(await rejection(two.database.beat(epoch, 1_000))).toBe('database.silent');
        expect(await on(one.witness.reaches(two.address, 1_000))).toBe(false);
        expect(await on(two.database.inspect(2_000))).toMatchObject({ running: true });
        await on(two.resume());
        await until(
          'it beats again',
          async () => (await rejection(two.database.beat(epoch, 1_000))) === 'none',
        );
        await ackersOf(two, 2);
      });

      it('does not acknowledge on a replica that stands still', async () => {
        await on(one.database.freeze(stamp(epoch)));
        await on(three.suspend());
        expect(await commit(two, 1_500)).toBe('unknown');
        await on(three.resume());
        await on(one.database.thaw(stamp(epoch)));
        await untilLook(two, 'waits no more', ({ acks }) => acks.waiting === 0);
        await ackersOf(two, 2);
      });

      it('has gone when it crashed, and comes back read-only, without its part', async () => {
        await on(two.crash());
        expect(await rejection(two.database.look(1_000))).toBe('database.refused');
        expect(await rejection(two.database.beat(epoch, 1_000))).toBe('database.refused');
        expect(await on(two.database.inspect(2_000))).toMatchObject({ running: false });
        expect(await on(one.witness.reaches(two.address, 1_000))).toBe(false);
        await untilLook(one, 'notices', ({ replication }) => replication?.receiver === 'Connecting');
        await on(two.restart());
        const now = await look(two);
        expect(now).toMatchObject({ readOnly: true, acks: { armed: false } });
        expect(await commit(two)).toBe('refused');
      });

      it('comes back as a replica that follows only when it is told to', async () => {
        const before = await look(one);
        await on(one.crash());
        await on(one.restart());
        expect((await look(one)).replication?.receiver).not.toBe('Running');
        expect(contains((await look(one)).executed, before.executed)).toBe(true);
        await on(two.database.requireAcks(1, stamp(epoch)));
        await on(two.database.open(stamp(epoch)));
        await follow(one, two);
        await ackersOf(two, 2);
        expect(await commit(two)).toBe('acknowledged');
      });

      it('loses nothing acknowledged with a primary that dies while a commit waits', async () => {
        const sure = freshKey();
        expect(await on(two.commit(sure, 5_000))).toBe('acknowledged');
        epoch += 1;
        await on(three.database.freeze(stamp(epoch)));
        const { received } = await on(one.database.freeze(stamp(epoch)));
        const waiting = freshKey();
        const outcome = two.commit(waiting, 10_000);
        await untilLook(two, 'waits', ({ acks }) => acks.waiting > 0);
        await on(two.crash());
        expect(await on(outcome)).toBe('unknown');
        expect(await on(one.database.catchUp(received, 5_000))).toBe(true);
        await on(one.database.detach(stamp(epoch)));
        await on(one.database.requireAcks(1, stamp(epoch)));
        await follow(three, one);
        await on(one.database.open(stamp(epoch)));
        expect(await on(one.keys())).toContain(sure);
        expect(await on(one.keys())).not.toContain(waiting);
        expect(await commit(one)).toBe('acknowledged');
      });

      it('is killed for good, even when it stands still', async () => {
        await on(one.suspend());
        epoch += 1;
        await on(one.database.kill(stamp(epoch)));
        await on(one.database.kill(stamp(epoch)));
        expect(await on(one.database.inspect(2_000))).toMatchObject({ running: false });
        await on(one.restart());
        expect(await on(one.database.inspect(2_000))).toMatchObject({ running: false });
        expect(await rejection(one.database.look(1_000))).toBe('database.refused');
        expect(await rejection(one.database.kill(stamp(epoch - 1)))).toBe('database.stale-epoch');
      });
    });
  });
}
