/** Looks at HAProxy on its own machine, 20 times a second, through its socket: not through the controller. */
import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { labInit } from '../../lab/launcher/lab.ts';

const periodMs = 50;
/** The servers of backend `app`. */
const question = 'show stat app 4 -1';

/** What HAProxy says of one server of the backend. */
export interface SeenServer {
  /** `UP`, `DRAIN`, `MAINT`, `DOWN`, with more words behind. */
  readonly status: string;
  /** Requests it was given since the last reload. */
  readonly requests: number;
  /** Requests that it has not answered. */
  readonly current: number;
}

/** True when it need not be asked again. */
type Wish = (servers: ReadonlyMap<string, SeenServer>, at: number) => boolean;

/** Servers of the backend by instance, as the HAProxy on this instance sees them now. */
export async function lookOnce(instance: string): Promise<ReadonlyMap<string, SeenServer>> {
  return parseStat(await ask(socketOf(instance), question));
}

export class ProxyEye {
  readonly #socket: string;
  readonly #wishes = new Set<Wish>();
  readonly #firstRequests = new Map<string, number>();
  readonly #looking: Promise<void>;
  #isOpen = true;

  /** On the machine of this instance. */
  constructor(instance: string) {
    this.#socket = socketOf(instance);
    this.#looking = this.#look();
  }

  async close(): Promise<void> {
    this.#isOpen = false;
    await this.#looking;
  }

  /** The moment (milliseconds since 1970) at which a server, by its instance, is first seen so from now on. */
  first(instance: string, isSo: (server: SeenServer) => boolean): Promise<number> {
    return new Promise((resolve) => {
      this.#wishes.add((servers, at) => {
        const server = servers.get(instance);
        if (server === undefined || !isSo(server)) return false;
        resolve(at);
        return true;
      });
    });
  }

  /** The same, for the first request since this eye was opened. */
  async firstRequest(instance: string): Promise<number> {
    const seen = this.#firstRequests.get(instance);
    return seen ?? (await this.first(instance, ({ requests }) => requests > 0));
  }

  async #look(): Promise<void> {
    while (this.#isOpen) {
      const next = Date.now() + periodMs;
      // During a reload nobody answers for a moment.
      const text = await ask(this.#socket, question).catch(() => '');
      this.#note(parseStat(text), Date.now());
      await sleep(Math.max(0, next - Date.now()));
    }
  }

  #note(servers: ReadonlyMap<string, SeenServer>, at: number): void {
    for (const [instance, { requests }] of servers) {
      if (requests > 0 && !this.#firstRequests.has(instance)) this.#firstRequests.set(instance, at);
    }
    for (const wish of this.#wishes) if (wish(servers, at)) this.#wishes.delete(wish);
  }
}

/** The machine's own socket, through its root directory as this computer sees it. */
function socketOf(instance: string): string {
  const lab = `/proc/${labInit()}/root`;
  const { pid } = JSON.parse(readFileSync(`${lab}/run/crun/${instance}/status`, 'utf8')) as { pid: number };
  return `${lab}/proc/${pid}/root/run/haproxy/admin.sock`;
}

function ask(socket: string, command: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = '';
    const channel = connect(socket, () => channel.write(`${command}\n`));
    channel.setEncoding('utf8').setTimeout(1_000, () => channel.destroy(new Error('no answer in 1 s')));
    channel.on('data', (more: string) => (text += more));
    channel.once('end', () => resolve(text));
    channel.once('error', reject);
  });
}

/** By instance: HAProxy's names of servers are `<instance>-<port>`. */
function parseStat(text: string): ReadonlyMap<string, SeenServer> {
  const [header = '', ...rows] = text.split('\n').filter((line) => line !== '');
  const columns = header.replace('# ', '').split(',');
  return new Map(
    rows.map((row) => {
      const values = row.split(',');
      const field = (name: string) => values[columns.indexOf(name)] ?? '';
      return [
        field('svname').replace(/-\d+$/, ''),
        { status: field('status'), requests: Number(field('stot')), current: Number(field('scur')) },
      ];
    }),
  );
}
