/** The Database port on one server in memory, as it looks from the controller. */
import type { Millis } from '../../controller/base/clock.ts';
import { AppError } from '../../controller/base/errors.ts';
import { algebraOf } from '../../controller/database/gtid.ts';
import type {
  Certificates,
  Database,
  Frozen,
  Gtids,
  Inspection,
  Look,
  Passwords,
  PrivilegedAccount,
  ServerVariable,
  SleepingEvents,
  Source,
  Stamp,
  UnsafeTables,
} from '../../controller/database/port.ts';
import { setAsideFolder } from '../../controller/database/set-aside.ts';
import { FakeCertificates } from './database-certificates.ts';
import { lookAt } from './database-look.ts';
import type { CommitOutcome, Row } from './database-rows.ts';
import type { FakeServer } from './database-server.ts';
import { forgetWaitChanges, setVariable } from './database-variables.ts';
import type { DatabaseWorld } from './database-world.ts';
import type { Faults } from './faults.ts';

export type DatabaseOperation = keyof Database | `certificates.${keyof Certificates}`;

/** How long the controller waits for an answer where the port names no time. */
const patience: Millis = 2_000;

export class FakeDatabase implements Database {
  readonly certificates: Certificates;
  readonly #world: DatabaseWorld;
  readonly #server: FakeServer;
  readonly #faults: Faults<DatabaseOperation>;
  /** Of `ridgeline`; undefined lets everybody in who has none. */
  readonly #password: string | undefined;
  /** At most one heartbeat is on its way. */
  #beat: { outcome?: CommitOutcome } | undefined;

  constructor(
    world: DatabaseWorld,
    server: FakeServer,
    { faults, password }: { readonly faults: Faults<DatabaseOperation>; readonly password?: string },
  ) {
    this.#world = world;
    this.#server = server;
    this.#faults = faults;
    this.#password = password;
    this.certificates = new FakeCertificates(server, world.clock, {
      onHost: (verb, effect) => this.#onHost(`certificates.${verb}`, patience, () => world.change(effect)),
      asRoot: (verb, effect) => this.#asRoot(`certificates.${verb}`, patience, () => world.change(effect)),
    });
  }

  look(timeout: Millis): Promise<Look> {
    return this.#ask('look', timeout, () => lookAt(this.#server, this.#world));
  }

