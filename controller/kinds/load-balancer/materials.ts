/** Reads what a load balancer shows and proves itself with: certificates from Secrets, the page from a ConfigMap. */
import type { LoadBalancer } from '../../api/load-balancer.ts';
import { keyText } from '../../api/meta.ts';
import { configMaps, secrets } from '../../api/resource.ts';
import type { Instant, Millis } from '../../base/clock.ts';
import type { Kube } from '../../kube/port.ts';
import { type Certificate, readCertificate } from './certificates.ts';
import type { Problem } from './problems.ts';

/** Neither kind is watched: a new certificate is seen after this long. */
const kept: Millis = 15_000;

const plainPage = `<!doctype html>
<title>Maintenance</title>
<h1>We are working on this site</h1>
<p>It will be back soon.</p>
`;

export interface Reading {
  readonly page: string;
  /** By name of the listener; those that can be used. */
  readonly certificates: ReadonlyMap<string, Certificate>;
  /** Something that cannot be read or used. */
  readonly problem: Problem | undefined;
}

type Data = Readonly<Record<string, string>> | undefined;

/** Keeps what it read for a moment, so that looking often costs no reads. */
export class MaterialReader {
  readonly #kube: Kube;
  readonly #kept = new Map<string, { readonly data: Data; readonly at: Instant }>();

  constructor(kube: Kube) {
    this.#kube = kube;
  }

  async read({ metadata, spec }: LoadBalancer, now: Instant): Promise<Reading> {
    const { namespace = '' } = metadata;
    const certificates = new Map<string, Certificate>();
    let problem: Problem | undefined;
    for (const { name, protocol, certificateSecretRef: ref } of spec.listeners) {
      if (protocol !== 'HTTPS' || ref === undefined) continue;
      const key = { namespace, name: ref.name };
      const read = () => this.#kube.get(secrets, key).then((secret) => decodeData(secret?.data));
      const certificate = readCertificate(ref.name, await this.#once(`Secret ${keyText(key)}`, now, read));
      if ('pem' in certificate) certificates.set(name, certificate);
      else problem ??= { ...certificate, message: `Listener ${name}: ${certificate.message}` };
    }
    const page = await this.#page({ metadata, spec }, now);
    if (typeof page !== 'string') problem ??= page;
    return { page: typeof page === 'string' ? page : plainPage, certificates, problem };
  }

  async #page(
    { metadata, spec }: Pick<LoadBalancer, 'metadata' | 'spec'>,
    now: Instant,
  ): Promise<string | Problem> {
    const ref = spec.maintenance.pageConfigMapKeyRef;
    if (ref === undefined) return plainPage;
    const key = { namespace: metadata.namespace ?? '', name: ref.name };
    const read = () => this.#kube.get(configMaps, key).then((map) => map?.data);
    const data = await this.#once(`ConfigMap ${keyText(key)}`, now, read);
    const page = data?.[ref.key];
    if (page !== undefined) return page;
    const what = data === undefined ? 'does not exist' : `has no key '${ref.key}'`;
    return {
      reason: 'PageNotFound',
      message: `ConfigMap/${ref.name} ${what}; spec.maintenance.pageConfigMapKeyRef needs it.`,
    };
  }

  async #once(id: string, now: Instant, read: () => Promise<Data>): Promise<Data> {
    const known = this.#kept.get(id);
    if (known !== undefined && now - known.at < kept) return known.data;
    const data = await read();
    // What is missing may be put in place any moment.
    if (data !== undefined) this.#kept.set(id, { data, at: now });
    else this.#kept.delete(id);
    return data;
  }
}

function decodeData(data: Data): Data {
  if (data === undefined) return undefined;
  const entries = Object.entries(data).map(([name, text]): [string, string] => [
    name,
    Buffer.from(text, 'base64').toString('utf8'),
  ]);
  return Object.fromEntries(entries);
}
