/** How servers stand with certificates, as their hosts say: every five minutes, and with every pass while one is renewed. */
import type { MySQLCluster } from '../../api/mysql-cluster.ts';
import type { Clock, Instant, Millis } from '../../base/clock.ts';
import { ask, patience } from '../../cluster-access/ask.ts';
import type { CertificateLook, Member } from '../../database/port.ts';
import type { CertificateFacts } from './decide/plan.ts';

/** It costs a few processes on each host, and nothing of it changes by itself but over months. */
const period: Millis = 300_000;
/** One that did not answer is asked again sooner, and so is everybody while a renewal waits for something. */
const retryPeriod: Millis = 10_000;
/** So long after its last step a renewal that does not go on is one that waits. */
const busyTime: Millis = 60_000;

interface Known {
  readonly askedAt: Instant;
  readonly looks: ReadonlyMap<string, CertificateLook>;
  /** In which epoch that was: after a change of primary others are to be accepted. */
  readonly epoch: number | undefined;
  /** The record of renewals as it was seen last, and since when it is that. */
  readonly record: string;
  readonly recordedAt: Instant;
}

/** Nothing is known after a restart until hosts were asked. */
export class CertificateWatch {
  readonly #clock: Clock;
  readonly #known = new Map<string, Known>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** `now` is when the pass began. */
  of({ metadata: { uid }, status }: MySQLCluster, now: Instant): CertificateFacts {
    const known = this.#known.get(uid);
    if (known === undefined || known.epoch !== status?.primary?.epoch)
      return { looks: new Map(), isFresh: false };
    return { looks: known.looks, isFresh: known.askedAt === now };
  }

  /** Asks these members when it is time to. */
  async ask(cluster: MySQLCluster, members: readonly Member[], now: Instant): Promise<void> {
    const { uid } = cluster.metadata;
    const known = this.#seen(cluster, now);
    this.#known.set(uid, known);
    if (now - known.askedAt < pauseOf(cluster, known, members, now)) return;
    const answers = await Promise.all(
      members.map(async ({ server, address, database }) => {
        const look = await ask(this.#clock, database.certificates.look(address, patience));
        return look === undefined ? [] : [[server, look] as const];
      }),
    );
    this.#known.set(uid, { ...known, askedAt: now, looks: new Map(answers.flat()) });
  }

  forget(uid: string): void {
    this.#known.delete(uid);
  }

  #seen({ metadata: { uid }, status }: MySQLCluster, now: Instant): Known {
    const known = this.#known.get(uid);
    const record = JSON.stringify(status?.certificates) ?? '';
    const epoch = status?.primary?.epoch;
    if (known === undefined || known.epoch !== epoch)
      return { askedAt: Number.NEGATIVE_INFINITY, looks: new Map(), epoch, record, recordedAt: now };
    return known.record === record ? known : { ...known, record, recordedAt: now };
  }
}

function pauseOf(
  { status }: MySQLCluster,
  { looks, askedAt, recordedAt }: Known,
  members: readonly Member[],
  now: Instant,
): Millis {
  const { renewal, due = [] } = status?.certificates ?? {};
  const isRenewing = renewal !== undefined || members.some(({ server }) => due.includes(server));
  // After one server comes the next.
  if (recordedAt > askedAt || (isRenewing && now - recordedAt < busyTime)) return 0;
  const isUnknown = members.some(({ server }) => !looks.has(server));
  return isRenewing || isUnknown ? retryPeriod : period;
}
