/** Which passwords servers accept, as each says when it is tried: once a minute, and with every pass while they change. */
import type { MySQLCluster } from '../../api/mysql-cluster.ts';
import type { Clock, Instant, Millis } from '../../base/clock.ts';
import { hasCode, messageOf } from '../../base/errors.ts';
import { ask, patience } from '../../cluster-access/ask.ts';
import type { Credentials } from '../../cluster-access/credentials.ts';
import type { Member } from '../../database/port.ts';
import type { Acceptance } from './decide/plan.ts';

const period: Millis = 60_000;
/** One that did not answer is tried again sooner. */
const retryPeriod: Millis = 10_000;
/** What was refused is not said again at once: a rule has to be changed first. */
const refusalPause: Millis = 30_000;

interface Known {
  /** Of which passwords it is. */
  readonly numbers: string;
  readonly askedAt: Instant;
  readonly accepted: ReadonlyMap<string, Acceptance>;
  readonly refusal: string | undefined;
  readonly refusedAt: Instant;
}

/** Nothing is known after a restart until servers were tried. */
export class CredentialWatch {
  readonly #clock: Clock;
  readonly #known = new Map<string, Known>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** What was found with the passwords that are on record now. */
  of(cluster: MySQLCluster): Pick<Known, 'accepted' | 'refusal'> {
    return this.#of(cluster);
  }

  /** Tries these members when it is time to. */
  async ask(
    cluster: MySQLCluster,
    { current, other }: Credentials,
    members: readonly Member[],
    now: Instant,
  ): Promise<void> {
    const known = this.#of(cluster);
    if (current === undefined || !isDue(cluster, known, members, now)) return;
    const answers = await Promise.all(
      members.map(async ({ server, database }) => {
        const accepts = async (passwords: Credentials['current']) =>
          passwords === undefined ? undefined : await ask(this.#clock, database.accepts(passwords, patience));
        const [isCurrent, isOther] = await Promise.all([accepts(current), accepts(other)]);
        if (isCurrent === undefined || (other !== undefined && isOther === undefined)) return [];
        return [
          [server, { current: isCurrent, ...(isOther === undefined ? {} : { other: isOther }) }],
        ] as const;
      }),
    );
    const names = new Set(members.map(({ server }) => server));
    const before = [...known.accepted].filter(([server]) => names.has(server));
    const accepted = new Map([...before, ...answers.flat()]);
    this.#known.set(cluster.metadata.uid, { ...known, askedAt: now, accepted });
  }

  /** It has refused them, and so recently that it would again. */
  isRefused(cluster: MySQLCluster, now: Instant): boolean {
    const { refusal, refusedAt } = this.#of(cluster);
    return refusal !== undefined && now - refusedAt < refusalPause;
  }

  /** What came of telling the primary its passwords; undefined = it has them. Only its own word is a refusal. */
  told(cluster: MySQLCluster, failure: unknown, now: Instant): void {
    const refusal = hasCode(failure, 'database.failed') ? messageOf(failure) : undefined;
    this.#known.set(cluster.metadata.uid, { ...this.#of(cluster), refusal, refusedAt: now });
  }

  forget(uid: string): void {
    this.#known.delete(uid);
  }

  #of(cluster: MySQLCluster): Known {
    const known = this.#known.get(cluster.metadata.uid);
    const numbers = numbersOf(cluster);
    return known?.numbers === numbers
      ? known
      : {
          numbers,
          askedAt: Number.NEGATIVE_INFINITY,
          accepted: new Map(),
          refusal: undefined,
          refusedAt: Number.NEGATIVE_INFINITY,
        };
  }
}

function numbersOf({ status }: MySQLCluster): string {
  const { serial, rotation } = status?.credentials ?? {};
  return `${serial} ${rotation?.step} ${rotation?.serial}`;
}

function isDue(
  { status }: MySQLCluster,
  { askedAt, accepted }: Known,
  members: readonly Member[],
  now: Instant,
): boolean {
  if (status?.credentials?.rotation !== undefined) return true;
  const isUnknown = members.some(({ server }) => !accepted.has(server));
  return now - askedAt >= (isUnknown ? retryPeriod : period);
}
