/** The fake databases keep the contract the real ones keep, and fail as a test tells them to. */
import { describe, expect, it } from 'vitest';
import type { Millis } from '../../../controller/base/clock.ts';
import { algebraOf } from '../../../controller/database/gtid.ts';
import type { Flavor } from '../../../controller/database/port.ts';
import { stamp } from '../../builders/stamp.ts';
import type { DatabaseFixture, TestServer } from '../../contract/database/story.ts';
import { describeDatabases } from '../../contract/database/suite.ts';
import { FakeClock } from '../../fakes/clock.ts';
import { FakeDatabases, type FakeDatabasesOptions } from '../../fakes/databases.ts';

const hostAt = (address: string) => ({ address, port: 22, user: 'admin', privateKey: '', hostKeys: ['x'] });

/** Three empty servers `db-1`, `db-2`, `db-3`. */
function threeServers(options: FakeDatabasesOptions) {
  const clock = new FakeClock();
  const databases = new FakeDatabases(clock, options);
  const addresses = { 'db-1': '10.0.0.1', 'db-2': '10.0.0.2', 'db-3': '10.0.0.3' };
  for (const [name, address] of Object.entries(addresses)) databases.addServer(name, address);
  /** Lets time pass until the promise is settled. */
  async function during<Result>(work: Promise<Result>): Promise<Result> {
    const settled = new AbortController();
    const settle = () => {
      settled.abort();
    };
    work.then(settle, settle);
    for (let passed = 0; passed < 60_000 && !settled.signal.aborted; passed += 50) await clock.advance(50);
    return await work;
  }
  return { clock, databases, addresses, during };
}

const passwords = { admin: 'first-1', replication: 'first-2' };

async function fixtureOf(flavor: Flavor, atMost: Millis): Promise<DatabaseFixture> {
  const { clock, databases, addresses, during } = threeServers({ flavor, latency: { seed: 7, atMost } });
  const firstAccounts = { admin: [passwords.admin], replication: [passwords.replication] };
  for (const name of Object.keys(addresses)) databases.trouble(name, { firstAccounts });
  const [one, two, three] = Object.entries(addresses).map(
    ([name, address]): TestServer => ({
      name,
      address,
      database: databases.of({ name, host: hostAt(address), flavor, password: passwords.admin }),
      passwords,
      as: ({ admin: password }) => databases.of({ name, host: hostAt(address), flavor, password }),
      witness: databases.witness(hostAt(address)),
      source: async (acknowledges) => ({
        ...databases.sourceOf(name, acknowledges),
        password: passwords.replication,
      }),
      commit: (key, limit) => databases.commit(name, key, key, limit),
      keys: async () => databases.keysOn(name),
      set: async (variable, value) => {
        databases.setByHand(name, variable, value);
      },
      holdApplier: async () => {
        databases.trouble(name, { applyDelay: Number.POSITIVE_INFINITY });
      },
      letApplierGo: async () => {
        databases.trouble(name, { applyDelay: 0 });
      },
      crash: async () => {
        databases.crash(name);
      },
      restart: async () => {
        databases.restart(name);
      },
      suspend: async () => {
        databases.suspend(name);
      },
      resume: async () => {
        databases.resume(name);
      },
    }),
  );
  return {
    flavor,
    servers: [one!, two!, three!],
    during,
    pass: (time) => clock.advance(time),
    close: async () => undefined,
  };
}

describeDatabases('in memory, as MariaDB', () => fixtureOf('MariaDB', 0));
describeDatabases('in memory, as MySQL', () => fixtureOf('MySQL', 0));
describeDatabases('in memory, over a slow network', () => fixtureOf('MariaDB', 80));

