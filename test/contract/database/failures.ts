/** The end of the story: servers that stand still, crash, and are killed. */
import { beforeAll, describe, expect, it } from 'vitest';
import { stamp } from '../../builders/stamp.ts';
import type { Story, TestServer } from './story.ts';

export function tellFailures(story: Story): void {
  const { on, look, freshKey, commit, contains, until, untilLook, follow, ackersOf, rejection } = story;
  describe('a server that fails', () => {
    let one: TestServer;
    let two: TestServer;
    let three: TestServer;
    beforeAll(() => {
      [one, two, three] = story.fixture.servers;
    });

    it('is seen from other hosts while it is well', async () => {
      expect(await on(one.witness.reaches(two.address, 1_000))).toBe(true);
      expect(await on(two.database.inspect(2_000))).toMatchObject({ running: true, diskReadOnly: false });
    });

    it('is silent when it stands still, and back when it goes on', async () => {
      await on(two.suspend());
      expect(await rejection(two.database.look(1_000))).toBe('database.silent');
      expect(await rejection(two.database.beat(story.epoch, 1_000))).toBe('database.silent');
      expect(await on(one.witness.reaches(two.address, 1_000))).toBe(false);
      expect(await on(two.database.inspect(2_000))).toMatchObject({ running: true });
      await on(two.resume());
      await until(
        'it beats again',
        async () => (await rejection(two.database.beat(story.epoch, 1_000))) === 'none',
      );
      await ackersOf(two, 2);
    });

    it('does not acknowledge on a replica that stands still', async () => {
      await on(one.database.freeze(stamp(story.epoch)));
      await on(three.suspend());
      expect(await commit(two, 1_500)).toBe('unknown');
      await on(three.resume());
      await on(one.database.thaw(stamp(story.epoch)));
      await untilLook(two, 'waits no more', ({ acks }) => acks.waiting === 0);
      await ackersOf(two, 2);
    });

    it('has gone when it crashed, and comes back read-only, without its part', async () => {
      await on(two.crash());
      expect(await rejection(two.database.look(1_000))).toBe('database.refused');
      expect(await rejection(two.database.beat(story.epoch, 1_000))).toBe('database.refused');
      expect(await on(two.database.inspect(2_000))).toMatchObject({ running: false });
      expect(await on(one.witness.reaches(two.address, 1_000))).toBe(false);
      await untilLook(one, 'notices', ({ replication }) => replication?.receiver === 'Connecting');
      // Whoever is to acknowledge no more need not be connected for that.
      await on(one.database.acknowledge(false, stamp(story.epoch)));
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
      await on(two.database.requireAcks(1, stamp(story.epoch)));
      await on(two.database.open(stamp(story.epoch)));
      await follow(one, two);
      await ackersOf(two, 2);
      expect(await commit(two)).toBe('acknowledged');
    });

    it('loses nothing acknowledged with a primary that dies while a commit waits', async () => {
      const sure = freshKey();
      expect(await on(two.commit(sure, 5_000))).toBe('acknowledged');
      story.epoch += 1;
      await on(three.database.freeze(stamp(story.epoch)));
      const { received } = await on(one.database.freeze(stamp(story.epoch)));
      const waiting = freshKey();
      const outcome = two.commit(waiting, 10_000);
      await untilLook(two, 'waits', ({ acks }) => acks.waiting > 0);
      await on(two.crash());
      expect(await on(outcome)).toBe('unknown');
      expect(await on(one.database.catchUp(received, 5_000))).toBe(true);
      await on(one.database.takeLead(1, stamp(story.epoch)));
      await follow(three, one);
      await on(one.database.open(stamp(story.epoch)));
      expect(await on(one.keys())).toContain(sure);
      expect(await on(one.keys())).not.toContain(waiting);
      expect(await commit(one)).toBe('acknowledged');
    });

    it('is killed for good, even when it stands still', async () => {
      await on(one.suspend());
      story.epoch += 1;
      await on(one.database.kill(stamp(story.epoch)));
      await on(one.database.kill(stamp(story.epoch)));
      expect(await on(one.database.inspect(2_000))).toMatchObject({ running: false });
      await on(one.restart());
      expect(await on(one.database.inspect(2_000))).toMatchObject({ running: false });
      expect(await rejection(one.database.look(1_000))).toBe('database.refused');
      expect(await rejection(one.database.kill(stamp(story.epoch - 1)))).toBe('database.stale-epoch');
    });
  });
}
