/** One database server over SSH. What it does is in `port.ts`; what it says to the server is in the dialect. */
import type { Clock, Millis } from '../base/clock.ts';
import { AppError, hasCode } from '../base/errors.ts';
import type { Remote } from '../shell/port.ts';
import { passwordsSQL } from './account-passwords.ts';
import { HostCertificates } from './certificates.ts';
import type { Dialect, Observation } from './dialect.ts';
import { dialectOf } from './dialects.ts';
import { algebraOf, type GtidAlgebra } from './gtid.ts';
import { mendSQL } from './guards.ts';
import { NodeCommands } from './node-commands.ts';
import type {
  Certificates,
  Database,
  Frozen,
  Gtids,
  Inspection,
  Look,
  Node,
  Passwords,
  PrivilegedAccount,
  Replication,
  ServerVariable,
  SleepingEvents,
  Source,
  Stamp,
  UnsafeTables,
} from './port.ts';
import { describeApplierError, isFollowing } from './replication.ts';
import { isLetIn, Session, type Way } from './session.ts';
import { sessionSettings } from './session-settings.ts';
import { parseUnsafeTables } from './storage-engines.ts';
import { databasePort } from './tcp-port.ts';

/** How long a server may take for one call where the port names no time. */
const patience: Millis = 2_000;
/** How long it may take to apply what it received, and to connect to its source. */
const settling: Millis = 5_000;
/** How often it is asked while it gets there. */
const pollPause: Millis = 20;
/** A look waits no longer for what may have to wait for commits. */
const purgedPause: Millis = 100;
/** Where there are many tables it takes minutes to look at them all. */
const tablesLimit: Millis = 300_000;
/** The one question about what is purged may hang as long as the commits it waits for. */
const purgedLimit: Millis = 3_600_000;

/**
 * Sessions open with the first question and are kept; `disconnect` ends them, the next question opens new ones.
 */
export class SshDatabase implements Database {
  readonly certificates: Certificates;
  readonly #name: string;
  readonly #dialect: Dialect;
  readonly #gtids: GtidAlgebra;
  readonly #clock: Clock;
  readonly #commands: NodeCommands;
  /** Sessions for looks, for what a look must not wait for, and for writing as applications do. */
  readonly #admin: Session;
  readonly #beside: Session;
  readonly #application: Session;
  readonly #session: (who: Pick<Way, 'user' | 'password' | 'encrypts'>, port: number) => Session;
  #reliefs = 0;
  #purged: Gtids = '';
  #asking: Promise<void> | undefined;

