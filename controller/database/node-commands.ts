/** The script on the host, called: changes under a stamp, and what only the host knows. */
import type { Millis } from '../base/clock.ts';
import { AppError } from '../base/errors.ts';
import type { Host, Remote } from '../shell/port.ts';
import { nodeExit, nodeScriptPath, ownCertificate, stampWord } from './node-script.ts';
import type { Inspection, Stamp } from './port.ts';
import { failureIn } from './sql-errors.ts';

/** How long the script may wait for its lock, and SSH for the script. */
const allowance: Millis = 4_000;
/** KILL of a session that has ended by itself. */
const noSuchSession = 1094;

interface ClientRun {
  readonly stamp: Stamp | undefined;
  /** For the client itself. */
  readonly limit: Millis;
  /** Numbers of errors that do no harm. */
  readonly tolerated: readonly number[];
}

/**
 * Rejects with `database.stale-epoch` when the host has seen a later stamp; otherwise errors of Shell and
 * `database.*`.
 */
export class NodeCommands {
  readonly #remote: Remote;
  readonly #host: Host;
  readonly #name: string;

  /** `name` is the server's, for messages. */
  constructor(remote: Remote, host: Host, name: string) {
    this.#remote = remote;
    this.#host = host;
    this.#name = name;
  }

  /** Runs SQL as root until its first error; the lines it prints. Without a stamp: whatever the host has seen. */
  async sql(sql: string, stamp: Stamp | undefined, limit: Millis): Promise<readonly string[]> {
    return await this.#client(['sql'], sql, { stamp, limit, tolerated: [] });
  }

  /** As `sql`, for what makes the server stop to listen to another, which may be silent. */
  async hush(sql: string, source: string, stamp: Stamp, limit: Millis): Promise<void> {
    await this.#client(['hush', source], sql, { stamp, limit, tolerated: [] });
  }

  /** Ends sessions; those that have gone do not matter. */
  async endSessions(kills: readonly string[], stamp: Stamp, limit: Millis): Promise<void> {
    if (kills.length > 0)
      await this.#client(['try'], kills.join('\n'), { stamp, limit, tolerated: [noSuchSession] });
  }

  /** Accepts this certificate, and no other, from the server it follows; whether it was another before. */
  async trust(certificate: string, stamp: Stamp): Promise<boolean> {
    return (await this.#call([stampWord(stamp), 'trust'], allowance, certificate)) !== '';
  }

  async kill(stamp: Stamp): Promise<void> {
    await this.#call([stampWord(stamp), 'kill'], allowance);
  }

  async inspect(timeout: Millis): Promise<Inspection> {
    const said = await this.#call(['-', 'inspect'], timeout);
    const match = /^([01]) (\d+) ([01])$/.exec(said.trim());
    if (match === null) throw this.#hostFailed(`answered '${said.slice(0, 200)}'`);
    const [, running, used, readOnly] = match;
    return { running: running === '1', diskUsed: Number(used) / 100, diskReadOnly: readOnly === '1' };
  }

  async certificate(): Promise<string> {
    const answer = await this.#remote.runAsRoot(this.#host, ['cat', ownCertificate], { timeout: allowance });
    if (answer.exitCode !== 0) throw this.#hostFailed(answer.stderr.trim());
    return answer.stdout;
  }

  async #client(
    [verb, ...rest]: readonly [verb: 'sql' | 'try' | 'hush', ...rest: readonly string[]],
    sql: string,
    { stamp, limit, tolerated }: ClientRun,
  ): Promise<readonly string[]> {
    const words = [stamp === undefined ? '-' : stampWord(stamp), verb, String(limit / 1_000), ...rest];
    // Our literals count on backslash escapes, whatever the server's default is.
    const stdin = `SET SESSION sql_mode = '';\n${sql}\n`;
    const stdout = await this.#call(words, limit + allowance, stdin, tolerated);
    return stdout.split('\n').filter((line) => line !== '');
  }

  async #call(
    words: readonly string[],
    timeout: Millis,
    stdin = '',
    tolerated: readonly number[] = [],
  ): Promise<string> {
    const answer = await this.#remote.runAsRoot(this.#host, [nodeScriptPath, ...words], { stdin, timeout });
    const said = answer.stderr.trim().split('\n').at(-1) ?? '';
    switch (answer.exitCode) {
      case nodeExit.staleEpoch:
        throw new AppError('database.stale-epoch', `${this.#name}: ${said}`);
      case nodeExit.timedOut:
        throw new AppError('database.silent', `the database on ${this.#name} did not answer in time`);
      case nodeExit.lockBusy:
        throw new AppError('database.silent', `${this.#name}: ${said}`);
      default: {
        const failure = failureIn(this.#name, answer.stderr, tolerated);
        if (failure !== undefined) throw failure;
        if (answer.exitCode !== 0) throw this.#hostFailed(said || `exit code ${answer.exitCode}`);
        return answer.stdout;
      }
    }
  }

  #hostFailed(said: string): AppError {
    return new AppError('shell.host-failed', `${this.#name}: ${said}`);
  }
}
