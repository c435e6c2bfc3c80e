/** The lab's own interface under /_lab/: events, state, faults and harm. JSON, for this computer only. */
import { CloudError } from '../world/cloud-error.ts';
import type { Faults } from '../world/faults.ts';
import { contains, parseAddress, parseBlock } from '../world/ipv4.ts';
import type { Machines } from '../world/machines.ts';
import type { MachineCondition } from '../world/model.ts';
import type { Network } from '../world/network.ts';
import type { DiskCondition, MachineRuntime } from '../world/runtime.ts';
import type { World } from '../world/world.ts';
import { asObject, readFaultRule } from './fault-body.ts';
import { type Exchange, readBody } from './http-exchange.ts';
import { readCut, readImpairment } from './network-body.ts';

const EVENTS_PER_ANSWER = 1000;

/** Verbs on one machine and what each makes of it. */
const HARM: Readonly<Record<string, MachineCondition>> = {
  crash: 'crashed',
  'power-off': 'powered-off',
  hang: 'hung',
  resume: 'ok',
};

const DISKS: Readonly<Record<string, DiskCondition>> = {
  'disk-full': 'full',
  'disk-read-only': 'read-only',
  'disk-ok': 'ok',
};

export interface Controlled {
  readonly world: World;
  readonly machines: Machines;
  readonly network: Network;
  readonly runtime: MachineRuntime;
  readonly faults: Faults;
}

interface Order {
  readonly method: string;
  /** Path below /_lab/, split at its slashes. */
  readonly path: readonly string[];
  readonly query: URLSearchParams;
  readonly body: unknown;
}

/** Wrong requests are answered with a code and a message; nothing here is signed. */
export class Control {
  readonly #cloud: Controlled;
  readonly #handlers: Readonly<Record<string, (order: Order) => unknown>>;

  constructor(cloud: Controlled, labId: string) {
    const { world, faults, network } = cloud;
    this.#cloud = cloud;
    this.#handlers = {
      'GET identity': () => ({ lab: labId }),
      'GET events': ({ query }) => ({
        events: world.events(Number(query.get('after') ?? 0), EVENTS_PER_ANSWER),
      }),
      'GET state': () => this.#state(),
      'GET faults': () => ({ faults: faults.list() }),
      'POST faults': ({ body }) => faults.add(readFaultRule(body)),
      'DELETE faults': ({ path }) => ({ cleared: faults.clear(path[1]) }),
      'GET cuts': () => ({ cuts: network.cuts }),
      'POST cuts': async ({ body }) => {
        await network.cut(readCut(body));
        return { cuts: network.cuts };
      },
      'GET impairments': () => ({ impairments: network.impairments }),
      'POST impairments': async ({ body }) => {
        const { from, to, change } = readImpairment(body);
        await network.impair({ from, to }, change);
        return { impairments: network.impairments };
      },
      'DELETE network': ({ query }) => this.#healNetwork(query.get('address') ?? undefined),
      'DELETE cuts': () => this.#healNetwork(undefined),
      'POST instances': (order) => this.#command(order),
    };
  }

  /** Serves one request to its end. Never rejects but for a broken connection. */
  async serve(exchange: Exchange): Promise<void> {
    const { response, signed, query } = exchange;
    let status = 200;
    let result: unknown;
    try {
      this.#refuseMachines(exchange.caller);
      const text = (await readBody(exchange.request)).toString('utf8');
      const path = signed.path.split('/').slice(2).map(decodeURIComponent);
      result = await this.#obey({ method: signed.method, path, query, body: readJson(text) });
    } catch (error) {
      if (!(error instanceof CloudError)) throw error;
      status = error.status;
      result = { code: error.code, message: error.message };
    }
    response.writeHead(status, { 'content-type': 'application/json' }).end(`${JSON.stringify(result)}\n`);
  }

  /** Code on a machine of the lab must not be able to harm others: it speaks to AWS, not to the lab. */
  #refuseMachines(caller: string): void {
    const address = parseAddress(caller);
    const fromMachine = this.#cloud.world.region.subnets.some(({ cidr }) => {
      const block = parseBlock(cidr);
      return block !== undefined && address !== undefined && contains(block, address);
    });
    if (fromMachine)
      throw new CloudError('Forbidden', 'The lab is controlled from its own computer only.', 403);
  }

  async #obey(order: Order): Promise<unknown> {
    const handler = this.#handlers[`${order.method} ${order.path[0] ?? ''}`];
    if (handler) return await handler(order);
    throw new CloudError('NotFound', `There is no ${order.method} /_lab/${order.path.join('/')}`, 404);
  }

  #state(): unknown {
    const { state } = this.#cloud.world;
    return {
      instances: [...state.instances.values()].map((instance) => ({ ...instance, userData: undefined })),
      zones: [...state.zones.values()],
      volumes: [...state.volumes.values()],
      cuts: [...state.cuts.values()],
      impairments: [...state.impairments.values()],
    };
  }

  async #healNetwork(address: string | undefined): Promise<unknown> {
    const { network } = this.#cloud;
    await network.heal(address);
    return { cuts: network.cuts, impairments: network.impairments };
  }

  async #command({ path, body }: Order): Promise<unknown> {
    const [, id = '', verb = ''] = path;
    const { world, machines, runtime } = this.#cloud;
    const instance = world.state.instances.get(id);
    if (instance?.state !== 'running') {
      throw new CloudError('NotFound', `There is no running instance ${id}`, 404);
    }
    const condition = HARM[verb];
    if (condition) {
      await machines.harm(id, condition);
      return { id, condition };
    }
    const disk = DISKS[verb];
    if (disk) {
      if (instance.condition !== 'ok') {
        throw new CloudError(
          'Conflict',
          `${id} is ${instance.condition}: nothing can be done to its disk`,
          409,
        );
      }
      await machines.harmDisk(id, disk);
      return { id, disk };
    }
    const load = verb === 'load' ? Number(asObject(body)['load']) : Number.NaN;
    if (!(load >= 0)) {
      throw new CloudError(
        'InvalidRequest',
        `"${verb}" is not a command: ${Object.keys({ ...HARM, ...DISKS }).join(', ')} or load {"load": 1.5}`,
      );
    }
    await runtime.setLoad(id, load);
    return { id, load };
  }
}

function readJson(text: string): unknown {
  if (text.trim() === '') return undefined;
  try {
    return JSON.parse(text);
  } catch {
    throw new CloudError('InvalidRequest', 'the body is not JSON');
  }
}
