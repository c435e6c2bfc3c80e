/** A process in the middle of one machine's cable: gets its frames as VXLAN datagrams and passes them on as the rules say. */
import { createSocket, type RemoteInfo } from 'node:dgram';
import type { Impairment } from '../world/runtime.ts';
import { completeChecksum, endsOf } from './packet.ts';
import { ruleFor, Shaper } from './shaper.ts';

/** Where the kernel's end of every VXLAN listens, and where relays do. */
export const vxlanPort = 4789;
export const relayPort = 4790;
const headerLength = 8;
const heldLimit = 64 * 1024 * 1024;

interface Held {
  readonly at: number;
  readonly datagram: Buffer;
}

/** What waits for its time, the next one first. */
class Departures {
  readonly #waiting: Held[] = [];
  readonly #send: (datagram: Buffer) => void;
  #bytes = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(send: (datagram: Buffer) => void) {
    this.#send = send;
  }

  add(held: Held): void {
    if (this.#bytes + held.datagram.length > heldLimit) return;
    this.#bytes += held.datagram.length;
    // Nearly always the last place: packets mostly keep their order.
    let place = this.#waiting.length;
    while (place > 0 && (this.#waiting[place - 1]?.at ?? 0) > held.at) place -= 1;
    this.#waiting.splice(place, 0, held);
    this.#pump();
  }

  #pump(): void {
    const now = performance.now();
    let count = 0;
    for (const { at, datagram } of this.#waiting) {
      if (at > now + 0.5) break;
      this.#bytes -= datagram.length;
      this.#send(datagram);
      count += 1;
    }
    if (count > 0) this.#waiting.splice(0, count);
    clearTimeout(this.#timer);
    const [next] = this.#waiting;
    if (next !== undefined) this.#timer = setTimeout(() => this.#pump(), Math.max(1, next.at - now));
  }
}

/** `labAddress` is where the kernel's ends are; `near` and `far` are the VXLAN ids of the machine's end and of the network's. */
function relay(bindAddress: string, labAddress: string, near: number, far: number): void {
  const socket = createSocket({ type: 'udp4', recvBufferSize: 4 * 1024 * 1024 });
  const departures = new Departures((datagram) => socket.send(datagram, vxlanPort, labAddress));
  let rules: readonly Impairment[] = [];
  let shapers = new Map<Impairment, Shaper>();

  const pass = (datagram: Buffer): void => {
    const frame = datagram.subarray(headerLength);
    completeChecksum(frame);
    const from = datagram.readUInt32BE(4) >>> 8;
    datagram.writeUInt32BE(((from === near ? far : near) << 8) >>> 0, 4);
    const now = performance.now();
    const ends = endsOf(frame);
    const shaper = shapers.get((ends && ruleFor(rules, ends.from, ends.to)) as Impairment);
    for (const at of shaper?.arrivals(now, frame.length) ?? [now]) departures.add({ at, datagram });
  };

  const obey = (text: string, { address, port }: RemoteInfo): void => {
    rules = JSON.parse(text) as Impairment[];
    shapers = new Map(rules.map((rule) => [rule, new Shaper(rule, Math.random)]));
    socket.send('done', port, address);
  };

  // A VXLAN header begins with its flags, JSON does not.
  socket.on('message', (message, sender) => {
    if (message[0] === 0x08) pass(message);
    else obey(message.toString('utf8'), sender);
  });
  socket.bind(relayPort, bindAddress);
}

const [bindAddress, labAddress, near, far] = process.argv.slice(2);
if (import.meta.main && bindAddress !== undefined && labAddress !== undefined)
  relay(bindAddress, labAddress, Number(near), Number(far));
