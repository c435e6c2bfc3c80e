/** Three servers and where their story stands: what every test of it may ask and do. */
import type { Millis } from '../../../controller/base/clock.ts';
import type { ErrorCode } from '../../../controller/base/errors.ts';
import { algebraOf } from '../../../controller/database/gtid.ts';
import type {
  Database,
  Flavor,
  Look,
  Passwords,
  Source,
  Witness,
} from '../../../controller/database/port.ts';
import { stamp } from '../../builders/stamp.ts';

/** `unknown`: it was sent, and no answer came. `refused`: it surely did not happen. */
export type WriteOutcome = 'acknowledged' | 'unknown' | 'refused';

/** A server and what a test does to it behind the back of its Database. */
export interface TestServer {
  readonly name: string;
  /** Address at which replicas reach it. */
  readonly address: string;
  readonly database: Database;
  /** Asks from its host whether another server is reached. */
  readonly witness: Witness;
  /** Those it was made with, and `database` comes with. */
  readonly passwords: Passwords;
  /** The same server for somebody who comes with other passwords; nobody has come so far. */
  as(passwords: Passwords): Database;
  /** How others follow it. */
  source(acknowledges: boolean): Promise<Source>;
  /** Writes a row with this key, in a transaction of its own, as an application that waits for at most so long. */
  commit(key: string, limit: Millis): Promise<WriteOutcome>;
  /** Keys of the rows a reader sees. */
  keys(): Promise<readonly string[]>;
  /** `SET GLOBAL`, by an administrator. */
  set(variable: string, value: string): Promise<void>;
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

export class Story {
  epoch = 1;
  #fixture: DatabaseFixture | undefined;
  #keys = 0;

  async begin(open: () => Promise<DatabaseFixture>): Promise<DatabaseFixture['servers']> {
    this.#fixture = await open();
    return this.#fixture.servers;
  }

  get fixture(): DatabaseFixture {
    if (this.#fixture === undefined) throw new Error('the story has not begun');
    return this.#fixture;
  }

  readonly on = <Result>(work: Promise<Result>): Promise<Result> => this.fixture.during(work);
  readonly look = (server: TestServer): Promise<Look> => this.on(server.database.look(2_000));
  readonly freshKey = (): string => `key-${(this.#keys += 1)}`;
  readonly commit = (server: TestServer, limit: Millis = 5_000): Promise<WriteOutcome> =>
    this.on(server.commit(this.freshKey(), limit));
  readonly contains = (left: string, right: string): boolean =>
    algebraOf(this.fixture.flavor).contains(left, right);

  readonly until = async (what: string, condition: () => Promise<boolean>): Promise<void> => {
    for (let round = 0; round < 50; round += 1) {
      if (await condition()) return;
      await this.fixture.pass(200);
    }
    throw new Error(`not within 10 s: ${what}`);
  };

  readonly untilLook = (server: TestServer, what: string, condition: (now: Look) => boolean): Promise<void> =>
    this.until(`${server.name} ${what}`, async () => condition(await this.look(server)));

  readonly follow = async (replica: TestServer, primary: TestServer): Promise<void> => {
    const source = await this.on(primary.source(true));
    await this.on(replica.database.follow(source, stamp(this.epoch)));
    await this.untilLook(replica, 'receives', ({ replication }) => replication?.receiver === 'Running');
  };

  readonly ackersOf = (primary: TestServer, count: number): Promise<void> =>
    this.untilLook(primary, `has ${count} ackers`, ({ acks }) => acks.connected === count);

  readonly rejection = async (work: Promise<unknown>): Promise<ErrorCode | 'none'> => {
    try {
      await this.on(work);
      return 'none';
    } catch (error) {
      return (error as { readonly code: ErrorCode }).code;
    }
  };
}
