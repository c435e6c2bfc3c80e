/** The instance metadata service, version 2 only: who asks is told by the address, a token must be fetched first. */
import { randomBytes } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { privateName } from '../world/ipv4.ts';
import type { Instance } from '../world/model.ts';
import type { World } from '../world/world.ts';

const MAX_TTL_SECONDS = 21_600;

interface Token {
  readonly instanceId: string;
  readonly expiresAt: number;
}

/** Leaves of the tree by path below /latest/; folders follow from them. */
type Leaves = ReadonlyMap<string, string | Buffer>;

/** Callers that are no machine of the lab get 404. */
export class MetadataService {
  readonly #world: World;
  readonly #tokens = new Map<string, Token>();

  constructor(world: World) {
    this.#world = world;
  }

  serve(request: IncomingMessage, response: ServerResponse): void {
    request.resume();
    const instance = this.#caller(request);
    const path = (request.url ?? '/').split('?')[0] ?? '/';
    if (!instance) send(response, 404);
    else if (path === '/latest/api/token') this.#issueToken(request, response, instance);
    else if (request.method !== 'GET') send(response, 405);
    else if (!this.#authorized(request, instance)) send(response, 401);
    else send(response, ...this.#read(instance, path));
  }

  #caller(request: IncomingMessage): Instance | undefined {
    const address = (request.socket.remoteAddress ?? '').replace('::ffff:', '');
    return [...this.#world.state.instances.values()].find(
      (instance) => instance.privateIp === address && instance.state !== 'terminated',
    );
  }

  #issueToken(request: IncomingMessage, response: ServerResponse, instance: Instance): void {
    const ttl = Number(request.headers['x-aws-ec2-metadata-token-ttl-seconds']);
    if (request.method !== 'PUT') send(response, 405);
    // EC2 refuses what came through a proxy: that is how a server is tricked into asking for somebody else.
    else if (request.headers['x-forwarded-for'] !== undefined) send(response, 403);
    else if (!Number.isInteger(ttl) || ttl < 1 || ttl > MAX_TTL_SECONDS) send(response, 400);
    else {
      const now = this.#world.now();
      for (const [old, { expiresAt }] of this.#tokens) if (expiresAt <= now) this.#tokens.delete(old);
      const token = randomBytes(32).toString('base64url');
      this.#tokens.set(token, { instanceId: instance.id, expiresAt: now + ttl * 1000 });
      response.setHeader('x-aws-ec2-metadata-token-ttl-seconds', ttl);
      send(response, 200, token);
    }
  }

  #authorized(request: IncomingMessage, instance: Instance): boolean {
    const token = this.#tokens.get(String(request.headers['x-aws-ec2-metadata-token']));
    return token !== undefined && token.instanceId === instance.id && token.expiresAt > this.#world.now();
  }

  #read(instance: Instance, path: string): [status: number, body?: string | Buffer] {
    const relative = path.replace(/^\/latest\/?/, '').replace(/\/$/, '');
    if (!path.startsWith('/latest')) return [404];
    const leaves = leavesOf(instance, this.#world);
    const leaf = leaves.get(relative);
    if (leaf !== undefined) return [200, leaf];
    const children = childrenOf(leaves, relative, instance);
    return children.length > 0 ? [200, children.join('\n')] : [404];
  }
}

function leavesOf(instance: Instance, world: World): Leaves {
  const { region } = world;
  const name = privateName(instance.privateIp);
  const leaves = new Map<string, string | Buffer>([
    ['meta-data/ami-id', instance.imageId],
    ['meta-data/ami-launch-index', String(instance.launchIndex)],
    ['meta-data/hostname', name],
    ['meta-data/instance-id', instance.id],
    ['meta-data/instance-life-cycle', instance.spot ? 'spot' : 'on-demand'],
    ['meta-data/instance-type', instance.type],
    ['meta-data/local-hostname', name],
    ['meta-data/local-ipv4', instance.privateIp],
    ['meta-data/placement/availability-zone', instance.zone],
    ['meta-data/placement/region', region.name],
    ['meta-data/reservation-id', instance.reservationId],
    ['meta-data/security-groups', groupNames(instance, world).join('\n')],
    ['dynamic/instance-identity/document', identityDocument(instance, world)],
  ]);
  if (instance.publicKey) leaves.set('meta-data/public-keys/0/openssh-key', `${instance.publicKey}\n`);
  if (instance.userData) leaves.set('user-data', Buffer.from(instance.userData, 'base64'));
  if (instance.metadata.tags) {
    for (const [key, value] of Object.entries(instance.tags))
      leaves.set(`meta-data/tags/instance/${key}`, value);
  }
  return leaves;
}

/** Names below a folder, folders with a closing slash; key pairs are shown as EC2 does: `0=name`. */
function childrenOf(leaves: Leaves, folder: string, instance: Instance): readonly string[] {
  if (folder === 'meta-data/public-keys' && instance.publicKey) return [`0=${instance.keyName}`];
  const prefix = folder === '' ? '' : `${folder}/`;
  const below = [...leaves.keys()]
    .filter((path) => path.startsWith(prefix))
    .map((path) => path.slice(prefix.length));
  return [
    ...new Set(below.map((path) => (path.includes('/') ? path.slice(0, path.indexOf('/') + 1) : path))),
  ];
}

function groupNames(instance: Instance, { state }: World): readonly string[] {
  return instance.securityGroupIds.map((id) => state.securityGroups.get(id)?.name ?? id);
}

function identityDocument(instance: Instance, { region }: World): string {
  const document = {
    accountId: region.accountId,
    architecture: 'x86_64',
    availabilityZone: instance.zone,
    imageId: instance.imageId,
    instanceId: instance.id,
    instanceType: instance.type,
    pendingTime: new Date(instance.launchTime).toISOString(),
    privateIp: instance.privateIp,
    region: region.name,
    version: '2017-09-30',
  };
  return JSON.stringify(document, null, 2);
}

function send(response: ServerResponse, status: number, body: string | Buffer = ''): void {
  response
    .writeHead(status, { 'content-type': 'text/plain', 'content-length': Buffer.byteLength(body) })
    .end(body);
}
