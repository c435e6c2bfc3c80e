/** The write-ahead log of one change of primary: steps, findings and times in the status of its Promotion. */
import { findCondition, messageLimit, stampConditions, type UnstampedCondition } from '../api/conditions.ts';
import type { MySQLCluster, MySQLClusterStatus } from '../api/mysql-cluster.ts';
import { mySQLClusterKind } from '../api/mysql-cluster.ts';
import {
  isPlanned,
  type Promotion,
  type PromotionStatus,
  promotionKind,
  recordedGtidsLimit,
} from '../api/promotion.ts';
import type { Reason } from '../api/reasons.ts';
import { type Millis, timestamp } from '../base/clock.ts';
import { cutText } from '../base/text.ts';
import type { FailoverPorts } from './port.ts';

export type StepName =
  | 'Detect'
  | 'Fence'
  | 'Preflight'
  | 'BlockWrites'
  | 'CatchUp'
  | 'Commit'
  | 'Promote'
  | 'Repoint'
  | 'Open'
  | 'UpdateProxies'
  | 'UpdateDNS'
  | 'VerifyWrites'
  | 'WakeEvents'
  | 'RollBack';

export type Ending = Exclude<Reason<'Promotion', 'Succeeded'>, 'Queued' | 'Running'>;
export type Facts = Partial<Omit<PromotionStatus, 'steps' | 'conditions' | 'currentStep'>>;

type JournalPorts = Pick<FailoverPorts, 'kube' | 'clock' | 'events' | 'stepTimes'>;
type Step = NonNullable<PromotionStatus['steps']>[number];

const allEndWith: readonly StepName[] = [
  'CatchUp',
  'Commit',
  'Promote',
  'Repoint',
  'Open',
  'UpdateProxies',
  'UpdateDNS',
  'VerifyWrites',
  'WakeEvents',
];
const plannedSteps: readonly StepName[] = ['Preflight', 'BlockWrites', ...allEndWith];
const failoverSteps: readonly StepName[] = ['Detect', 'Fence', ...allEndWith];

/**
 * Holds both objects as last written. What is staged with `leave`, `add` and `stage` is stored with the next `enter`. One
 * write is under way at a time.
 */
export class Journal {
  readonly #ports: JournalPorts;
  #cluster: MySQLCluster;
  #promotion: Promotion;
  #status: PromotionStatus;
  /** What the next write says in conditions. */
  #unstamped: readonly UnstampedCondition[] = [];
  /** Every step that was staged is stored. */
  #isStored = true;
  /** Of a write that nobody waited for. */
  #failure: Error | undefined;
  #last: Promise<void> = Promise.resolve();

  constructor(ports: JournalPorts, cluster: MySQLCluster, promotion: Promotion) {
    this.#ports = ports;
    this.#cluster = cluster;
    this.#promotion = promotion;
    this.#status = promotion.status ?? {};
  }

  get cluster(): MySQLCluster {
    return this.#cluster;
  }

  get promotion(): Promotion {
    return this.#promotion;
  }

  /** What is recorded, and what is staged to be. */
  get status(): PromotionStatus {
    return this.#status;
  }

  step(name: StepName): Step | undefined {
    return this.#status.steps?.find((step) => step.name === name);
  }

  /** How long the step has lasted for this process; 0 before it began. */
  elapsed(name: StepName): Millis {
    if (this.step(name)?.startTime === undefined) return 0;
    return this.#ports.stepTimes.elapsed(this.#promotion.metadata.uid, name);
  }

