/** The script on the host, called: changes under a stamp, and what only the host knows. */
import type { Millis } from '../base/clock.ts';
import { AppError } from '../base/errors.ts';
import type { Host, Remote } from '../shell/port.ts';
import { printCertificates } from './host-certificates.ts';
import { nodeExit, nodeScriptPath, stampWord } from './node-script.ts';
import type { Inspection, Stamp } from './port.ts';
import { setAsideFolder } from './set-aside.ts';
import { failureIn } from './sql-errors.ts';

/** How long the script may wait for its lock, and SSH for the script. */
const allowance: Millis = 4_000;
/** Relay logs may be large, and on another disk than what is copied to. */
const copyLimit: Millis = 80_000;

type RemoteAnswer = Awaited<ReturnType<Remote['runAsRoot']>>;

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
  readonly #prelude: string;

  /** `name` is the server's, for messages; `prelude` is what a session of root says first. */
  constructor(remote: Remote, host: Host, name: string, prelude: string) {
    this.#remote = remote;
    this.#host = host;
    this.#name = name;
    this.#prelude = prelude;
  }

  /** Runs SQL as root until its first error; the lines it prints. Without a stamp: whatever the host has seen. */
  async sql(sql: string, stamp: Stamp | undefined, limit: Millis): Promise<readonly string[]> {
    return await this.#client(['sql'], sql, { stamp, limit, tolerated: [] });
  }

  /** Asks as root what may take long; it holds nobody up who changes the server. */
  async read(sql: string, limit: Millis): Promise<readonly string[]> {
    return await this.#client(['read'], sql, { stamp: undefined, limit, tolerated: [] });
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

  /** Runs each of these whatever becomes of the others; what was said against the first that failed. */
  async tryEach(statements: readonly string[], stamp: Stamp, limit: Millis): Promise<AppError | undefined> {
    const words = [stampWord(stamp), 'try', String(limit / 1_000)];
    const stdin = `${this.#prelude}\n${statements.join('\n')}\n`;
    const { exitCode, stderr } = await this.#run(words, limit + allowance, stdin);
    const failure = failureIn(this.#name, stderr);
    if (failure === undefined && exitCode !== 0) throw this.#hostFailed(lastLine(stderr));
    return failure;
  }

  /** Accepts these certificates, and no others, from the server it follows; whether that is new. */
  async trust(certificates: string, stamp: Stamp): Promise<boolean> {
    return (await this.#call([stampWord(stamp), 'trust'], allowance, certificates)) !== '';
  }

  /** Changes what belongs to TLS: the verbs of `host-certificates.ts`, and `trust-also`, which reads `stdin`. */
  async certify(
    words: readonly [verb: 'certify' | 'present' | 'discard' | 'trust-also', ...rest: readonly string[]],
    stamp: Stamp,
    stdin = '',
  ): Promise<void> {
    await this.#call([stampWord(stamp), ...words], allowance, stdin);
  }

  /** What `parseCertificates` reads. */
  async describeCertificates(timeout: Millis): Promise<string> {
    return await this.#call(['-', 'certificates'], timeout);
  }

  /** Copies the server's relay logs to a folder that nobody purges; may be repeated. */
  async setAside(basename: string, { epoch, serial }: Stamp): Promise<void> {
    const words = [stampWord({ epoch, serial }), 'set-aside', basename, setAsideFolder(epoch)];
    await this.#call(words, copyLimit + allowance);
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
    const words = ['sh', '-c', printCertificates];
    const { stdout, stderr } = await this.#remote.runAsRoot(this.#host, words, { timeout: allowance });
    if (stdout === '') throw this.#hostFailed(stderr.trim());
    return stdout;
  }

  async #client(
    [verb, ...rest]: readonly [verb: 'sql' | 'read' | 'try' | 'hush', ...rest: readonly string[]],
    sql: string,
    { stamp, limit, tolerated }: ClientRun,
  ): Promise<readonly string[]> {
    const words = [stamp === undefined ? '-' : stampWord(stamp), verb, String(limit / 1_000), ...rest];
    const stdout = await this.#call(words, limit + allowance, `${this.#prelude}\n${sql}\n`, tolerated);
    return stdout.split('\n').filter((line) => line !== '');
  }

  async #call(
    words: readonly string[],
    timeout: Millis,
    stdin = '',
    tolerated: readonly number[] = [],
  ): Promise<string> {
    const { exitCode, stderr, stdout } = await this.#run(words, timeout, stdin);
    const failure = failureIn(this.#name, stderr, tolerated);
    if (failure !== undefined) throw failure;
    if (exitCode !== 0) throw this.#hostFailed(lastLine(stderr) || `exit code ${exitCode}`);
    return stdout;
  }

  /** The script's own failures are thrown; what the client came to is not judged. */
  async #run(words: readonly string[], timeout: Millis, stdin: string): Promise<RemoteAnswer> {
    const answer = await this.#remote.runAsRoot(this.#host, [nodeScriptPath, ...words], { stdin, timeout });
    switch (answer.exitCode) {
      case nodeExit.staleEpoch:
        throw new AppError('database.stale-epoch', `${this.#name}: ${lastLine(answer.stderr)}`);
      case nodeExit.timedOut:
        throw new AppError('database.silent', `the database on ${this.#name} did not answer in time`);
      case nodeExit.lockBusy:
        throw new AppError('database.silent', `${this.#name}: ${lastLine(answer.stderr)}`);
      default:
        return answer;
    }
  }

  #hostFailed(said: string): AppError {
    return new AppError('shell.host-failed', `${this.#name}: ${said}`);
  }
}

function lastLine(text: string): string {
  return text.trim().split('\n').at(-1) ?? '';
}
