/** Commands over SSH: one connection per host, at most eight channels on it, host keys pinned. Knows nothing of jobs. */
import type { Duplex } from 'node:stream';
import ssh2 from 'ssh2';
import type { Millis } from '../base/clock.ts';
import { AppError, messageOf } from '../base/errors.ts';
import { algorithmsFor, pinOf } from './host-key.ts';
import type { Host } from './port.ts';

/** sshd allows 10 sessions per connection (MaxSessions). */
const channels = 8;
const readyTimeout: Millis = 10_000;
/** A silent host is noticed after four of these. */
const keepaliveInterval: Millis = 1_000;
const keepaliveCountMax = 3;
/** Connections nobody used for this long are closed. */
const idleLimit: Millis = 120_000;
/** A command that answers more is stopped: nothing we run has reason to. */
const outputLimit = 16 * 1024 * 1024;

/** Nothing older than what Debian 11 offers; AES-GCM first because it runs in native code. */
const algorithms = {
  kex: [
    'curve25519-sha256',
    'curve25519-sha256@libssh.org',
    'ecdh-sha2-nistp256',
    'ecdh-sha2-nistp384',
    'ecdh-sha2-nistp521',
  ],
  cipher: ['aes256-gcm@openssh.com', 'aes128-gcm@openssh.com', 'chacha20-poly1305@openssh.com', 'aes256-ctr'],
  hmac: ['hmac-sha2-256-etm@openssh.com', 'hmac-sha2-512-etm@openssh.com'],
  compress: ['none'],
} as const satisfies ssh2.Algorithms;

export interface Command {
  /** For the login user's shell; built by `commandLine`. */
  readonly line: string;
  readonly stdin?: Uint8Array | string;
  readonly timeout: Millis;
}

export interface Answer {
  readonly exitCode: number;
  readonly stdout: Uint8Array;
  readonly stderr: string;
}

/** Once it has failed it stays failed: every further call rejects with the same error. */
export class SshConnection {
  readonly host: Host;
  readonly #client = new ssh2.Client();
  readonly #ready: Promise<void>;
  /** Calls that wait for a free channel, and how many are open. */
  readonly #queue: (() => void)[] = [];
  #open = 0;
  /** Connections to ports of the host. They take no channel of a command: sshd's limit does not count them. */
  #forwards = 0;
  #idle: NodeJS.Timeout | undefined;
  #failure: AppError | undefined;
  readonly #onFailure = new Set<(error: AppError) => void>();