  /** The present, as it is written into status. */
  now(): string {
    return timestamp(this.#ports.clock.now());
  }

  add(facts: Facts): void {
    this.#status = { ...this.#status, ...facts };
  }

  /** Stages that a step is under way, where nothing is done before something else is stored. */
  stage(name: StepName, message?: string): void {
    this.#begin(name, message);
    this.#unstamped = this.#running();
    this.#isStored = false;
  }

  /** Stores that a step is under way, and all that was staged. Stores nothing when that is on record. */
  async enter(name: StepName, message?: string): Promise<void> {
    this.stage(name, message);
    await this.#store();
  }

  /**
   * The same for a step after the commit: clients wait for that step, and it may be repeated whatever is on record of it, so
   * nobody waits for the record. `settle` does, and tells of its failure.
   */
  pass(name: StepName): void {
    this.stage(name);
    this.#store().catch((error: unknown) => {
      this.#failure = error instanceof Error ? error : new Error(String(error));
    });
  }

  /** Resolves when every step that was staged is stored, with what was found until then. */
  async settle(): Promise<void> {
    await this.#last;
    if (this.#failure !== undefined) throw this.#failure;
    if (!this.#isStored) await this.#store();
  }

  /** Stages the end of a step. */
  leave(name: StepName, message: string, state: 'Succeeded' | 'Skipped' | 'Failed' = 'Succeeded'): void {
    const completionTime = this.step(name)?.completionTime ?? this.now();
    this.#put(name, { state, message: cutText(message, messageLimit), completionTime });
  }

  /** From here on there is only the way back; how it will end is on record before anything is undone. */
  async turnBack(reason: Ending, message: string): Promise<void> {
    if (this.turn !== undefined) return;
    this.#begin('RollBack', message);
    this.#unstamped = this.#running({ reason, message });
    await this.#store();
  }

  /** Why there is only the way back, when that is on record. */
  get turn(): { readonly reason: Ending; readonly message: string } | undefined {
    if (this.step('RollBack') === undefined) return undefined;
    const { reason = 'StepFailed', message = '' } = findCondition(this.#status, 'Reconciling') ?? {};
    return { reason: reason as Ending, message };
  }

  /** Stores the end. */
  async finish(reason: Ending, message: string): Promise<void> {
    const isGood = reason === 'Completed' || reason === 'CompletedWithWarnings';
    const { currentStep: _, ...rest } = this.#status;
    this.#status = { ...rest, completionTime: this.now() };
    this.#unstamped = [
      { type: 'Succeeded', status: isGood ? 'True' : 'False', reason, message },
      { type: 'Finished', status: 'True', reason: isGood ? 'Completed' : 'Failed', message },
      // Nobody has to do anything about a false alarm.
      ...(isGood || reason === 'PrimaryHealthy'
        ? []
        : [{ type: 'Stalled', status: 'True', reason, message } as const]),
    ];
    await this.#store();
    this.#ports.stepTimes.forget(this.#promotion.metadata.uid);
  }

  /** Changes the cluster, if nobody else has in the meantime. */
  async writeCluster(changes: Pick<MySQLClusterStatus, 'primary' | 'durability'>): Promise<void> {
    const status = { ...this.#cluster.status, ...changes };
    this.#cluster = await this.#ports.kube.writeStatus(mySQLClusterKind, this.#cluster, status);
  }

  #begin(name: StepName, message?: string): void {
    const plan = isPlanned(this.#promotion) ? plannedSteps : failoverSteps;
    const planned = this.#status.steps ?? plan.map((one): Step => ({ name: one, state: 'Pending' }));
    const startTime = this.step(name)?.startTime;
    if (startTime === undefined) this.#ports.events.normal(this.#promotion, 'PromotionStep', `Step ${name}.`);
    this.#status = { ...this.#status, steps: planned, currentStep: name };
    this.#put(name, {
      state: 'Running',
      startTime: startTime ?? this.now(),
      ...(message === undefined ? {} : { message: cutText(message, messageLimit) }),
    });
    // It counts from now.
    this.elapsed(name);
  }

  #put(name: StepName, changes: Partial<Step>): void {
    const steps = this.#status.steps ?? [];
    const put = (step: Step): Step => (step.name === name ? { ...step, ...changes } : step);
    const isKnown = steps.some((step) => step.name === name);
    this.#status = {
      ...this.#status,
      steps: isKnown ? steps.map(put) : [...steps, { name, ...changes }],
    };
  }

  #running(turn?: { readonly reason: Ending; readonly message: string }): readonly UnstampedCondition[] {
    const { steps = [], currentStep = '' } = this.#status;
    const at = steps.findIndex(({ name }) => name === currentStep) + 1;
    const detail = steps[at - 1]?.message;
    const place = `Step ${currentStep} (${at} of ${steps.length})${detail === undefined ? '.' : `: ${detail}`}`;
    const message = turn?.message ?? place;
    return [
      { type: 'Succeeded', status: 'Unknown', reason: 'Running', message },
      { type: 'Finished', status: 'False', reason: 'Running', message: '' },
      { type: 'Reconciling', status: 'True', reason: turn?.reason ?? 'Running', message },
    ];
  }

  async #store(): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure;
    const writing = this.#last.then(() => this.#write());
    // Each hears of its own failure.
    this.#last = writing.catch(() => undefined);
    await writing;
  }

  async #write(): Promise<void> {
    const generation = this.#promotion.metadata.generation ?? 1;
    const stamp = { generation, at: this.now() };
    const conditions = stampConditions(this.#status.conditions, this.#unstamped, stamp);
    this.#isStored = true;
    this.#status = { ...this.#status, observedGeneration: generation, conditions };
    const fitting = withoutOversize(this.#status);
    this.#promotion = await this.#ports.kube.writeStatus(promotionKind, this.#promotion, fitting);
  }
}

/**
 * Sets that the API server would refuse for their length are left out: a change of primary must not stop for that, and
 * whoever carries on with it finds them out again.
 */
function withoutOversize({ frozen, targetGTIDs, ...status }: PromotionStatus): PromotionStatus {
  return {
    ...status,
    ...(frozen === undefined ? {} : { frozen: frozen.filter(({ received }) => isRecordable(received)) }),
    ...(targetGTIDs === undefined || !isRecordable(targetGTIDs) ? {} : { targetGTIDs }),
  };
}

function isRecordable(gtids: string): boolean {
  return gtids.length <= recordedGtidsLimit;
}
