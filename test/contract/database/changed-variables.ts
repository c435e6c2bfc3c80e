/** The middle of the story: somebody sets what failover rests on to something else, on the primary and on a replica. */
import { expect, it } from 'vitest';
import { type Deviation, findDeviations, guardsOf, type Part } from '../../../controller/database/guards.ts';
import { stamp } from '../../builders/stamp.ts';
import { otherValue } from '../../fakes/database-variables.ts';
import type { Story, TestServer } from './story.ts';

const ofPrimary: Part = { isPrimary: true, isAcker: false, waitsFor: 1, syncsReceived: true };
const ofReplica: Part = { isPrimary: false, isAcker: true, waitsFor: 0, syncsReceived: true };

/** MySQL itself does not let these go while the others are as they should be. */
const held = ['enforce_gtid_consistency'];

/** `servers` are asked for when the story is there: the first leads, the second follows it and acknowledges. */
export function tellChangedVariables(story: Story, servers: () => readonly [TestServer, TestServer]): void {
  const deviations = async (server: TestServer, part: Part): Promise<readonly Deviation[]> => {
    const { variables } = await story.look(server);
    return findDeviations(story.fixture.flavor, variables, part);
  };
  const namesOf = (found: readonly Deviation[]) => found.map(({ guard }) => guard.name);

  it('names what somebody has set otherwise, and puts it back', async () => {
    const [leader, follower] = servers();
    const { flavor } = story.fixture;
    for (const [server, part] of [[leader, ofPrimary] as const, [follower, ofReplica] as const]) {
      expect(namesOf(await deviations(server, part))).toEqual([]);
      const rows = guardsOf(flavor).filter(
        ({ wanted, mend, name }) => wanted(part) !== undefined && mend !== undefined && !held.includes(name),
      );
      const { variables } = await story.look(server);
      for (const { name } of rows) {
        await story.on(server.set(name, otherValue(name, variables[name] ?? '')));
      }
      const found = await deviations(server, part);
      expect(namesOf(found)).toEqual(rows.map(({ name }) => name));
      const changes = found.map(({ guard, value, wanted }) => ({ name: guard.name, value, wanted }));
      await story.on(server.database.restore(changes, stamp(story.epoch)));
      expect(namesOf(await deviations(server, part))).toEqual([]);
    }
    expect(await story.look(follower)).toMatchObject({ readOnly: true });
    expect(await story.commit(leader)).toBe('acknowledged');
  });

  it('names what commits wait for when somebody has set it otherwise; to make them wait puts it back', async () => {
    const [leader] = servers();
    const rows = guardsOf(story.fixture.flavor).filter(
      ({ wanted, mend }) => wanted(ofPrimary) !== undefined && mend === undefined,
    );
    for (const { name } of rows) {
      const { variables } = await story.look(leader);
      await story.on(leader.set(name, otherValue(name, variables[name] ?? '')));
      expect(namesOf(await deviations(leader, ofPrimary))).toContain(name);
      expect((await story.look(leader)).acks).toMatchObject({ armed: false, required: 0 });
      await story.on(leader.database.requireAcks(1, stamp(story.epoch)));
      await story.ackersOf(leader, 2);
      expect(namesOf(await deviations(leader, ofPrimary))).toEqual([]);
    }
  });

  it('puts nothing back under an earlier stamp', async () => {
    const [, follower] = servers();
    const one = { name: 'sync_binlog', value: '0', wanted: '1' };
    await story.on(follower.database.freeze(stamp(story.epoch + 1)));
    story.epoch += 1;
    expect(await story.rejection(follower.database.restore([one], stamp(story.epoch - 1)))).toBe(
      'database.stale-epoch',
    );
    await story.on(follower.database.thaw(stamp(story.epoch)));
  });
}
