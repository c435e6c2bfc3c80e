/** Reads what inputs and attached files refer to: Secrets and ConfigMaps live, addresses from the cache. */
import type { KeyRef } from '../api/fields.ts';
import { configMaps, secrets } from '../api/resource.ts';
import { serverKind } from '../api/server.ts';
import type { Cache, Kube } from '../kube/port.ts';
import type { Choice, Reading, Readings, Source } from './resolve.ts';
import { describeSource } from './resolve.ts';

export interface SourcePorts {
  readonly kube: Kube;
  readonly cache: Cache;
}

/** The bytes behind a key, or why there are none. */
export type KeyReading =
  | {
      readonly content: Buffer;
      /** Changes whenever the object does. */
      readonly version: string;
    }
  | {
      readonly reason: 'SecretNotFound' | 'ConfigMapNotFound' | 'KeyNotFound';
      readonly message: string;
    };

type KeySource = { readonly from: 'Secret' | 'ConfigMap' } & KeyRef;
type EndpointSource = Extract<Source, { readonly from: 'Endpoint' }>;

/**
 * What these choices refer to in `namespace`, by `describeSource`. Each object is read once. What is missing is a
 * reading, not an error; only an API server that does not answer fails (`kube.*`).
 */
export async function readSources(
  ports: SourcePorts,
  namespace: string,
  choices: readonly Choice[],
): Promise<Readings> {
  const sources = new Map<string, Exclude<Source, { readonly from: 'Literal' }>>();
  for (const { source } of choices) {
    if (source.from !== 'Literal') sources.set(describeSource(source), source);
  }
  const read = [...sources].map(async ([id, source]): Promise<[string, Reading]> => {
    if (source.from === 'Endpoint') return [id, readEndpoint(ports.cache, namespace, source)];
    const reading = await readKey(ports.kube, namespace, source);
    if ('reason' in reading) return [id, { ...reading, waiting: false }];
    return [id, { value: reading.content.toString('utf8'), version: reading.version }];
  });
  return new Map(await Promise.all(read));
}

/** One key of a Secret or ConfigMap, read from the API server itself: Secrets are never kept in the cache. */
export async function readKey(kube: Kube, namespace: string, source: KeySource): Promise<KeyReading> {
  const { from, name, key } = source;
  const object = await kube.get(from === 'Secret' ? secrets : configMaps, { namespace, name });
  if (object === undefined) return { reason: `${from}NotFound`, message: `${from} ${name} does not exist.` };
  const text = object.data?.[key];
  if (text === undefined) {
    const count = Object.keys(object.data ?? {}).length;
    return { reason: 'KeyNotFound', message: `${from} ${name} has no key '${key}' (it has ${count} keys).` };
  }
  const { uid, resourceVersion } = object.metadata;
  const content = Buffer.from(text, from === 'Secret' ? 'base64' : 'utf8');
  return { content, version: `${uid}/${resourceVersion}` };
}

/** The address that another object publishes in its status. */
function readEndpoint(cache: Cache, namespace: string, source: EndpointSource): Reading {
  const { kind, name, endpoint } = source;
  const server = kind === 'Server' ? cache.get(serverKind, { namespace, name }) : undefined;
  const address = endpoint === 'Public' ? server?.status?.publicIP : server?.status?.privateIP;
  if (address !== undefined) return { value: address };
  return {
    reason: 'EndpointNotPublished',
    message: `waiting until ${kind}/${name} has published its ${endpoint} address.`,
    waiting: true,
  };
}
