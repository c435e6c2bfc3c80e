/** Hosts of the lab that our own jobs made database servers, and what tests do to them behind the controller's back. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { EC2Client } from '@aws-sdk/client-ec2';
import { type Connection, createConnection, type RowDataPacket } from 'mysql2/promise';
import { type Millis, systemClock } from '../../../controller/base/clock.ts';
import { SshDatabases } from '../../../controller/database/databases.ts';
import type { Database, Flavor, Passwords, Source, Witness } from '../../../controller/database/port.ts';
import { type Preparation, preparationJob } from '../../../controller/database/preparation.ts';
import { pinsOf } from '../../../controller/shell/host-key.ts';
import { SshShell } from '../../../controller/shell/jobs.ts';
import type { Host, Job, JobState } from '../../../controller/shell/port.ts';
import { generateKeyPair } from '../../fakes/key-pair.ts';
import { LabUnderTest, type Host as Machine, until } from '../../lab/hosts/lab.ts';
import type { DatabaseFixture, TestServer, WriteOutcome } from './story.ts';

export interface Engine {
  readonly flavor: Flavor;
  /** E.g. `9.7`. */
  readonly series: string;
  readonly imageID: string;
}

export const passwords = { admin: String.raw`ad'min\1`, replication: String.raw`repl"i'cation\2` } as const;
export const clusterUID = '7d5c0c0e-2a62-4f8e-9d53-0e3e7a4a1b11';
const applicationPassword = 'application';

const key = generateKeyPair('databases');
const userData = `#!/bin/bash\necho '${key.publicKey}' >> /home/admin/.ssh/authorized_keys\n`;

const names = {
  MySQL: {
    write: 'SET GLOBAL super_read_only = OFF;',
    writeNoMore: 'SET GLOBAL super_read_only = ON;',
    client: 'mysql',
    unit: 'mysql',
    holdApplier: 'STOP REPLICA SQL_THREAD',
  },
  MariaDB: {
    write: '',
    writeNoMore: '',
    client: 'mariadb',
    unit: 'mariadb',
    holdApplier: 'STOP SLAVE SQL_THREAD',
  },
} as const;

/** The application's table and account, alike on every server and in nobody's history. */
const application = `SET SESSION sql_log_bin = 0;
CREATE DATABASE app;
CREATE TABLE app.written (id INT PRIMARY KEY AUTO_INCREMENT, word VARCHAR(100) NOT NULL UNIQUE) ENGINE = InnoDB;
CREATE USER app@'%' IDENTIFIED BY '${applicationPassword}';
GRANT SELECT, INSERT ON app.* TO app@'%';`;

export class DatabaseHosts {
  readonly engine: Engine;
  readonly shell = new SshShell();
  readonly databases = new SshDatabases(this.shell, systemClock);
  readonly #lab: LabUnderTest;
  readonly #strangers: SshDatabases[] = [];

  private constructor(lab: LabUnderTest, engine: Engine) {
    this.#lab = lab;
    this.engine = engine;
  }

  static async start(engine: Engine): Promise<DatabaseHosts> {
    return new DatabaseHosts(await LabUnderTest.start(), engine);
  }

  /** The lab's, as any client sees it. */
  get ec2(): EC2Client {
    return this.#lab.ec2;
  }

