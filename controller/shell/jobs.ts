/** Shell over SSH and the on-host runner. */
import type { Duplex } from 'node:stream';
import { packArchive } from '../base/archive.ts';
import type { Millis } from '../base/clock.ts';
import { AppError } from '../base/errors.ts';
import { SshPool } from './pool.ts';
import type { Host, Job, JobState, Remote, Shell } from './port.ts';
import { commandLine } from './quoting.ts';
import { runner, runnerDigest, runnerPath } from './runner.ts';
import type { Answer } from './ssh.ts';

/** The runner's verbs answer at once; a start writes to disk first, a forget may wait for a script to stop. */
const verbTimeout: Millis = 60_000;
/** What bash answers when the file is not there. */
const notFound = 127;

/** Reads the runner from stdin; installs it only when it arrived whole. */
const install = `set -e
umask 022
mkdir -p "$(dirname "$1")"
cat > "$1.$$"
echo "$2  $1.$$" | sha256sum -c --quiet
sync "$1.$$"
mv "$1.$$" "$1"`;

/** Installs the runner on first use. Rejects with AppErrors of the `shell.*` codes. */
export class SshShell implements Shell, Remote {
  readonly #pool = new SshPool();

  async check(host: Host): Promise<void> {
    await this.#pool.check(host);
  }

  async startJob(host: Host, job: Job): Promise<void> {
    await this.#verb(host, ['start', job.id], archiveOf(job));
  }

  async pollJob(host: Host, id: string): Promise<JobState> {
    const answer = await this.#verb(host, ['poll', id]);
    return parseState(Buffer.from(answer).toString('utf8').trim());
  }

  async readLog(host: Host, id: string, offset: number, limit: number): Promise<Uint8Array> {
    return await this.#verb(host, ['log', id, String(offset), String(limit)]);
  }

  async cancelJob(host: Host, id: string): Promise<void> {
    await this.#verb(host, ['cancel', id]);
  }

  async forgetJob(host: Host, id: string): Promise<void> {
    await this.#verb(host, ['forget', id]);
  }

  async run(
    host: Host,
    command: string,
    timeout: Millis,
  ): Promise<{ readonly exitCode: number; readonly stdout: string }> {
    const { exitCode, stdout } = await this.#pool.run(host, { line: command, timeout });
    return { exitCode, stdout: Buffer.from(stdout).toString('utf8') };
  }

  async runAsRoot(
    host: Host,
    words: readonly string[],
    options: { readonly stdin?: Uint8Array | string; readonly timeout: Millis },
  ): Promise<{ readonly exitCode: number; readonly stdout: string; readonly stderr: string }> {
    const answer = await this.#pool.run(host, { line: asRoot(host, words), ...options });
    return { ...answer, stdout: Buffer.from(answer.stdout).toString('utf8') };
  }

  async openAsRoot(host: Host, words: readonly string[]): Promise<Duplex> {
    return await this.#pool.open(host, asRoot(host, words));
  }

  async connect(host: Host, port: number): Promise<Duplex> {
    return await this.#pool.connect(host, port);
  }

  disconnect(address: string): void {
    this.#pool.disconnect(address);
  }

  /** Closes all connections; jobs go on. */
  close(): void {
    this.#pool.close();
  }

  /** Calls the runner, installing it when the host has none of this version; answers its stdout. */
  async #verb(
    host: Host,
    words: readonly [verb: string, id: string, ...rest: readonly string[]],
    stdin: Uint8Array = new Uint8Array(),
  ): Promise<Uint8Array> {
    // Ids become file and unit names.
    if (!/^[a-z0-9-]{1,100}$/.test(words[1]))
      throw new AppError('invariant', `'${words[1]}' is not a job id`);
    let answer = await this.#asRoot(host, ['/bin/bash', runnerPath, ...words], stdin);
    if (answer.exitCode === notFound) {
      const installing = ['/bin/sh', '-c', install, 'install', runnerPath, runnerDigest];
      assertDone(host, 'install the job runner', await this.#asRoot(host, installing, Buffer.from(runner)));
      answer = await this.#asRoot(host, ['/bin/bash', runnerPath, ...words], stdin);
    }
    assertDone(host, `${words[0]} job ${words[1]}`, answer);
    return answer.stdout;
  }

  async #asRoot(host: Host, words: readonly string[], stdin: Uint8Array): Promise<Answer> {
    return await this.#pool.run(host, { line: asRoot(host, words), stdin, timeout: verbTimeout });
  }
}

function asRoot(host: Host, words: readonly string[]): string {
  return host.user === 'root' ? commandLine(...words) : commandLine('sudo', '-n', ...words);
}

function assertDone(host: Host, what: string, answer: Answer): void {
  if (answer.exitCode === 0) return;
  const said = answer.stderr.trim().split('\n').slice(-3).join('; ') || `exit code ${answer.exitCode}`;
  throw new AppError('shell.host-failed', `${host.address} could not ${what}: ${said}`, {
    fields: { address: host.address, exitCode: answer.exitCode },
  });
}

/** The job as the runner unpacks it. `complete` comes last: without it the host refuses the job. */
function archiveOf(job: Job): Uint8Array {
  const variables = Object.entries({ ...job.environment, ATTACH_DIR: `/run/ridgeline/${job.id}/work/files` });
  return packArchive([
    { path: 'interpreter', content: job.interpreter },
    { path: 'run-as', content: job.runAs },
    { path: 'timeout', content: String(job.timeoutSeconds) },
    { path: 'packages', content: job.packages.map((name) => `${name}\n`).join('') },
    { path: 'environment', content: variables.map(([name, value]) => quoteVariable(name, value)).join('') },
    { path: 'work/script', content: job.script },
    ...job.attachments.map(({ name, content }) => ({
      path: `work/files/${fileName(name)}`,
      content: Buffer.from(content, 'base64'),
    })),
    { path: 'complete', content: '' },
  ]);
}

/** One NUL-terminated entry of the environment file. */
function quoteVariable(name: string, value: string): string {
  if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name)) {
    throw new AppError('invariant', `'${name}' is not a name for an environment variable`);
  }
  // The value stays out of the message.
  if (value.includes('\0')) throw new AppError('invariant', `the value of ${name} contains NUL`);
  return `${name}=${value}\0`;
}

function fileName(name: string): string {
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]*$/.test(name)) {
    throw new AppError('invariant', `'${name}' is not a name for an attachment`);
  }
  return name;
}

/** Reads the runner's words: a state, three numbers after `exited`, and the size of the log. */
function parseState(text: string): JobState {
  if (text === 'unknown') return { state: 'unknown' };
  const match = /^(running|interrupted|exited (\d+) ([01]) ([01])) (\d+)$/.exec(text);
  if (match === null)
    throw new AppError('shell.host-failed', `the job runner answered '${text.slice(0, 200)}'`);
  const [, state = '', exitCode, timedOut, canceled, size] = match;
  const logBytes = Number(size);
  if (state === 'running' || state === 'interrupted') return { state, logBytes };
  return {
    state: 'exited',
    exitCode: Number(exitCode),
    timedOut: timedOut === '1',
    canceled: canceled === '1',
    logBytes,
  };
}
