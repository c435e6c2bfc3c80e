/** HAProxy's command line over one open channel: one command at a time, in order. Knows the prompt, not the commands. */
import type { Duplex } from 'node:stream';
import type { Millis } from '../base/clock.ts';
import { AppError } from '../base/errors.ts';

const prompt = '\n> ';
/** HAProxy answers at once; a socket that does not belongs to a process that is going away. */
const answerTimeout: Millis = 5_000;

interface Waiting {
  readonly resolve: (answer: string) => void;
  readonly reject: (error: Error) => void;
  readonly timer: NodeJS.Timeout;
}

/** Commands queue up, 5 s for each answer; after one failure all others fail, and a new one is needed. */
export class RuntimeSocket {
  readonly #channel: Duplex;
  readonly #waiting: Waiting[] = [];
  #buffer = '';
  #failure: AppError | undefined;

  /** Takes over `channel`, which must be connected to a stats socket. */
  constructor(channel: Duplex) {
    this.#channel = channel;
    channel.setEncoding('utf8');
    channel.on('data', (text: string) => {
      this.#receive(text);
    });
    for (const event of ['error', 'close', 'end'])
      channel.once(event, () => this.#fail('the channel closed'));
    // The answer to this one is the first prompt.
    this.command('prompt').catch(() => undefined);
  }

  get isOpen(): boolean {
    return this.#failure === undefined;
  }

  /** The answer without its final newline. Fails with `shell.interrupted` when the channel ends first. */
  command(line: string): Promise<string> {
    return new Promise((resolve, reject) => {
      if (this.#failure !== undefined) {
        reject(this.#failure);
        return;
      }
      const timer = setTimeout(() => this.#fail('no answer in 5 s'), answerTimeout);
      this.#waiting.push({ resolve, reject, timer });
      this.#channel.write(`${line}\n`);
    });
  }

  close(): void {
    this.#fail('closed by us');
  }

  #receive(text: string): void {
    this.#buffer += text;
    for (;;) {
      // The very first answer is a bare prompt on some versions.
      const end = this.#buffer.startsWith('> ') ? -1 : this.#buffer.indexOf(prompt);
      if (end === -1 && !this.#buffer.startsWith('> ')) return;
      const answer = end === -1 ? '' : this.#buffer.slice(0, end);
      this.#buffer = this.#buffer.slice(end === -1 ? 2 : end + prompt.length);
      const waiting = this.#waiting.shift();
      if (waiting === undefined) continue;
      clearTimeout(waiting.timer);
      waiting.resolve(answer.trim());
    }
  }

  #fail(why: string): void {
    if (this.#failure !== undefined) return;
    this.#failure = new AppError('shell.interrupted', `HAProxy's command channel ended: ${why}`);
    this.#channel.destroy();
    for (const { reject, timer } of this.#waiting.splice(0)) {
      clearTimeout(timer);
      reject(this.#failure);
    }
  }
}
