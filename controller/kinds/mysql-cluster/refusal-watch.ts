/** Whether the API server would let a change of primary be written down, as it says when it is asked to try. */
import type { MySQLCluster } from '../../api/mysql-cluster.ts';
import { promotionKind } from '../../api/promotion.ts';
import type { Clock, Instant, Millis } from '../../base/clock.ts';
import { ask } from '../../cluster-access/ask.ts';
import type { Kube } from '../../kube/port.ts';
import { draftPromotion } from './draft.ts';

/** Quotas, policies and rights change seldom. */
const period: Millis = 60_000;
/** A cluster that is asked to go may be so because its namespace is, and one that was refused waits for a person. */
const doubtfulPeriod: Millis = 5_000;

interface Known {
  readonly askedAt: Instant;
  readonly refusal: string | undefined;
}

/** Nothing is known after a restart until the API server was asked. */
export class RefusalWatch {
  readonly #kube: Kube;
  readonly #clock: Clock;
  readonly #known = new Map<string, Known>();

  constructor({ kube, clock }: { readonly kube: Kube; readonly clock: Clock }) {
    this.#kube = kube;
    this.#clock = clock;
  }

  /** Why it would not, as it said last. */
  of(uid: string): string | undefined {
    return this.#known.get(uid)?.refusal;
  }

  /** Asks when it is time to; `isUrgent`: in any case, as it has just refused. */
  async ask(cluster: MySQLCluster, now: Instant, isUrgent = false): Promise<void> {
    const { uid, deletionTimestamp } = cluster.metadata;
    const known = this.#known.get(uid);
    const isDoubtful = deletionTimestamp !== undefined || known?.refusal !== undefined;
    const pause = isDoubtful ? doubtfulPeriod : period;
    if (!isUrgent && known !== undefined && now - known.askedAt < pause) return;
    const asked: Known = { askedAt: now, refusal: known?.refusal };
    this.#known.set(uid, asked);
    const answer = this.#try(cluster, asked);
    // It may fail after everybody has stopped to wait; it is asked again as after any answer.
    answer.catch(() => undefined);
    await ask(this.#clock, answer);
  }

  async #try(cluster: MySQLCluster, asked: Known): Promise<void> {
    const { uid, name } = cluster.metadata;
    const draft = draftPromotion(cluster, { name: `${name}-trial`, why: 'Whether it could be made.' });
    const refusal = await this.#kube.explainRefusal(promotionKind, draft);
    if (this.#known.get(uid) === asked) this.#known.set(uid, { ...asked, refusal });
  }

  forget(uid: string): void {
    this.#known.delete(uid);
  }
}