  beat(epoch: number, timeout: Millis): Promise<void> {
    return this.#ask('beat', timeout, async () => {
      const server = this.#server;
      if (server.crowded) throw new AppError('database.overloaded', '1040: Too many connections');
      assertWritable(server);
      if (this.#beat === undefined || this.#beat.outcome !== undefined) {
        this.#beat = this.#commit({ epoch, time: this.#world.clock.now() });
      }
      await this.#committed(this.#beat, timeout);
    });
  }

  inspect(timeout: Millis): Promise<Inspection> {
    return this.#onHost('inspect', timeout, () => {
      const { process, disk } = this.#server;
      return {
        running: process !== 'Gone',
        diskUsed: disk === 'Full' ? 1 : 0.1,
        diskReadOnly: disk === 'ReadOnly',
      };
    });
  }

  certificate(): Promise<string> {
    return this.#onHost('certificate', patience, () => this.#server.pairs.pem);
  }

  privileged(): Promise<readonly PrivilegedAccount[]> {
    return this.#asRoot('privileged', patience, () => this.#server.privileged);
  }

  unsafeTables(): Promise<UnsafeTables> {
    return this.#asRoot('unsafeTables', patience, () => {
      const { unsafeTables } = this.#server;
      return { total: unsafeTables.length, tables: unsafeTables.slice(0, 5) };
    });
  }

  accepts({ admin, replication }: Passwords, timeout: Millis): Promise<boolean> {
    return this.#asRoot('accepts', timeout, () => {
      return this.#server.lets('admin', admin) && this.#server.lets('replication', replication);
    });
  }

  setPasswords(current: Passwords, beside: Passwords | undefined, stamp: Stamp): Promise<void> {
    return this.#asRoot('setPasswords', patience, async () => {
      const server = this.#server;
      server.admit(stamp);
      assertWritable(server);
      const all = [current, ...(beside === undefined ? [] : [beside])];
      if (all.flatMap(({ admin, replication }) => [admin, replication]).some(server.refusesPassword)) {
        throw failed(server, '1819: Your password does not satisfy the current policy requirements');
      }
      const accounts = {
        admin: all.map(({ admin }) => admin),
        replication: all.map(({ replication }) => replication),
      };
      server.alteredAccounts = undefined;
      await this.#committed(this.#commit({ accounts }), patience);
    });
  }

  freeze(stamp: Stamp): Promise<Frozen> {
    return this.#order('freeze', stamp, (server) => {
      // An applier that starts alone, later, would lose what was received (MariaDB).
      server.applies ||= server.receives;
      server.receives = false;
      return { received: server.received, executed: server.executed };
    });
  }

  thaw(stamp: Stamp): Promise<void> {
    return this.#order('thaw', stamp, (server) => {
      if (server.source === undefined) throw failed(server, 'is not configured to follow anybody');
      Object.assign(server, { receives: true, applies: true, receiverError: undefined });
    });
  }

  catchUp(target: Gtids, timeout: Millis): Promise<boolean> {
    return this.#ask('catchUp', timeout + patience, async () => {
      const server = this.#server;
      this.#world.change(() => {
        server.applies = true;
      });
      const { contains } = algebraOf(server.flavor);
      const isStuck = () => server.applierError !== undefined && server.relay.length > 0;
      await this.#until(() => isStuck() || contains(server.executed, target), timeout);
      if (isStuck()) throw failed(server, `has an applier that stopped: ${server.applierError?.number}`);
      return contains(server.executed, target);
    });
  }

  setAside(stamp: Stamp): Promise<void> {
    return this.#order('setAside', stamp, ({ setAside, relay }) => {
      const folder = setAsideFolder(stamp.epoch);
      if (!setAside.has(folder))
        setAside.set(
          folder,
          relay.map(({ transaction }) => transaction),
        );
    });
  }

  takeLead(acks: number, stamp: Stamp, givesUp = false): Promise<void> {
    return this.#order('takeLead', stamp, (server) => {
      if (server.relay.length > 0) {
        if (server.rules.keepsReceived && !givesUp)
          throw failed(server, 'has not applied all that it received');
        server.forgetReceived();
      }
      const follows = { source: undefined, receives: false, applies: false, receiverError: undefined };
      Object.assign(server, follows, { requiredAcks: acks, applierError: undefined });
    });
  }

  requireAcks(acks: number, stamp: Stamp): Promise<void> {
    return this.#order('requireAcks', stamp, (server) => {
      server.requiredAcks = acks;
      if (acks > 0) forgetWaitChanges(server);
    });
  }

  open(stamp: Stamp): Promise<void> {
    return this.#order('open', stamp, async (server) => {
      if (server.source !== undefined) throw failed(server, 'follows another server');
      Object.assign(server, { writable: true, openedIn: stamp.epoch });
      await this.#committed(this.#commit({ epoch: stamp.epoch, time: this.#world.clock.now() }), patience);
    });
  }

  wakeEvents(stamp: Stamp): Promise<SleepingEvents | undefined> {
    return this.#order('wakeEvents', stamp, ({ stubbornEvents: statements }) =>
      statements.length === 0 ? undefined : { statements, why: '1589: its time has passed' },
    );
  }

  close(stamp: Stamp, timeout: Millis): Promise<Gtids> {
    return this.#order('close', stamp, async (server) => {
      const wasWritable = server.writable;
      server.writable = false;
      if (!(await this.#until(() => server.busy === 0, timeout))) {
        server.writable = wasWritable;
        throw new AppError('database.silent', `commits on ${server.name} do not end`);
      }
      return server.executed;
    });
  }

  follow(source: Source, stamp: Stamp): Promise<void> {
    return this.#order('follow', stamp, async (server) => {
      if (server.writable) throw failed(server, 'takes writes');
      // To end their wait would acknowledge commits that no replica has.
      if (server.waiting.length > 0) throw failed(server, 'has commits that still wait for replicas');
      server.receives = false;
      server.applies = true;
      if (!(await this.#until(() => server.relay.length === 0, patience))) {
        throw failed(server, 'does not apply in time what it received');
      }
      server.requiredAcks = 0;
      server.receiverError = undefined;
      server.link = undefined;
      server.source = source.address;
      server.trusts = source.certificate;
      server.sourcePassword = source.password;
      server.acknowledges = source.acknowledges;
      server.receives = true;
    });
  }

  acknowledge(on: boolean, stamp: Stamp): Promise<void> {
    return this.#order('acknowledge', stamp, async (server) => {
      this.#world.change(() => Object.assign(server, { acknowledges: on, receives: false }));
      this.#world.change(() => Object.assign(server, { receives: true }));
      // Whoever is to acknowledge no more need not be connected.
      if (on && !(await this.#until(() => server.link !== undefined, patience))) {
        throw new AppError('database.silent', `the receiver of ${server.name} does not connect`);
      }
    });
  }

  restore(variables: readonly ServerVariable[], stamp: Stamp): Promise<void> {
    return this.#order('restore', stamp, (server) => {
      for (const { name, wanted } of variables) setVariable(server, name, wanted);
    });
  }

  kill(stamp: Stamp): Promise<void> {
    return this.#onHost('kill', patience, () => {
      this.#server.admit(stamp);
      this.#server.masked = true;
      this.#world.change(() => {
        this.#server.crash();
      });
    });
  }

  #commit(row: Row): { outcome?: CommitOutcome } {
    const state: { outcome?: CommitOutcome } = {};
    this.#world.change(() => {
      this.#server.commit(row, this.#world.clock.now(), (outcome) => {
        state.outcome = outcome;
      });
    });
    return state;
  }

  async #committed(state: { readonly outcome?: CommitOutcome }, timeout: Millis): Promise<void> {
    await this.#until(() => state.outcome !== undefined, timeout);
    if (state.outcome === 'released') return;
    throw new AppError(
      'database.silent',
      `a commit on ${this.#server.name} did not end within ${timeout} ms`,
    );
  }

  /** Waits as one who sits on the server: what happens to it ends the waiting. */
  async #until(condition: () => boolean, limit: Millis): Promise<boolean> {
    return await this.#world
      .until(() => condition() || this.#server.process === 'Gone', limit)
      .then(condition);
  }

  /** A change of the server, under its stamp. */
  #order<Result>(
    operation: DatabaseOperation,
    stamp: Stamp,
    effect: (server: FakeServer) => Result | Promise<Result>,
  ): Promise<Result> {
    return this.#onHost(operation, patience, async () => {
      this.#server.admit(stamp);
      await this.#speak(patience);
      this.#assertLetIn();
      return await this.#world.change(() => effect(this.#server));
    });
  }

  #ask<Result>(
    operation: DatabaseOperation,
    timeout: Millis,
    effect: () => Result | Promise<Result>,
  ): Promise<Result> {
    return this.#onHost(operation, timeout, async () => {
      await this.#speak(timeout);
      this.#assertLetIn();
      return await effect();
    });
  }

  /** As root on the host, who needs no password. */
  #asRoot<Result>(
    operation: DatabaseOperation,
    timeout: Millis,
    effect: () => Result | Promise<Result>,
  ): Promise<Result> {
    return this.#onHost(operation, timeout, async () => {
      await this.#speak(timeout);
      return await effect();
    });
  }

  #assertLetIn(): void {
    if (this.#password === undefined || this.#server.lets('admin', this.#password)) return;
    throw new AppError('database.denied', `${this.#server.name}: 1045: Access denied for user 'ridgeline'`);
  }

  async #speak(timeout: Millis): Promise<void> {
    const { name, process } = this.#server;
    if (process === 'Gone') throw new AppError('database.refused', `no server process listens on ${name}`);
    if (process === 'Frozen') {
      await this.#world.clock.sleep(timeout);
      throw new AppError('database.silent', `${name} did not answer within ${timeout} ms`);
    }
  }

  /** Runs on the host and brings the answer back, if the way there and the way back are open. */
  async #onHost<Result>(
    operation: DatabaseOperation,
    timeout: Millis,
    effect: () => Result | Promise<Result>,
  ): Promise<Result> {
    const { name } = this.#server;
    return await this.#faults.run(operation, name, async () => {
      const world = this.#world;
      world.settle();
      const unreachable = () =>
        new AppError('shell.unreachable', `${name} did not answer within ${timeout} ms`);
      if (this.#server.host !== 'Up' || !world.carries('controller', name)) {
        await world.clock.sleep(timeout);
        throw unreachable();
      }
      const began = world.clock.monotonic();
      const result = await effect();
      world.settle();
      if (this.#server.host === 'Up' && world.carries(name, 'controller')) return result;
      await world.clock.sleep(Math.max(0, timeout - (world.clock.monotonic() - began)));
      throw unreachable();
    });
  }
}

function failed(server: FakeServer, what: string): AppError {
  return new AppError('database.failed', `${server.name} ${what}`);
}

function assertWritable(server: FakeServer): void {
  if (!server.writable) throw failed(server, 'runs with --read-only (1290)');
  if (server.disk === 'ReadOnly') throw failed(server, 'cannot write its log: read-only file system (1026)');
}
