/** The fake databases keep the contract the real ones keep, and fail as a test tells them to. */
import type { Millis } from '../../../controller/base/clock.ts';
import type { Flavor } from '../../../controller/database/port.ts';
import { describeDatabases, type DatabaseFixture, type TestServer } from '../../contract/database/suite.ts';
import { FakeClock } from '../../fakes/clock.ts';
import { FakeDatabases, type FakeDatabasesOptions } from '../../fakes/databases.ts';

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

async function fixtureOf(flavor: Flavor, atMost: Millis): Promise<DatabaseFixture> {
  const { clock, databases, addresses, during } = threeServers({ flavor, latency: { seed: 7, atMost } });
  const hostAt = (address: string) => ({ address, port: 22, user: 'admin', privateKey: '', hostKeys: ['x'] });
  const [one, two, three] = Object.entries(addresses).map(
    ([name, address]): TestServer => ({
      name,
      address,
      database: databases.of({ name, host: hostAt(address), flavor, password: '' }),
      witness: databases.witness(hostAt(address)),
      source: async (acknowledges) => databases.sourceOf(name, acknowledges),
      commit: (key, limit) => databases.commit(name, key, key, limit),
      keys: async () => databases.keysOn(name),
      holdApplier: async () => {
        databases.trouble(name, { applies: false });
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
