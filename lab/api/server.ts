/** Puts the cloud together and listens: the API, the metadata service and the name server, in one process. */
import { once } from 'node:events';
import {
  createServer,
  type IncomingMessage,
  type RequestListener,
  type Server,
  type ServerResponse,
} from 'node:http';
import { join } from 'node:path';
import { DnsServer } from '../dns/server.ts';
import { Faults } from '../world/faults.ts';
import { forgetOld } from '../world/instances.ts';
import { Machines } from '../world/machines.ts';
import type { Region } from '../world/model.ts';
import { Network } from '../world/network.ts';
import type { MachineRuntime } from '../world/runtime.ts';
import { StaleReads } from '../world/stale-reads.ts';
import { World } from '../world/world.ts';
import { Control } from './control.ts';
import { InstanceXml } from './ec2/instance-xml.ts';
import { Ec2Service } from './ec2/service.ts';
import { Throttle } from './ec2/throttle.ts';
import { FrontDoor } from './front-door.ts';
import { newExchange } from './http-exchange.ts';
import { MetadataService } from './metadata.ts';
import { Route53Service } from './route53/service.ts';
import { S3Service } from './s3/service.ts';
import { Buckets } from './s3/store.ts';
import { seedWorld } from './seed.ts';
import { type Credentials, Verifier } from './sigv4.ts';
import { StsService } from './sts.ts';

const FORGET_EVERY_MS = 60_000;
const DNS_SYNC_DELAY_MS = 200;

export interface Listen {
  readonly host: string;
  /** 0 for any. */
  readonly port: number;
}

export interface CloudOptions {
  readonly runtime: MachineRuntime;
  /** Folder of the journal and the buckets; what is there is taken up again. */
  readonly dir: string;
  /** Told in the header `x-ridgeline-lab` of every answer, so that nobody takes another cloud for this one. */
  readonly labId: string;
  readonly region: Region;
  /** The one key pair that signs requests. */
  readonly credentials: Credentials;
  readonly listen: { readonly api: Listen; readonly metadata?: Listen; readonly dns?: Listen };
  /** What a new lab has from the start. */
  readonly seed: { readonly buckets: readonly string[]; readonly zones: readonly string[] };
}

export interface RunningCloud {
  /** Ports that are listened on; 0 for services that are off. */
  readonly ports: { readonly api: number; readonly metadata: number; readonly dns: number };
  /** Waits for orders under way, then ends; machines stay as they are. */
  close(): Promise<void>;
}

/** Resolves when every service listens and the machines are being brought to what the state says. */
export async function startCloud(options: CloudOptions): Promise<RunningCloud> {
  const world = new World({ dir: join(options.dir, 'journal'), region: options.region, now: Date.now });
  const buckets = new Buckets(join(options.dir, 'buckets'));
  seedWorld(world, buckets, options.seed);
  const machines = new Machines(world, options.runtime, report);
  const network = new Network(world, options.runtime);
  const { door, control } = assemble(options, { world, buckets, machines, network });
  const metadata = new MetadataService(world);

  const api = await listen(options.listen.api, (request, response) => {
    response.setHeader('x-ridgeline-lab', options.labId);
    const exchange = newExchange(request, response);
    const served = exchange.signed.path.startsWith('/_lab/') ? control.serve(exchange) : door.serve(exchange);
    served.catch((error: unknown) => fail(request, response, error));
  });
  const imds =
    options.listen.metadata && (await listen(options.listen.metadata, (...pair) => metadata.serve(...pair)));
  const { dns } = options.listen;
  const nameServer =
    dns &&
    (await DnsServer.start(world, { address: dns.host, port: dns.port, syncDelayMs: DNS_SYNC_DELAY_MS }));
  await network.apply();
  await machines.recover();
  const forgetting = setInterval(() => forget(world), FORGET_EVERY_MS);

  return {
    ports: { api: portOf(api), metadata: imds ? portOf(imds) : 0, dns: nameServer?.port ?? 0 },
    async close() {
      clearInterval(forgetting);
      await Promise.all([closeServer(api), imds && closeServer(imds), nameServer?.close()]);
      await machines.idle();
      world.close();
    },
  };
}

interface Parts {
  readonly world: World;
  readonly buckets: Buckets;
  readonly machines: Machines;
  readonly network: Network;
}

function assemble(
  { runtime, credentials, labId }: CloudOptions,
  { world, buckets, machines, network }: Parts,
): { readonly door: FrontDoor; readonly control: Control } {
  const faults = new Faults(world);
  const reads = new StaleReads(world, faults);
  const cloud = { world, machines, runtime, faults, reads, instanceXml: new InstanceXml(world) };
  const services = {
    ec2: new Ec2Service(cloud, new Throttle(faults, world.now)),
    sts: new StsService(world.region.accountId),
    route53: new Route53Service(world, DNS_SYNC_DELAY_MS),
    s3: new S3Service(buckets, world),
  };
  const verifier = new Verifier(credentials, world.region.name, world.now);
  return {
    door: new FrontDoor(verifier, services, faults, report),
    control: new Control({ world, machines, network, runtime, faults }, labId),
  };
}

function forget(world: World): void {
  const draft = world.draft();
  const forgotten = forgetOld(draft, world.state);
  if (forgotten > 0) world.commit(draft, { name: 'world.forgot-old', subject: String(forgotten) });
}

async function listen({ host, port }: Listen, serve: RequestListener): Promise<Server> {
  // Uploads of any length are fine; idle connections are the client's to close, as with AWS's long keep-alive.
  const server = createServer({ requestTimeout: 0, keepAliveTimeout: 60_000 }, serve);
  server.listen(port, host);
  await once(server, 'listening');
  return server;
}

function portOf(server: Server): number {
  const address = server.address();
  return typeof address === 'object' && address ? address.port : 0;
}

async function closeServer(server: Server): Promise<void> {
  server.close();
  server.closeAllConnections();
  await once(server, 'close');
}

function fail(request: IncomingMessage, response: ServerResponse, error: unknown): void {
  report(`${request.method} ${request.url} failed`, error);
  if (response.headersSent) response.destroy();
  else response.writeHead(500).end();
}

function report(message: string, error: unknown): void {
  console.error(new Date().toISOString(), message, error);
}
