/** Running things on servers. Kinds start, poll and cancel jobs; they never hold a connection. Types only. */
import type { Duplex } from 'node:stream';
import type { Millis } from '../base/clock.ts';

/** Where and as whom to connect, and which host keys are acceptable. */
export interface Host {
  readonly address: string;
  readonly port: number;
  readonly user: string;
  /** OpenSSH PEM. */
  readonly privateKey: string;
  /** Pinned, e.g. `ED25519:SHA256:2n0m…`; any other key fails with `shell.host-key-mismatch`. Never empty. */
  readonly hostKeys: readonly string[];
}

/** A script to run under the on-host runner. Starting the same id twice starts it once. */
export interface Job {
  /** `[a-z0-9-]{1,100}`, derived from the run, server, step and attempt. */
  readonly id: string;
  readonly interpreter: string;
  readonly script: string;
  /** Sent on stdin into a 0600 file on tmpfs that is gone when the job ends. Never on a command line. */
  readonly environment: Readonly<Record<string, string>>;
  readonly attachments: readonly Attachment[];
  /** Installed before the script starts; part of the job, so its output is in the log. */
  readonly packages: readonly string[];
  readonly runAs: string;
  /** TERM, then KILL after 10 s. */
  readonly timeoutSeconds: number;
}

export interface Attachment {
  readonly name: string;
  /** Base64. */
  readonly content: string;
  readonly secret: boolean;
}

export type JobState =
  /** The host knows nothing of this id (it was never started, or the host lost its memory). */
  | { readonly state: 'unknown' }
  | { readonly state: 'running'; readonly logBytes: number }
  | {
      readonly state: 'exited';
      readonly exitCode: number;
      readonly timedOut: boolean;
      readonly canceled: boolean;
      readonly logBytes: number;
    }
  /** It was running and is gone without an exit code: the host rebooted or the runner was killed. */
  | { readonly state: 'interrupted'; readonly logBytes: number };

/**
 * Failures: `shell.unreachable`, `shell.host-key-mismatch`, `shell.auth-failed`, `shell.interrupted`,
 * `shell.host-failed`.
 */
export interface Shell {
  /** Connects (or reuses the connection), verifies the host key and runs nothing. */
  check(host: Host): Promise<void>;
  /** Resolves when the host has durably accepted the job, not when it ends. Idempotent per id. */
  startJob(host: Host, job: Job): Promise<void>;
  pollJob(host: Host, id: string): Promise<JobState>;
  /** The log from byte `offset`, at most `limit` bytes; stdout and stderr interleaved, each line prefixed by its UTC time. */
  readLog(host: Host, id: string, offset: number, limit: number): Promise<Uint8Array>;
  cancelJob(host: Host, id: string): Promise<void>;
  /** Removes the job's files; unknown ids are fine. */
  forgetJob(host: Host, id: string): Promise<void>;
  /** One short command without secrets in it, e.g. a health probe; stdout and exit code. */
  run(
    host: Host,
    command: string,
    timeout: Millis,
  ): Promise<{ readonly exitCode: number; readonly stdout: string }>;
  /** Closes the connection to this address, if any. */
  disconnect(address: string): void;
}

/** Root commands for adapters that drive a service on the host (HAProxy, a database); kinds never use it. */
export interface Remote {
  /** A command as root, given as words; stdin may carry what must not be seen in a process list. */
  runAsRoot(
    host: Host,
    words: readonly string[],
    options: { readonly stdin?: Uint8Array | string; readonly timeout: Millis },
  ): Promise<{ readonly exitCode: number; readonly stdout: string; readonly stderr: string }>;
  /** A command as root that stays open for a dialogue; the stream ends with the command or the connection. */
  openAsRoot(host: Host, words: readonly string[]): Promise<Duplex>;
  /**
   * A connection to a port on the host's loopback; it may be kept. Fails with `shell.refused` when the host answers and
   * nothing listens there.
   */
  connect(host: Host, port: number): Promise<Duplex>;
}