  /** Starts to connect; `onClose` is called once when the connection is of no more use. */
  constructor(host: Host, onClose: () => void) {
    this.host = host;
    this.#ready = new Promise((resolve, reject: (error: unknown) => void) => {
      this.#onFailure.add(reject);
      this.#client.once('ready', () => {
        this.#onFailure.delete(reject);
        this.#restWhenIdle();
        resolve();
      });
    });
    // Whoever awaits it sees the failure; nobody may be waiting.
    this.#ready.catch(() => undefined);
    this.#listen(onClose);
    this.#connect();
  }

  /** Resolves when the host proved its identity and accepted ours. */
  async ready(): Promise<void> {
    await this.#ready;
  }

  /** Runs one command. Fails with `shell.interrupted` when it was started and its end is not known. */
  async run(command: Command): Promise<Answer> {
    await this.#ready;
    await this.#takeChannel();
    try {
      return await this.#execute(command);
    } finally {
      this.#freeChannel();
    }
  }

  /** Starts a command and hands out its channel; the place among the channels is held until it closes. */
  async open(line: string): Promise<Duplex> {
    await this.#ready;
    await this.#takeChannel();
    try {
      const channel = await this.#start(line);
      channel.once('close', () => {
        this.#freeChannel();
      });
      return channel;
    } catch (error) {
      this.#freeChannel();
      throw error;
    }
  }

  /** Connects to a port on the host's loopback. Fails with `shell.refused` when nothing listens there. */
  async connect(port: number): Promise<Duplex> {
    await this.#ready;
    clearTimeout(this.#idle);
    this.#forwards += 1;
    const end = () => {
      this.#forwards -= 1;
      this.#restWhenIdle();
    };
    try {
      const channel = await this.#forward(port);
      channel.once('close', end);
      return channel;
    } catch (error) {
      end();
      throw error;
    }
  }

  close(): void {
    this.#fail(new AppError('shell.unreachable', `the connection to ${this.host.address} was closed`));
  }

  #connect(): void {
    const { address, port, user, privateKey, hostKeys } = this.host;
    try {
      this.#client.connect({
        host: address,
        port,
        username: user,
        privateKey,
        readyTimeout,
        keepaliveInterval,
        keepaliveCountMax,
        authHandler: ['publickey'],
        algorithms: { ...algorithms, serverHostKey: [...algorithmsFor(hostKeys)] },
        hostVerifier: (key: Buffer) => this.#isPinned(key),
      });
    } catch (error) {
      // ssh2 throws only for a configuration it cannot use: here, a private key it cannot read.
      queueMicrotask(() => {
        this.#fail(new AppError('shell.auth-failed', `our private key is unusable: ${messageOf(error)}`));
      });
    }
  }

  #listen(onClose: () => void): void {
    this.#onFailure.add(onClose);
    // Nagle's algorithm against delayed acknowledgements costs 40 ms for each command.
    this.#client.on('connect', () => this.#client.setNoDelay(true));
    this.#client.on('error', (error) => {
      this.#fail(this.#translate(error));
    });
    this.#client.on('close', () => {
      this.#fail(new AppError('shell.unreachable', `${this.host.address} closed the connection`));
    });
  }

  #isPinned(key: Buffer): boolean {
    const pin = pinOf(key);
    if (pin !== undefined && this.host.hostKeys.includes(pin)) return true;
    this.#fail(mismatchError(this.host, `offered ${pin ?? 'a key of an unknown type'}`));
    return false;
  }

  #translate(error: Error & { readonly level?: string }): AppError {
    const { address, user } = this.host;
    if (error.message.includes('no matching host key format')) {
      return mismatchError(this.host, 'offers no key of a pinned type');
    }
    if (error.level === 'client-authentication') {
      return new AppError('shell.auth-failed', `${address} refuses our key for ${user}`, { cause: error });
    }
    return new AppError('shell.unreachable', `${address} does not answer: ${error.message}`, {
      cause: error,
    });
  }

  /** The first failure counts; it ends everything that waits on this connection. */
  #fail(error: AppError): void {
    if (this.#failure !== undefined) return;
    this.#failure = error;
    clearTimeout(this.#idle);
    for (const tell of this.#onFailure) tell(error);
    this.#onFailure.clear();
    for (const go of this.#queue.splice(0)) go();
    this.#client.destroy();
  }

  #start(line: string): Promise<ssh2.ClientChannel> {
    return new Promise((resolve, reject: (error: unknown) => void) => {
      if (this.#failure !== undefined) {
        reject(this.#failure);
        return;
      }
      this.#client.exec(line, (error, channel) => {
        if (error === undefined) resolve(channel);
        else {
          const { address } = this.host;
          reject(new AppError('shell.unreachable', `${address} opens no channel: ${error.message}`));
        }
      });
    });
  }

  #forward(port: number): Promise<ssh2.ClientChannel> {
    return new Promise((resolve, reject: (error: unknown) => void) => {
      if (this.#failure !== undefined) {
        reject(this.#failure);
        return;
      }
      this.#client.forwardOut('127.0.0.1', 0, '127.0.0.1', port, (error, channel) => {
        if (error !== undefined) {
          reject(refusedError(this.host, port, error));
          return;
        }
        // Otherwise a connection whose server is gone would stay half open, and never close.
        channel.once('end', () => channel.end());
        resolve(channel);
      });
    });
  }

  #execute(command: Command): Promise<Answer> {
    const { address } = this.host;
    return new Promise((resolve, reject: (error: unknown) => void) => {
      if (this.#failure !== undefined) {
        reject(this.#failure);
        return;
      }
      const settle = this.#guard(command, reject);
      this.#client.exec(command.line, (error, channel) => {
        if (error !== undefined) {
          settle(() => {
            reject(new AppError('shell.unreachable', `${address} opens no channel: ${error.message}`));
          });
          return;
        }
        collectOutput(channel, (outcome) => {
          settle(() => {
            if (outcome instanceof AppError) reject(outcome);
            else resolve(outcome);
          });
        });
        // The host may close the channel before it read everything.
        channel.on('error', () => undefined);
        channel.end(command.stdin ?? '');
      });
    });
  }

  /** Ends a call when its time is over or the connection dies; the returned function ends it first, once. */
  #guard(command: Command, reject: (error: AppError) => void): (end: () => void) => void {
    const { address } = this.host;
    let settled = false;
    const settle = (end: () => void) => {
      if (settled) return;
      settled = true;
      clearTimeout(timer);
      this.#onFailure.delete(onFailure);
      end();
    };
    const interrupted = (why: string, cause?: AppError) => {
      settle(() => {
        reject(
          new AppError('shell.interrupted', `a command on ${address} was interrupted: ${why}`, { cause }),
        );
      });
    };
    const onFailure = (error: AppError) => {
      interrupted(error.message, error);
    };
    const timer = setTimeout(() => {
      interrupted(`no answer within ${command.timeout / 1_000} s`);
    }, command.timeout);
    this.#onFailure.add(onFailure);
    return settle;
  }

  async #takeChannel(): Promise<void> {
    clearTimeout(this.#idle);
    if (this.#open < channels) {
      this.#open += 1;
      return;
    }
    // The channel is handed over, so the count stays.
    await new Promise<void>((resolve) => {
      this.#queue.push(resolve);
    });
  }

  #freeChannel(): void {
    const next = this.#queue.shift();
    if (next !== undefined) {
      next();
      return;
    }
    this.#open -= 1;
    this.#restWhenIdle();
  }

  #restWhenIdle(): void {
    if (this.#open + this.#forwards > 0 || this.#failure !== undefined) return;
    clearTimeout(this.#idle);
    this.#idle = setTimeout(() => {
      this.close();
    }, idleLimit);
    this.#idle.unref();
  }
}