  constructor(remote: Remote, node: Node, clock: Clock) {
    const { name, host, password, flavor } = node;
    this.#name = name;
    this.#dialect = dialectOf(flavor);
    this.#gtids = algebraOf(flavor);
    this.#clock = clock;
    const prelude = sessionSettings(flavor);
    this.#commands = new NodeCommands(remote, host, name, prelude);
    this.certificates = new HostCertificates(this.#commands);
    this.#session = (who, port) =>
      new Session({ name, prelude, ...who, dial: () => remote.connect(host, port) }, clock);
    const session = (port: number) => this.#session({ user: 'ridgeline', password }, port);
    this.#admin = session(this.#dialect.adminPort);
    this.#beside = session(this.#dialect.adminPort);
    this.#application = session(databasePort);
  }

  /** Ends its sessions. */
  disconnect(): void {
    for (const session of [this.#admin, this.#beside, this.#application]) session.close();
  }

  async look(timeout: Millis): Promise<Look> {
    const asking = this.#askPurged();
    const { look } = await this.#observe(timeout);
    if (asking === undefined) return look;
    await Promise.race([asking, this.#clock.sleep(purgedPause)]);
    return { ...look, purged: this.#purged };
  }

  async beat(epoch: number, timeout: Millis): Promise<void> {
    try {
      await this.#application.ask([this.#dialect.heartbeat(epoch, 1)], timeout);
    } catch (error) {
      if (hasCode(error, 'database.silent')) void this.#relieve(epoch).catch(() => undefined);
      throw error;
    }
  }

  /**
   * Commits can wait for ever although a replica acknowledges: it had received them before it began to, and is not
   * asked again. Any later commit is asked for, and answers for all before. The heartbeat row may be locked by a beat
   * that waits itself, so this one goes to another row; only when it will not have to wait.
   */
  async #relieve(epoch: number): Promise<void> {
    const { acks } = (await this.#observe(patience)).look;
    if (!acks.armed || acks.waiting === 0 || acks.connected < acks.required) return;
    this.#reliefs += 1;
    await this.#application.ask([this.#dialect.heartbeat(epoch, 2 + (this.#reliefs % 8))], patience);
  }

  async inspect(timeout: Millis): Promise<Inspection> {
    return await this.#commands.inspect(timeout);
  }

  async certificate(): Promise<string> {
    return await this.#commands.certificate();
  }

  async privileged(): Promise<readonly PrivilegedAccount[]> {
    const lines = await this.#commands.sql(this.#dialect.privileged, undefined, patience);
    return lines.map((line) => {
      const [name = '', privileges = ''] = line.split('\t');
      return { name, privileges };
    });
  }

  async unsafeTables(): Promise<UnsafeTables> {
    return parseUnsafeTables(await this.#commands.read(this.#dialect.unsafeTables, tablesLimit));
  }

  async accepts({ admin, replication }: Passwords, timeout: Millis): Promise<boolean> {
    const comers = [
      [{ user: 'ridgeline', password: admin }, this.#dialect.adminPort],
      // The admin port is not for everybody.
      [{ user: 'replication', password: replication, encrypts: true }, databasePort],
    ] as const;
    const answers = await Promise.all(
      comers.map(([who, port]) => isLetIn(this.#session(who, port), timeout)),
    );
    return answers.every(Boolean);
  }

  async setPasswords(current: Passwords, beside: Passwords | undefined, stamp: Stamp): Promise<void> {
    // Asked as root, who needs no password; and who could write on a replica (MariaDB).
    const [isOpen] = await this.#commands.sql(
      `SELECT @@GLOBAL.read_only IN ('0', 'OFF');`,
      undefined,
      patience,
    );
    if (isOpen !== '1') throw this.#failed('it is read-only');
    await this.#order(stamp, passwordsSQL(this.#dialect.flavor, current, beside));
  }

  async freeze(stamp: Stamp): Promise<Frozen> {
    const { replication } = (await this.#observe(patience)).look;
    // What is received must be applied later, and an applier that starts alone would lose it (MariaDB). Whoever copies
    // this server may have stopped it since the look.
    const wake = replication?.receiver === 'Stopped' ? '' : this.#dialect.startApplier;
    await this.#stopReceiver(stamp, replication?.source, wake);
    const { look } = await this.#observe(patience);
    if (look.replication !== undefined && look.replication.receiver !== 'Stopped') {
      throw this.#failed('its receiver does not stop');
    }
    return { received: look.replication?.received ?? look.executed, executed: look.executed };
  }

  async thaw(stamp: Stamp): Promise<void> {
    const observation = await this.#observe(patience);
    this.#assertFollows(observation);
    await this.#order(stamp, `${this.#dialect.startReceiver} ${this.#wake(observation)}`);
  }

  async catchUp(target: Gtids, timeout: Millis): Promise<boolean> {
    const wake = this.#wake(await this.#observe(patience));
    if (wake !== '') await this.#commands.sql(wake, undefined, patience);
    return await this.#until(timeout, (observation) => {
      if (this.#gtids.contains(observation.applied, target)) return true;
      this.#assertApplies(observation);
      return false;
    });
  }

  async takeLead(acks: number, stamp: Stamp, givesUp = false): Promise<void> {
    let observation = await this.#observe(patience);
    const { replication } = observation.look;
    if (replication === undefined) return await this.requireAcks(acks, stamp);
    if (replication.receiver !== 'Stopped' && !givesUp) {
      await this.#leaveSource(observation, stamp);
      observation = await this.#observe(patience);
    }
    if (!givesUp && !this.#hasAppliedAll(observation)) {
      throw this.#failed('it has not applied all that it received');
    }
    await this.#order(stamp, `${this.#dialect.detach}\n${this.#dialect.requireAcks(acks)}`);
  }

  async setAside(stamp: Stamp): Promise<void> {
    const [basename = ''] = await this.#commands.sql(
      'SELECT @@GLOBAL.relay_log_basename;',
      undefined,
      patience,
    );
    await this.#commands.setAside(basename, stamp);
  }

  async requireAcks(acks: number, stamp: Stamp): Promise<void> {
    await this.#order(stamp, this.#dialect.requireAcks(acks));
  }

  async open(stamp: Stamp): Promise<void> {
    if ((await this.#observe(patience)).look.replication !== undefined) {
      throw this.#failed('it follows another server');
    }
    await this.#order(stamp, this.#dialect.open(stamp.epoch));
  }

  async wakeEvents(stamp: Stamp): Promise<SleepingEvents | undefined> {
    const asleep = await this.#order(stamp, this.#dialect.sleepingEvents);
    if (asleep.length === 0) return undefined;
    const failure = await this.#commands.tryEach(asleep, stamp, patience);
    if (failure === undefined) return undefined;
    const statements = await this.#order(stamp, this.#dialect.sleepingEvents);
    return statements.length === 0 ? undefined : { statements, why: failure.message };
  }

  async close(stamp: Stamp, timeout: Millis): Promise<Gtids> {
    const lockSeconds = Math.max(1, Math.floor(timeout / 2_000));
    const { sessionsInTheWay, applicationSessions } = this.#dialect;
    await this.#commands.endSessions(await this.#list(sessionsInTheWay), stamp, patience);
    // The client outlives both locks: what it started must not take effect after we gave up.
    await this.#commands.sql(this.#dialect.close(lockSeconds), stamp, lockSeconds * 2_000 + 1_000);
    const ending = this.#list(applicationSessions).then(
      async (sessions) => await this.#commands.endSessions(sessions, stamp, patience),
    );
    const [{ look }] = await Promise.all([this.#observe(patience), ending]);
    if (!look.readOnly) throw this.#failed('it still takes writes');
    return look.executed;
  }

  async follow(source: Source, stamp: Stamp): Promise<void> {
    const observation = await this.#observe(patience);
    const { look } = observation;
    if (!look.readOnly) throw this.#failed('it takes writes');
    const isThere = isFollowing(look.replication, source);
    // To end their wait would acknowledge commits that no replica has.
    if (look.acks.waiting > 0 && !isThere) throw this.#failed('commits on it still wait for replicas');
    const isNew = await this.#commands.trust(source.certificate, stamp);
    if (!isNew && isThere && source.anew !== true) {
      // An order to follow can be cut off before its last word; what waits then is what it applies.
      if (look.acks.armed) await this.requireAcks(0, stamp);
      return;
    }
    if (look.replication !== undefined) await this.#drain(observation, stamp);
    const position = look.replication === undefined && look.executed !== '' ? look.executed : undefined;
    await this.#order(stamp, this.#dialect.follow(source, position));
  }

  async acknowledge(on: boolean, stamp: Stamp): Promise<void> {
    const observation = await this.#observe(patience);
    const replication = this.#assertFollows(observation);
    const flag = this.#dialect.acknowledge(on);
    if (replication.receiver === 'Running' && replication.acknowledges === on) {
      await this.#order(stamp, flag);
      return;
    }
    await this.#stopReceiver(stamp, replication.source, this.#wake(observation));
    await this.#order(stamp, `${flag} ${this.#dialect.startReceiver}`);
    const isDone = await this.#until(settling, ({ look: { replication: now } }) => {
      // A connection is begun with what was set before: one that comes later acknowledges nothing.
      return now?.receiver === 'Running' ? now.acknowledges === on : !on;
    });
    if (!isDone) throw new AppError('database.silent', `the receiver of ${this.#name} does not connect`);
  }

  async restore(variables: readonly ServerVariable[], stamp: Stamp): Promise<void> {
    await this.#order(stamp, mendSQL(this.#dialect.flavor, variables));
  }

  async kill(stamp: Stamp): Promise<void> {
    await this.#commands.kill(stamp);
  }

  async #observe(timeout: Millis): Promise<Observation> {
    return this.#dialect.parseLook(await this.#admin.ask(this.#dialect.look, timeout));
  }

  /** Asks what is purged, unless that was asked before and is not answered. */
  #askPurged(): Promise<void> | undefined {
    const { purged } = this.#dialect;
    if (purged === undefined) return undefined;
    this.#asking ??= this.#refreshPurged(purged).finally(() => {
      this.#asking = undefined;
    });
    return this.#asking;
  }

  async #refreshPurged({ statement, parse }: NonNullable<Dialect['purged']>): Promise<void> {
    try {
      const [rows] = await this.#beside.ask([statement], purgedLimit);
      this.#purged = parse(rows!);
    } catch {
      // The look itself tells what is wrong with the server.
    }
  }

  /** Stops to listen to `source`; nothing to stop = only its stamp is told. */
  async #stopReceiver(stamp: Stamp, source: string | undefined, before = ''): Promise<void> {
    if (source === undefined) await this.#order(stamp, '');
    else await this.#commands.hush(`${before} ${this.#dialect.stopReceiver}`, source, stamp, settling);
  }

  /**
   * Stops to listen, not to come back soon. A receiver that acknowledges would call its source first, to end the session
   * there (MariaDB); whoever makes it listen again says whether it does.
   */
  async #leaveSource(observation: Observation, stamp: Stamp): Promise<void> {
    const before = `${this.#dialect.acknowledge(false)} ${this.#wake(observation)}`;
    await this.#stopReceiver(stamp, observation.look.replication?.source, before);
  }

  async #order(stamp: Stamp, sql: string): Promise<readonly string[]> {
    return await this.#commands.sql(sql, stamp, patience);
  }