describe('databases that fail in memory', () => {
  /** `db-1` takes writes in epoch 1; the others follow and acknowledge. */
  async function aCluster(options: FakeDatabasesOptions = {}) {
    const world = threeServers(options);
    const { databases, addresses, during } = world;
    const at = (name: keyof typeof addresses) =>
      databases.of({
        name,
        host: hostAt(addresses[name]),
        flavor: options.flavor ?? 'MariaDB',
        password: '',
      });
    const [one, two, three] = [at('db-1'), at('db-2'), at('db-3')];
    await during(one.requireAcks(1, stamp(1)));
    await during(two.follow(databases.sourceOf('db-1'), stamp(1)));
    await during(three.follow(databases.sourceOf('db-1'), stamp(1)));
    await during(one.open(stamp(1)));
    return { ...world, one, two, three };
  }

  const codeOf = async (work: Promise<unknown>) => {
    try {
      await work;
      return 'none';
    } catch (error) {
      return (error as { readonly code: string }).code;
    }
  };

  it('keeps what was acknowledged on a replica when the machine loses its power', async () => {
    const { databases, during, one, clock } = await aCluster();
    expect(await during(databases.commit('db-1', 'sure'))).toBe('acknowledged');
    databases.powerOff('db-1');
    expect(await during(codeOf(one.look(500)))).toBe('shell.unreachable');
    expect(await during(databases.commit('db-1', 'late'))).toBe('refused');
    expect([databases.missingOn('db-2'), databases.missingOn('db-3')]).toEqual([[], []]);
    databases.powerOn('db-1');
    await clock.advance(2_000);
    expect(await during(one.look(500))).toMatchObject({ readOnly: true, acks: { armed: false } });
  });

  it('acknowledges what waits when it is told to end, as MySQL does, or breaks the connection, as MariaDB does', async () => {
    const endOf = async (flavor: Flavor, killSignal: 'SIGTERM' | 'SIGKILL' = 'SIGTERM') => {
      const { databases, during } = await aCluster({ flavor });
      databases.server('db-1').killSignal = killSignal;
      databases.isolate('db-1', []);
      const waiting = databases.commit('db-1', 'waits', 'x', 60_000);
      databases.shutDown('db-1');
      const told = await during(waiting);
      const process = databases.server('db-1').process;
      databases.restart('db-1');
      return { told, process, kept: databases.keysOn('db-1'), elsewhere: databases.keysOn('db-2') };
    };
    const gone = { process: 'Gone', kept: ['waits'], elsewhere: [] };
    expect(await endOf('MySQL')).toEqual({ told: 'acknowledged', ...gone });
    expect(await endOf('MariaDB')).toEqual({ told: 'unknown', ...gone });
    expect(await endOf('MySQL', 'SIGKILL')).toEqual({ told: 'unknown', ...gone });
  });

  it('does not hear SIGTERM while its machine or its process stands still', async () => {
    const { databases, during } = await aCluster({ flavor: 'MySQL' });
    databases.isolate('db-1', []);
    const waiting = databases.commit('db-1', 'waits', 'x', 1_000);
    databases.suspend('db-1');
    databases.shutDown('db-1');
    expect(databases.server('db-1').process).toBe('Frozen');
    expect(await during(waiting)).toBe('unknown');
  });

  it('does what people type at it', async () => {
    const { databases, during, two } = await aCluster();
    databases.byHand('db-2', 'takeWrites');
    expect(await during(two.look(500))).toMatchObject({ readOnly: false });
    databases.byHand('db-2', 'stopReplica');
    expect((await during(two.look(500))).replication).toMatchObject({
      receiver: 'Stopped',
      applier: 'Stopped',
    });
    databases.byHand('db-3', 'semiSyncOff');
    expect(await during(databases.commit('db-1', 'alone', 'x', 500))).toBe('unknown');
    databases.byHand('db-1', 'semiSyncOff');
    expect(await during(databases.commit('db-1', 'unsafe', 'x', 500))).toBe('acknowledged');
    databases.byHand('db-3', 'writeErrant');
    expect(databases.keysOn('db-3').some((key) => key.startsWith('errant'))).toBe(true);
    databases.suspend('db-3');
    databases.byHand('db-3', 'takeWrites');
    expect(databases.server('db-3').writable).toBe(false);
  });

  it('notices a silent source after 4 s, a dead process at once', async () => {
    const { databases, clock, during, two } = await aCluster();
    const receiver = async () => (await during(two.look(500))).replication!.receiver;
    databases.hang('db-1');
    await clock.advance(3_000);
    expect(await receiver()).toBe('Running');
    await clock.advance(1_000);
    expect(await receiver()).toBe('Connecting');
    databases.resume('db-1');
    expect(await receiver()).toBe('Running');
    databases.crash('db-1');
    expect(await receiver()).toBe('Connecting');
  });

  it('lets a commit that was on its way be acknowledged when a frozen server goes on, if its client still waits', async () => {
    const { databases, clock, during } = await aCluster({ latency: { seed: 1, atMost: 40 } });
    const [patient, hasty] = [
      databases.commit('db-1', 'patient', 'x', 60_000),
      databases.commit('db-1', 'hasty', 'x', 1_000),
    ];
    databases.suspend('db-1');
    await clock.advance(2_000);
    expect(databases.keysOn('db-2')).toEqual(['patient', 'hasty']);
    databases.resume('db-1');
    expect(await during(Promise.all([patient, hasty]))).toEqual(['acknowledged', 'unknown']);
  });

  it('lets a zombie acknowledge nothing once its ackers are frozen', async () => {
    const { databases, clock, during, two, three } = await aCluster();
    databases.suspend('db-1');
    await during(two.freeze(stamp(2)));
    await during(three.freeze(stamp(2)));
    databases.resume('db-1');
    expect(await during(databases.commit('db-1', 'zombie'))).toBe('unknown');
    await clock.advance(60_000);
    expect(databases.acknowledgements).toEqual([]);
  });

  it('hears in one direction and does not answer in the other', async () => {
    const { databases, during, one } = await aCluster();
    databases.cut('db-2', 'db-1');
    databases.cut('db-3', 'db-1');
    expect(await during(databases.commit('db-1', 'half', 'x', 1_000))).toBe('unknown');
    expect(databases.keysOn('db-2')).toEqual(['half']);
    // The source still believes in them.
    expect((await during(one.look(500))).acks).toMatchObject({ connected: 2, waiting: 1 });
    databases.heal();
    expect((await during(one.look(500))).acks.waiting).toBe(0);
  });

  it('carries an order out although its answer is lost', async () => {
    const { databases, during, two } = await aCluster();
    databases.cut('db-2', 'controller');
    expect(await during(codeOf(two.freeze(stamp(1))))).toBe('shell.unreachable');
    databases.heal();
    expect((await during(two.look(500))).replication!.receiver).toBe('Stopped');
    databases.faults.failAfterCommit('thaw', 'shell.interrupted');
    expect(await during(codeOf(two.thaw(stamp(1))))).toBe('shell.interrupted');
    expect((await during(two.look(500))).replication!.receiver).toBe('Running');
  });

  it('cuts clients and controller off, each for itself', async () => {
    const { databases, during, one } = await aCluster();
    databases.partition('clients', 'db-1');
    expect(await during(databases.commit('db-1', 'cut'))).toBe('refused');
    expect(await during(codeOf(one.beat(1, 500)))).toBe('none');
    databases.heal();
    databases.partition('controller', 'db-1');
    expect(await during(databases.commit('db-1', 'well'))).toBe('acknowledged');
    expect(await during(codeOf(one.beat(1, 500)))).toBe('shell.unreachable');
    expect(await during(databases.witness(hostAt('10.0.0.2')).reaches('10.0.0.1', 500))).toBe(true);
    expect(await during(databases.witness(hostAt('front-1')).reaches('10.0.0.1', 500))).toBe(true);
    databases.partition('front-1', 'db-1');
    expect(await during(databases.witness(hostAt('front-1')).reaches('10.0.0.1', 500))).toBe(false);
    databases.partition('front-1', 'controller');
    expect(await during(codeOf(databases.witness(hostAt('front-1')).reaches('10.0.0.1', 500)))).toBe(
      'shell.unreachable',
    );
  });

  it('has no session left for applications and still answers the administrator', async () => {
    const { databases, during, one } = await aCluster();
    databases.trouble('db-1', { crowded: true });
    expect(await during(codeOf(one.beat(1, 500)))).toBe('database.overloaded');
    expect(await during(databases.commit('db-1', 'crowd'))).toBe('refused');
    expect(await during(one.look(500))).toMatchObject({ readOnly: false });
  });

  it('stalls on a full disk', async () => {
    const { databases, during, one, three } = await aCluster();
    databases.trouble('db-1', { disk: 'Full' });
    expect(await during(codeOf(one.beat(1, 500)))).toBe('database.silent');
    expect(await during(one.inspect(500))).toMatchObject({ running: true, diskUsed: 1 });
    expect(await during(databases.commit('db-1', 'stalled', 'x', 500))).toBe('unknown');
    expect(databases.keysOn('db-2')).toEqual([]);
    databases.trouble('db-1', { disk: 'Good' });
    expect(databases.keysOn('db-2')).toEqual(['stalled']);
    databases.trouble('db-2', { disk: 'Full' });
    expect(await during(databases.commit('db-1', 'one'))).toBe('acknowledged');
    await during(three.freeze(stamp(1)));
    expect(await during(databases.commit('db-1', 'two'))).toBe('unknown');
  });

  it('leaves what was not acknowledged on the old primary, errant', async () => {
    const { databases, during, one, two, three } = await aCluster({ flavor: 'MySQL' });
    const { received } = await during(two.freeze(stamp(2)));
    await during(three.freeze(stamp(2)));
    expect(await during(databases.commit('db-1', 'errant', 'x', 500))).toBe('unknown');
    databases.crash('db-1');
    databases.restart('db-1');
    const { executed } = await during(one.look(500));
    expect(algebraOf('MySQL').compare(executed, received)).toBe('Ahead');
    await during(two.takeLead(0, stamp(2)));
    await during(two.open(stamp(2)));
    expect(await during(databases.commit('db-2', 'new'))).toBe('acknowledged');
    expect(databases.missingOn('db-1')).toEqual(['new']);
  });

  it('may cut off what was not acknowledged when it starts again, and then lacks what a replica has', async () => {
    const { databases, during, one, two } = await aCluster({ rules: { recovery: 'Truncate' } });
    expect(await during(databases.commit('db-1', 'sure'))).toBe('acknowledged');
    databases.cut('db-2', 'db-1');
    databases.cut('db-3', 'db-1');
    expect(await during(databases.commit('db-1', 'received', 'x', 500))).toBe('unknown');
    databases.crash('db-1');
    databases.restart('db-1');
    const { executed } = await during(one.look(500));
    const { received } = (await during(two.look(500))).replication!;
    expect(algebraOf('MariaDB').compare(executed, received)).toBe('Behind');
    expect([databases.keysOn('db-1'), databases.keysOn('db-2')]).toEqual([['sure'], ['sure', 'received']]);
  });

  it('refuses to serve a replica that went another way, or lacks what is purged', async () => {
    const { databases, during, one, two, three } = await aCluster();
    const errorOf = async () => (await during(three.look(500))).replication!.receiverError?.number;
    await during(two.freeze(stamp(2)));
    await during(two.takeLead(0, stamp(2)));
    await during(two.open(stamp(2)));
    await during(three.freeze(stamp(2)));
    expect(await during(databases.commit('db-1', 'fork', 'x', 500))).toBe('unknown');
    await during(three.thaw(stamp(2)));
    expect(await errorOf()).toBeUndefined();
    await during(three.follow(databases.sourceOf('db-2'), stamp(2)));
    expect(await errorOf()).toBe(1236);
    databases.addServer('db-4', '10.0.0.4');
    databases.trouble('db-2', { purged: 1 });
    const four = databases.of({ name: 'db-4', host: hostAt('10.0.0.4'), flavor: 'MariaDB', password: '' });
    await during(four.follow(databases.sourceOf('db-2'), stamp(2)));
    expect((await during(four.look(500))).replication!.receiverError?.message).toContain('purged');
    databases.addClone('db-5', '10.0.0.5', 'db-2');
    const five = databases.of({ name: 'db-5', host: hostAt('10.0.0.5'), flavor: 'MariaDB', password: '' });
    await during(five.follow(databases.sourceOf('db-2'), stamp(2)));
    expect((await during(five.look(500))).replication!.receiver).toBe('Running');
    expect((await during(one.look(500))).readOnly).toBe(false);
  });

  it('shows a mutant that acknowledges after a time what nobody else has', async () => {
    const { databases, during, two, three } = await aCluster({ rules: { ackTimeout: 100 } });
    await during(two.freeze(stamp(2)));
    await during(three.freeze(stamp(2)));
    expect(await during(databases.commit('db-1', 'gone'))).toBe('acknowledged');
    expect(databases.missingOn('db-2')).toEqual(['gone']);
  });

  it('shows readers of a mutant what no replica has', async () => {
    const seen = async (options: FakeDatabasesOptions) => {
      const { databases, during, two, three } = await aCluster(options);
      await during(two.freeze(stamp(2)));
      await during(three.freeze(stamp(2)));
      await during(databases.commit('db-1', 'phantom', 'x', 500));
      return databases.read('db-1', 'phantom');
    };
    expect(await seen({})).toBeUndefined();
    expect(await seen({ rules: { waitPoint: 'AFTER_COMMIT' } })).toBe('x');
  });

  it('lets a mutant forget what it received, and obey an old controller', async () => {
    const { databases, during, two } = await aCluster({
      rules: { keepsReceived: false, checksEpoch: false },
    });
    databases.trouble('db-2', { applyDelay: 60_000 });
    expect(await during(databases.commit('db-1', 'gone'))).toBe('acknowledged');
    await during(two.freeze(stamp(5)));
    await during(two.takeLead(0, stamp(4)));
    expect(databases.missingOn('db-2')).toEqual(['gone']);
  });

  it('plays the same twice from one seed, and otherwise from another', async () => {
    const play = async (seed: number) => {
      const { databases, during, clock } = await aCluster({ latency: { seed, atMost: 50 } });
      for (let index = 0; index < 20; index += 1) await during(databases.commit('db-1', `${index}`));
      return [clock.monotonic(), databases.acknowledgements];
    };
    expect(await play(1)).toEqual(await play(1));
    expect(await play(1)).not.toEqual(await play(2));
  });
});
