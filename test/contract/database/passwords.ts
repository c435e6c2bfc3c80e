/** The part of the suite about passwords: from one to another, while both are accepted, and never without any. */
import { describe, expect, it } from 'vitest';
import type { Passwords } from '../../../controller/database/port.ts';
import { stamp } from '../../builders/stamp.ts';
import type { Story, TestServer } from './story.ts';

const fresh: Passwords = { admin: String.raw`new'ad\min`, replication: String.raw`new"re'pl\ica` };
const third: Passwords = { admin: 'third-1', replication: 'third-2' };

/** `primary` is followed by the others and needs one acknowledgement. Nothing of it is left at the end. */
export function tellPasswords(story: Story, servers: () => readonly [TestServer, ...TestServer[]]): void {
  const { on, until, commit, ackersOf, rejection } = story;
  const now = () => stamp(story.epoch);
  const primary = () => servers()[0];

  async function expectAccepted(
    accepted: readonly Passwords[],
    refused: readonly Passwords[],
  ): Promise<void> {
    for (const server of servers()) {
      for (const [all, answer] of [
        [accepted, true],
        [refused, false],
      ] as const) {
        for (const passwords of all) {
          await until(`${server.name} ${answer ? 'accepts' : 'refuses'} ${passwords.admin}`, async () => {
            return (await on(server.database.accepts(passwords, 2_000))) === answer;
          });
        }
      }
    }
  }

  async function move(passwords: Passwords): Promise<void> {
    for (const replica of servers().slice(1)) {
      const source = await on(primary().source(true));
      const anew = { ...source, password: passwords.replication, anew: true } as const;
      await on(replica.as(passwords).follow(anew, now()));
      await ackersOf(primary(), servers().length - 1);
      expect(await commit(primary())).toBe('acknowledged');
    }
  }

  describe('passwords', () => {
    const former = () => primary().passwords;

    it('are those it was made with, and no others', async () => {
      await expectAccepted([former()], [fresh, third, { ...former(), replication: fresh.replication }]);
    });

    it('are changed on a primary only, and not by whoever is no longer in charge', async () => {
      const replica = servers()[1]!;
      expect(await rejection(replica.database.setPasswords(former(), fresh, now()))).toBe('database.failed');
      const stale = stamp(story.epoch - 1);
      expect(await rejection(primary().database.setPasswords(former(), fresh, stale))).toBe(
        'database.stale-epoch',
      );
      await expectAccepted([former()], [fresh]);
    });

    it('may be two at a time, and other two later', async () => {
      await on(primary().database.setPasswords(former(), fresh, now()));
      await on(primary().database.setPasswords(former(), fresh, now()));
      await expectAccepted([former(), fresh], [third]);
      await on(primary().database.setPasswords(former(), third, now()));
      await expectAccepted([former(), third], [fresh]);
      await on(primary().database.setPasswords(former(), fresh, now()));
      await expectAccepted([former(), fresh], [third]);
      expect(await commit(primary())).toBe('acknowledged');
    });

    it('let replicas come with the new one, one after the other', async () => {
      await move(fresh);
    });

    it('are refused once they are former ones, and whoever has the new ones does not notice', async () => {
      await on(primary().database.setPasswords(fresh, undefined, now()));
      await on(primary().database.setPasswords(fresh, undefined, now()));
      await expectAccepted([fresh], [former(), third]);
      for (const replica of servers().slice(1)) {
        const database = replica.as(fresh);
        await on(database.freeze(now()));
        await on(database.thaw(now()));
      }
      const leader = primary().as(fresh);
      await until('both are back', async () => {
        return (await on(leader.look(2_000))).acks.connected === servers().length - 1;
      });
      expect(await commit(primary())).toBe('acknowledged');
      expect(await rejection(primary().as(former()).look(2_000))).toBe('database.denied');
    });

    it('go back the same way', async () => {
      await on(primary().database.setPasswords(fresh, former(), now()));
      await expectAccepted([former(), fresh], []);
      await move(former());
      await on(primary().database.setPasswords(former(), undefined, now()));
      await expectAccepted([former()], [fresh]);
    });
  });
}
