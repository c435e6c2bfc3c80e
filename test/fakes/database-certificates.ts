/** The certificates of one server in memory: the pair in its files, the one beside it, and what its process shows. */
import { createHash } from 'node:crypto';
import type { Clock, Millis } from '../../controller/base/clock.ts';
import { AppError } from '../../controller/base/errors.ts';
import type { Certificate, CertificateLook, Certificates, Stamp } from '../../controller/database/port.ts';
import type { FakeServer } from './database-server.ts';

/** Good for ten years, as the script on the host makes them. */
export const certificateLife: Millis = 3_650 * 86_400_000;

export type FakePair = Certificate & { readonly mark: string; readonly pem: string };

/** A pair that nobody else has. */
export function fakePair(name: string, mark: string, notBefore: number): FakePair {
  const fingerprint = createHash('sha256').update(`${name} ${mark}`).digest('hex');
  return {
    fingerprint,
    notBefore,
    notAfter: notBefore + certificateLife,
    mark,
    pem: `-----BEGIN CERTIFICATE-----\n${fingerprint}\n-----END CERTIFICATE-----\n`,
  };
}

/** What is on the disk of a host, and in its server's memory. */
export class FakePairs {
  /** Undefined when somebody has deleted it. */
  own: FakePair | undefined;
  other: FakePair | undefined;
  presented: FakePair | undefined;
  /** So far ahead of everybody's is the clock of its host. */
  clockAhead: Millis = 0;
  /** The server refuses to load another. */
  isStuck = false;

  constructor(name: string) {
    // Nobody asks when it was made, as long as it is good.
    this.own = { ...fakePair(name, '', 0), notAfter: Date.parse('2100-01-01T00:00:00Z') };
    this.load();
  }

  /** The process reads its files. */
  load(): void {
    this.presented = this.own;
  }

  get pem(): string {
    return [this.own, this.other].map((pair) => pair?.pem ?? '').join('');
  }

  /** Whether who accepts these certificates, and has this time, connects to it. */
  isAcceptedBy(trusts: string, now: number): boolean {
    const { presented } = this;
    if (presented === undefined) return false;
    return trusts.includes(presented.pem) && presented.notBefore <= now && now < presented.notAfter;
  }
}

/** How the fake host is reached. */
interface Reach {
  readonly onHost: <Result>(operation: keyof Certificates, effect: () => Result) => Promise<Result>;
  readonly asRoot: <Result>(operation: keyof Certificates, effect: () => Result) => Promise<Result>;
}

export class FakeCertificates implements Certificates {
  readonly #server: FakeServer;
  readonly #clock: Clock;
  readonly #reach: Reach;

  constructor(server: FakeServer, clock: Clock, reach: Reach) {
    this.#server = server;
    this.#clock = clock;
    this.#reach = reach;
  }

  look(): Promise<CertificateLook> {
    return this.#reach.onHost('look', () => {
      const { pairs, trusts, speaks } = this.#server;
      return {
        time: this.#now(),
        own: pairs.own,
        other: pairs.other,
        presented: speaks ? pairs.presented?.fingerprint : undefined,
        trusted: fingerprintsIn(trusts),
      };
    });
  }

  make(_address: string, mark: string, stamp: Stamp): Promise<void> {
    return this.#reach.onHost('make', () => {
      const { pairs, name } = this.#server;
      this.#server.admit(stamp);
      if (pairs.other?.mark !== mark) pairs.other = fakePair(name, mark, this.#now());
    });
  }

  trust(certificates: string, keep: 'Former' | 'None', stamp: Stamp): Promise<void> {
    return this.#reach.onHost('trust', () => {
      this.#server.admit(stamp);
      this.#server.trusts = (keep === 'Former' ? this.#server.trusts : '') + certificates;
    });
  }

  present(fingerprint: string, stamp: Stamp): Promise<void> {
    return this.#reach.asRoot('present', () => {
      const { pairs } = this.#server;
      this.#server.admit(stamp);
      if (pairs.isStuck) throw new AppError('database.failed', `${this.#server.name}: 3887: TLS library`);
      if (pairs.own?.fingerprint !== fingerprint) {
        if (pairs.other?.fingerprint !== fingerprint) throw this.#failed(`no certificate ${fingerprint}`);
        [pairs.own, pairs.other] = [pairs.other, pairs.own];
      }
      pairs.load();
    });
  }

  discard(fingerprint: string, stamp: Stamp): Promise<void> {
    return this.#reach.onHost('discard', () => {
      const { pairs } = this.#server;
      this.#server.admit(stamp);
      if (pairs.own?.fingerprint !== fingerprint) throw this.#failed('another certificate is in use');
      pairs.other = undefined;
    });
  }

  #now(): number {
    return this.#clock.now() + this.#server.pairs.clockAhead;
  }

  #failed(what: string): AppError {
    return new AppError('shell.host-failed', `${this.#server.name}: ${what}`);
  }
}

function fingerprintsIn(text: string): readonly string[] {
  return text.match(/^[\da-f]{64}$/gm) ?? [];
}
