/** Asks a host of ours what it sees of a database elsewhere. */
import type { Millis } from '../base/clock.ts';
import { AppError } from '../base/errors.ts';
import type { Host, Remote } from '../shell/port.ts';
import type { Witness } from './port.ts';
import { databasePort } from './tcp-port.ts';

/** Longer than the look itself: starting it, and the way there. */
const allowance: Millis = 3_000;

/**
 * Prints `yes` when the server says something; a server without a free session greets with an error, and is alive. The
 * kernel of a frozen host still connects, so connecting proves nothing.
 */
const look = `exec 3<> "/dev/tcp/$1/${databasePort}" && [ -n "$(head -c 1 <&3 | od -An -tx1)" ] && echo yes`;

/** Needs bash and coreutils on the host, nothing of ours. */
export class SshWitness implements Witness {
  readonly #remote: Remote;
  readonly #host: Host;

  constructor(remote: Remote, host: Host) {
    this.#remote = remote;
    this.#host = host;
  }

  async reaches(address: string, timeout: Millis): Promise<boolean> {
    const { exitCode, stdout, stderr } = await this.#remote.runAsRoot(
      this.#host,
      ['timeout', String(timeout / 1_000), 'bash', '-c', look, 'look', address],
      { timeout: timeout + allowance },
    );
    // 124 is the time limit, 1 a refused connection; anything else is a host that cannot look.
    if (![0, 1, 124].includes(exitCode)) {
      throw new AppError('shell.host-failed', `${this.#host.address} cannot look: ${stderr.trim()}`);
    }
    return stdout.trim() === 'yes';
  }
}
