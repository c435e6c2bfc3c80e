/** A stateful S3 in memory, presigned URLs included. */
import type { Clock, Millis } from '../../controller/base/clock.ts';
import { AppError } from '../../controller/base/errors.ts';
import type { ObjectStore } from '../../controller/cloud/port.ts';
import { Faults } from './faults.ts';

export class FakeObjects implements ObjectStore {
  readonly faults = new Faults<keyof ObjectStore>();
  readonly #clock: Clock;
  readonly #buckets = new Map<string, Map<string, Uint8Array>>();

  constructor(clock: Clock, buckets: readonly string[] = ['state']) {
    this.#clock = clock;
    for (const bucket of buckets) this.#buckets.set(bucket, new Map());
  }

  /** Holds what the other holds, too. */
  copyFrom(other: FakeObjects): void {
    for (const [name, objects] of other.#buckets) this.#buckets.set(name, new Map(objects));
  }

  get(bucket: string, key: string): Promise<Uint8Array | undefined> {
    return this.faults.run('get', { bucket, key }, () => this.#bucket(bucket).get(key));
  }

  put(bucket: string, key: string, body: string | Uint8Array): Promise<void> {
    return this.faults.run('put', { bucket, key }, () => {
      this.#bucket(bucket).set(key, typeof body === 'string' ? new TextEncoder().encode(body) : body);
    });
  }

  list(bucket: string, prefix: string): Promise<readonly string[]> {
    return this.faults.run('list', { bucket, prefix }, () =>
      [...this.#bucket(bucket).keys()].filter((key) => key.startsWith(prefix)).toSorted(),
    );
  }

  presignFirstPut(bucket: string, key: string, expires: Millis): Promise<string> {
    return this.faults.run('presignFirstPut', { bucket, key, expires }, () =>
      this.#url(bucket, key, expires),
    );
  }

  presignGet(bucket: string, key: string, expires: Millis): Promise<string> {
    return this.faults.run('presignGet', { bucket, key, expires }, () => this.#url(bucket, key, expires));
  }

  check(bucket: string): Promise<void> {
    return this.faults.run('check', bucket, () => {
      this.#bucket(bucket);
    });
  }

  /** What a machine does with a URL of `presignFirstPut`; answers the HTTP status. */
  firstPut(url: string, body: string): 200 | 403 | 412 {
    const place = this.#placeOf(url);
    if (place === undefined) return 403;
    if (place.bucket.has(place.key)) return 412;
    place.bucket.set(place.key, new TextEncoder().encode(body));
    return 200;
  }

  /** What a machine gets from a URL of `presignGet`: the text, or the HTTP status. */
  fetch(url: string): string | 403 | 404 {
    const place = this.#placeOf(url);
    if (place === undefined) return 403;
    const body = place.bucket.get(place.key);
    return body === undefined ? 404 : new TextDecoder().decode(body);
  }

  /** The stored text, for assertions; undefined when there is none. */
  text(bucket: string, key: string): string | undefined {
    const body = this.#bucket(bucket).get(key);
    return body === undefined ? undefined : new TextDecoder().decode(body);
  }

  #url(bucket: string, key: string, expires: Millis): string {
    const path = key.split('/').map(encodeURIComponent).join('/');
    return `https://${bucket}.s3.fake.test/${path}?X-Expires=${this.#clock.now() + expires}`;
  }

  /** Where a URL leads; undefined when it has expired. */
  #placeOf(url: string): { readonly bucket: Map<string, Uint8Array>; readonly key: string } | undefined {
    const { hostname, pathname, searchParams } = new URL(url);
    if (Number(searchParams.get('X-Expires')) <= this.#clock.now()) return undefined;
    return {
      bucket: this.#bucket(hostname.split('.')[0] ?? ''),
      key: decodeURIComponent(pathname.slice(1)),
    };
  }

  #bucket(name: string): Map<string, Uint8Array> {
    const bucket = this.#buckets.get(name);
    if (bucket === undefined) throw new AppError('objects.not-found', `there is no bucket ${name}`);
    return bucket;
  }
}