  /** The statements in the only column of the answer. */
  async #list(question: string): Promise<readonly string[]> {
    const [rows] = await this.#admin.ask([question], patience);
    return rows!.map((row) => Object.values(row)[0] ?? '');
  }

  /** Lets no more in and waits until all that was received is applied. */
  async #drain(observation: Observation, stamp: Stamp): Promise<void> {
    await this.#leaveSource(observation, stamp);
    const drained = await this.#until(settling, (now) => {
      if (this.#hasAppliedAll(now)) return true;
      this.#assertApplies(now);
      return false;
    });
    if (!drained) throw this.#failed(`it has not applied what it received within ${settling / 1_000} s`);
  }

  /** What starts its applier, if it needs that. Fails where that would lose what was received. */
  #wake(observation: Observation): string {
    const { replication } = observation.look;
    if (replication?.applier !== 'Stopped') return '';
    const loses = replication.receiver === 'Stopped' && !this.#dialect.keepsReceived;
    if (loses && !this.#hasAppliedAll(observation)) {
      throw this.#failed(
        `its applier cannot start again without losing what was received: ${describeApplierError(replication)}`,
      );
    }
    return this.#dialect.startApplier;
  }

  async #until(limit: Millis, isTrue: (observation: Observation) => boolean): Promise<boolean> {
    const deadline = this.#clock.monotonic() + limit;
    for (;;) {
      if (isTrue(await this.#observe(patience))) return true;
      if (this.#clock.monotonic() >= deadline) return false;
      await this.#clock.sleep(pollPause);
    }
  }

  #hasAppliedAll({ look, applied }: Observation): boolean {
    return this.#gtids.contains(applied, look.replication?.received ?? '');
  }

  #assertApplies({ look: { replication } }: Observation): void {
    if (replication?.applier === 'Stopped')
      throw this.#failed(`its applier stopped: ${describeApplierError(replication)}`);
  }

  #assertFollows({ look: { replication } }: Observation): Replication {
    if (replication === undefined) throw this.#failed('it follows nobody');
    return replication;
  }

  #failed(what: string): AppError {
    return new AppError('database.failed', `${this.#name}: ${what}`);
  }
}
