/** wrk, a load tool from outside: clients of one front end, and its own count of what they got. */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import path from 'node:path';
import { promisify } from 'node:util';

const execute = promisify(execFile);
const pace = path.join(import.meta.dirname, 'pace.lua');

/** How a client treats connections: keeps them, or makes one for each request. */
export const clients = ['keep-alive', 'close'] as const;
export type Client = (typeof clients)[number];

/** What wrk prints at its end. */
export interface Printed {
  readonly requests: number;
  readonly perSecond: number;
  /** Answers with status 400 and above. */
  readonly badStatus: number;
  /** Connections refused, cut off while writing or reading, and answers after more than 10 s. */
  readonly socketErrors: number;
  /** In wrk's own words. */
  readonly p50: string;
  readonly p99: string;
}

export interface Count extends Printed {
  /** Of the front end. */
  readonly address: string;
  readonly client: Client;
  /** Requests without an answer for 2 s when it ended; wrk never counts these. */
  readonly unanswered: number;
}

/**
 * One process. Bounded: 48 connections, each with a pause before every request, make 185 requests a second at most; many
 * slow ones keep that rate also while the machine is busy.
 */
export class Wrk {
  readonly #address: string;
  readonly #client: Client;
  readonly #process: ChildProcess;
  readonly #ended: Promise<void>;
  #said = '';

  /** Begins at once. */
  constructor(address: string, client: Client) {
    this.#address = address;
    this.#client = client;
    const header = client === 'close' ? ['--header', 'Connection: close'] : [];
    const bounds = ['--threads', '1', '--connections', '48', '--duration', '30m', '--timeout', '10s'];
    const command = ['wrk', ...bounds, '--latency', '--script', pace, ...header, `http://${address}/`];
    // The lowest priority: it shares the machine with what it measures.
    this.#process = spawn('nice', ['-n', '19', ...command], { stdio: ['ignore', 'pipe', 'inherit'] });
    this.#process.stdout!.setEncoding('utf8').on('data', (text: string) => (this.#said += text));
    this.#ended = new Promise((resolve, reject) => {
      this.#process.once('close', () => resolve());
      this.#process.once('error', reject);
    });
  }

  async stop(): Promise<Count> {
    const unanswered = await countSilent(this.#process.pid!);
    this.#process.kill('SIGINT');
    await this.#ended;
    return { address: this.#address, client: this.#client, ...parsePrinted(this.#said), unanswered };
  }
}

/** Throws when this is not what wrk prints. */
export function parsePrinted(text: string): Printed {
  const find = (pattern: RegExp): string | undefined => pattern.exec(text)?.[1];
  const need = (pattern: RegExp): string => {
    const found = find(pattern);
    if (found === undefined) throw new Error(`wrk printed no ${pattern.source}: ${text}`);
    return found;
  };
  const errors = /Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)/.exec(text) ?? [];
  return {
    requests: Number(need(/(\d+) requests in/)),
    perSecond: Number(need(/Requests\/sec: +([\d.]+)/)),
    // wrk names only those kinds of failure that occurred.
    badStatus: Number(find(/Non-2xx or 3xx responses: (\d+)/) ?? 0),
    socketErrors: errors.slice(1).reduce((sum, count) => sum + Number(count), 0),
    p50: need(/ 50% +(\S+)/),
    p99: need(/ 99% +(\S+)/),
  };
}

/** Connections of a process on which nothing has arrived for 2 s. */
async function countSilent(pid: number): Promise<number> {
  const { stdout } = await execute('ss', ['-HtnipO', 'state', 'established', 'state', 'syn-sent']);
  const own = stdout.split('\n').filter((line) => line.includes(`pid=${pid},`));
  return own.filter((line) => Number(/lastrcv:(\d+)/.exec(line)?.[1] ?? 0) > 2_000).length;
}