  /** A machine that has booted, without a database in service. */
  async boot(): Promise<DatabaseHost> {
    const machine = await this.#lab.boot(userData, { ImageId: this.engine.imageID });
    const hostKeys = pinsOf(await this.#lab.ssh(machine, 'cat /etc/ssh/ssh_host_*_key.pub'));
    const host: Host = { address: machine.ip, port: 22, user: 'admin', privateKey: key.privateKey, hostKeys };
    return new DatabaseHost(this, this.#lab, machine, host);
  }

  /** A server that runs with its cluster's accounts and no history. */
  async prepared(): Promise<DatabaseHost> {
    const host = await this.boot();
    await host.prepare(true);
    const { write, writeNoMore } = names[this.engine.flavor];
    await host.sql(`${write}\n${application}\n${writeNoMore}`);
    return host;
  }

  async fixture(): Promise<DatabaseFixture> {
    const [one, two, three] = await this.#three();
    return {
      flavor: this.engine.flavor,
      servers: [one, two, three],
      during: (work) => work,
      pass: (time) => sleep(time),
      close: () => this.end(),
    };
  }

  async #three(): Promise<readonly [DatabaseHost, DatabaseHost, DatabaseHost]> {
    try {
      return await Promise.all([this.prepared(), this.prepared(), this.prepared()]);
    } catch (error) {
      await this.end();
      throw error;
    }
  }

  /** With sessions of their own. */
  strangers(): SshDatabases {
    const databases = new SshDatabases(this.shell, systemClock);
    this.#strangers.push(databases);
    return databases;
  }

  /** Ends every session of ours; the next question opens one again. */
  closeSessions(): void {
    for (const databases of [this.databases, ...this.#strangers]) databases.close();
  }

  async end(): Promise<void> {
    this.closeSessions();
    this.shell.close();
    await this.#lab.end();
  }
}

export class DatabaseHost implements TestServer {
  readonly name: string;
  readonly address: string;
  readonly host: Host;
  readonly database: Database;
  readonly witness: Witness;
  readonly #all: DatabaseHosts;
  readonly #lab: LabUnderTest;
  readonly #machine: Machine;
  #jobs = 0;

  constructor(all: DatabaseHosts, lab: LabUnderTest, machine: Machine, host: Host) {
    this.#all = all;
    this.#lab = lab;
    this.#machine = machine;
    this.host = host;
    this.name = machine.id;
    this.address = machine.ip;
    const { flavor } = all.engine;
    this.database = all.databases.of({ name: machine.id, host, flavor, password: passwords.admin });
    this.witness = all.databases.witness(host);
  }

  readonly passwords = passwords;

  as({ admin: password }: Passwords): Database {
    const { flavor } = this.#all.engine;
    return this.#all.strangers().of({ name: this.name, host: this.host, flavor, password });
  }

  async source(acknowledges: boolean): Promise<Source> {
    const certificate = await this.database.certificate();
    return { address: this.address, password: passwords.replication, certificate, acknowledges };
  }

  /** What the product would prepare it with. */
  preparation(changes: Partial<Preparation> = {}): Preparation {
    const { flavor, series } = this.#all.engine;
    return {
      flavor,
      series,
      instanceID: this.name,
      privateAddress: this.address,
      durability: 'Balanced',
      settings: [],
      clusterUID,
      passwords,
      rewrite: true,
      adopt: 'no',
      initialise: false,
      ...changes,
    };
  }

  /** Runs the product's own preparation; with its log as the error when it fails. */
  async prepare(initialise: boolean): Promise<string> {
    return await this.runJob((id) => preparationJob(id, this.preparation({ initialise })));
  }

  /** Runs a job that has to succeed; its log. */
  async runJob(make: (id: string) => Job): Promise<string> {
    const { state, log } = await this.tryJob(make);
    if (state.state !== 'exited' || state.exitCode !== 0) throw new Error(`${JSON.stringify(state)}\n${log}`);
    return log;
  }

  /** Runs a job to its end, whatever that is. */
  async tryJob(make: (id: string) => Job): Promise<{ readonly state: JobState; readonly log: string }> {
    const job = make(`job-${this.name}-${(this.#jobs += 1)}`);
    const { shell } = this.#all;
    await shell.startJob(this.host, job);
    const state = await until(
      job.id,
      async () => {
        const now = await shell.pollJob(this.host, job.id);
        return now.state === 'running' ? undefined : now;
      },
      60_000,
    );
    const log = Buffer.from(await shell.readLog(this.host, job.id, 0, 100_000)).toString('utf8');
    return { state, log };
  }

  async commit(word: string, limit: Millis): Promise<WriteOutcome> {
    const deadline = performance.now() + limit;
    let connection: Connection;
    try {
      connection = await this.connect(limit);
    } catch {
      return 'refused';
    }
    const late = sleep(Math.max(0, deadline - performance.now()), 'unknown' as const);
    try {
      return await Promise.race([this.#insert(connection, word), late]);
    } finally {
      connection.destroy();
    }
  }

  async keys(): Promise<readonly string[]> {
    const connection = await this.connect(2_000);
    try {
      const [rows] = await connection.query<RowDataPacket[]>('SELECT word FROM app.written ORDER BY id');
      return rows.map((row) => String(row['word']));
    } finally {
      connection.destroy();
    }
  }

  async set(variable: string, value: string): Promise<void> {
    await this.sql(`SET GLOBAL ${variable} = ${value};`);
  }

  async holdApplier(): Promise<void> {
    await this.asRoot(
      'systemd-run --quiet --collect $client -e "FLUSH TABLES WITH READ LOCK; DO SLEEP(600)"; ' +
        'until $client -e "SHOW PROCESSLIST" | grep -q SLEEP; do sleep 0.05; done',
    );
  }

  async letApplierGo(): Promise<void> {
    await this.asRoot('$client -BNe "SHOW PROCESSLIST" | awk \'/SLEEP/ {print "KILL " $1 ";"}\' | $client');
  }

  async crash(): Promise<void> {
    await this.asRoot(
      'systemctl kill --signal=KILL --kill-who=main $unit; while pidof $server; do sleep 0.05; done',
    );
  }

  async restart(): Promise<void> {
    await this.asRoot('systemctl start $unit || true');
  }

  async suspend(): Promise<void> {
    await this.asRoot('kill -STOP $(pidof $server)');
  }

  async resume(): Promise<void> {
    await this.asRoot('kill -CONT $(pidof $server)');
  }

  /** Rows of one statement or the errors of several, as the server's root. */
  async sql(statements: string): Promise<string> {
    const encoded = Buffer.from(statements).toString('base64');
    return await this.asRoot(`echo ${encoded} | base64 -d | $client --batch --skip-column-names`);
  }

  /** A shell command as root; it knows the words $unit, $server and $client. */
  async asRoot(command: string): Promise<string> {
    const { client, unit } = names[this.#all.engine.flavor];
    return await this.#lab.asRoot(
      this.#machine,
      `client=${client} unit=${unit} server=${client}d; ${command}`,
    );
  }

  /** A session of an application. */
  async connect(timeout: Millis): Promise<Connection> {
    const connection = await createConnection({
      host: this.address,
      user: 'app',
      password: applicationPassword,
      connectTimeout: timeout,
    });
    // A server that dies says so here too.
    connection.on('error', () => undefined);
    return connection;
  }

  async #insert(connection: Connection, word: string): Promise<WriteOutcome> {
    try {
      await connection.query('INSERT INTO app.written (word) VALUES (?)', [word]);
      return 'acknowledged';
    } catch (error) {
      const { errno = 0, fatal = true } = error as { readonly errno?: number; readonly fatal?: boolean };
      // Read-only: --super-read-only and --read-only.
      return errno === 1290 || errno === 1836 || !fatal ? 'refused' : 'unknown';
    }
  }
}