/** Gathers a channel's output until it closes; a channel closes only when everything was read. */
function collectOutput(channel: ssh2.ClientChannel, done: (outcome: Answer | AppError) => void): void {
  const stdout: Buffer[] = [];
  const stderr: Buffer[] = [];
  let size = 0;
  let exitCode: number | null = null;
  let signal: string | undefined;
  const keep = (list: Buffer[]) => (chunk: Buffer) => {
    size += chunk.length;
    list.push(chunk);
    if (size <= outputLimit) return;
    channel.close();
    done(new AppError('shell.host-failed', `a command answered more than ${outputLimit} bytes`));
  };
  channel.on('data', keep(stdout));
  channel.stderr.on('data', keep(stderr));
  channel.on('exit', (code: number | null, name?: string) => {
    exitCode = code;
    signal = name;
  });
  channel.on('close', () => {
    if (exitCode === null) {
      done(new AppError('shell.interrupted', `a command ended by ${signal ?? 'a lost channel'}`));
      return;
    }
    done({ exitCode, stdout: Buffer.concat(stdout), stderr: Buffer.concat(stderr).toString('utf8') });
  });
}

/** Why the host did not connect to one of its ports; reason 1 = sshd may not, 2 = the port did not answer (RFC 4254). */
function refusedError(host: Host, port: number, error: Error & { readonly reason?: unknown }): AppError {
  const { address } = host;
  if (error.reason === 1) {
    return new AppError('shell.host-failed', `${address} forbids connections to its ports: ${error.message}`);
  }
  return error.reason === 2
    ? new AppError('shell.refused', `nothing listens on port ${port} of ${address}: ${error.message}`)
    : new AppError('shell.unreachable', `${address} opens no channel: ${error.message}`);
}

function mismatchError(host: Host, what: string): AppError {
  return new AppError(
    'shell.host-key-mismatch',
    `${host.address} ${what}, pinned is ${host.hostKeys.join(' or ')}`,
    { fields: { address: host.address } },
  );
}
