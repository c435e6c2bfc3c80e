/** Many HAProxies, whoever uses them: one pass at a time on each, so that none ever waits for another. */
import { isDeepStrictEqual } from 'node:util';
import type { Clock, Instant, Millis } from '../base/clock.ts';
import { AppError, hasCode } from '../base/errors.ts';
import type { Failpoints } from '../base/failpoints.ts';
import type { Host } from '../shell/port.ts';
import { carryOut } from './carry-out.ts';
import type { ProxyModel } from './model.ts';
import { type Awaited, awaitedIn, hasNewTerm, planAround, planChanges, type Step } from './plan.ts';
import type { FileOutcome, Observation, Proxies, Proxy, ServerName } from './port.ts';

/** What one HAProxy is asked to become. */
export interface Order {
  /** Identifies it over passes: uid of its owner and of the server. */
  readonly id: string;
  /** Undefined while the host has no address or no pinned key. */
  readonly host: Host | undefined;
  readonly model: ProxyModel;
  /** Only look. */
  readonly handsOff: boolean;
  /** What needs a reload to another structure waits; servers come and go nevertheless. */
  readonly keepStructure?: boolean;
  readonly onHandEdit: 'Overwrite' | 'Pause';
}

/** What the last pass on one HAProxy found and did. */
export interface Report {
  /** When it was last seen; undefined when it never was. */
  readonly seenAt: Instant | undefined;
  /** Since when it does not answer; undefined while it does. */
  readonly silentSince: Instant | undefined;
  /** As last seen. */
  readonly observation: Observation | undefined;
  readonly awaited: Awaited & {
    /** When one was added or taken off this list. */
    readonly since: Instant;
  };
  readonly trouble: Trouble | undefined;
  /** What this pass changed. */
  readonly done: readonly Done[];
}

/** Why a pass did not get as far as it should have. */
export interface Trouble {
  readonly kind: 'rejected' | 'edited' | 'unreachable' | 'refused';
  readonly message: string;
}

/** A step that was taken, and for how long HAProxy reloaded; 0 = it did not. */
export interface Done {
  readonly step: Step;
  readonly reloadMilliseconds: number;
}

interface Target {
  readonly order: Order;
  readonly proxy: Proxy;
  readonly observation: Observation;
}

interface Actor {
  report: Report;
  /** The pass that is under way. */
  pass: Promise<void> | undefined;
  rejection: { readonly base: string; readonly at: Instant; readonly trouble: Trouble } | undefined;
}

/** Look, change, look again. */
const rounds = 4;
/** A new server that is well passes its first check within this time. */
const firstChecks: Millis = 500;
/** How long a pass may keep the others of its owner waiting. */
const patience: Millis = 3_000;
/** The same, when the last one found nobody. */
const shortPatience: Millis = 100;
/** A configuration that was rejected is tried again after this long: a port may be free by then. */
const rejectionMemory: Millis = 60_000;

const nothingYet: Report = {
  seenAt: undefined,
  silentSince: undefined,
  observation: undefined,
  awaited: { checks: [], ends: [], since: 0 },
  trouble: undefined,
  done: [],
};

/** Remembers a report per HAProxy until `forget`; two passes on one HAProxy never overlap. */
export class ProxyFleet {
  readonly #proxies: Proxies;
  readonly #clock: Clock;
  readonly #failpoints: Failpoints;
  readonly #actors = new Map<string, Actor>();

  constructor(ports: { readonly proxies: Proxies; readonly clock: Clock; readonly failpoints: Failpoints }) {
    this.#proxies = ports.proxies;
    this.#clock = ports.clock;
    this.#failpoints = ports.failpoints;
  }

  /** A pass on each, side by side. A slow one goes on alone, and its last report stands in for it. */
  async pass(orders: readonly Order[]): Promise<ReadonlyMap<string, Report>> {
    const reports = orders.map(
      async (order): Promise<[string, Report]> => [order.id, await this.#turn(order)],
    );
    return new Map(await Promise.all(reports));
  }

  /** As last seen; undefined when it never was. */
  last(id: string): Observation | undefined {
    return this.report(id)?.observation;
  }

  /** Of the last pass; undefined before the first. */
  report(id: string): Report | undefined {
    return this.#actors.get(id)?.report;
  }

  /** Those that are no longer there; `prefix` is the uid of their owner. */
  forget(prefix: string, keep: ReadonlySet<string> = new Set()): void {
    for (const id of this.#actors.keys()) {
      if (id.startsWith(prefix) && !keep.has(id)) this.#actors.delete(id);
    }
  }

  async #turn(order: Order): Promise<Report> {
    const actor = this.#actors.get(order.id) ?? { report: nothingYet, pass: undefined, rejection: undefined };
    this.#actors.set(order.id, actor);
    actor.report = { ...actor.report, done: [] };
    const isSilent = actor.report.silentSince !== undefined;
    actor.pass ??= this.#run(actor, order).finally(() => {
      actor.pass = undefined;
    });
    const hurry = new AbortController();
    const bored = this.#clock.sleep(isSilent ? shortPatience : patience, hurry.signal).catch(() => undefined);
    await Promise.race([actor.pass, bored]);
    hurry.abort();
    return actor.report;
  }

  async #run(actor: Actor, order: Order): Promise<void> {
    const done: Done[] = [];
    try {
      if (order.host === undefined) {
        throw new AppError('shell.unreachable', 'its address or host key is not known yet');
      }
      const proxy = this.#proxies.of(order.host, order.model.layout);
      const { observation, trouble } = await this.#follow(actor, order, { proxy, done });
      const seenAt = this.#clock.now();
      const { since, ...before } = actor.report.awaited;
      const now = awaitedIn({ ...observation, model: order.model });
      const awaited = { ...now, since: isDeepStrictEqual(now, before) ? since : seenAt };
      actor.report = { seenAt, silentSince: undefined, observation, awaited, trouble, done };
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      const isSilence = hasCode(error, 'shell.unreachable', 'shell.interrupted');
      const silentSince = isSilence ? (actor.report.silentSince ?? this.#clock.now()) : undefined;
      const trouble = { kind: isSilence ? 'unreachable' : 'refused', message: error.message } as const;
      actor.report = { ...actor.report, silentSince, trouble, done };
    }
  }

  async #follow(
    actor: Actor,
    order: Order,
    { proxy, done }: { readonly proxy: Proxy; readonly done: Done[] },
  ): Promise<{ readonly observation: Observation; readonly trouble: Trouble | undefined }> {
    let trouble: Trouble | undefined;
    for (let round = 1; ; round += 1) {
      const observation = await proxy.observe();
      trouble = this.#obstacle(actor, order, observation);
      const steps = stepsFor(order, observation, trouble);
      if (steps.length === 0 || round === rounds) return { observation, trouble };
      for (const step of steps) {
        const outcome = await this.#take(step, { order, proxy, observation });
        if (outcome?.result === 'drifted') break;
        if (outcome !== undefined && outcome.result !== 'applied') this.#reject(actor, step, outcome);
        else done.push({ step, reloadMilliseconds: outcome?.reloadMilliseconds ?? 0 });
      }
      const joined = steps.flatMap(joinOf);
      if (joined.length === 0) continue;
      await proxy.admitWhenUp(joined, firstChecks);
      // More may have come meanwhile: the file is for the next pass, which sees them.
      return { observation, trouble };
    }
  }

  async #take(step: Step, on: Target): Promise<FileOutcome | undefined> {
    const { order, proxy, observation } = on;
    this.#failpoints.hit('balancer.before-step');
    const outcome = await carryOut(proxy, observation, step);
    this.#failpoints.hit('balancer.after-step');
    // Sessions with the one before must not live on.
    const isMove = step.do === 'write' && step.reload && hasNewTerm(order.model, observation.file);
    if (outcome?.result === 'applied' && isMove) await proxy.endOldWorkers();
    return outcome;
  }

  /** Why the file is not to be replaced now. */
  #obstacle(actor: Actor, order: Order, observation: Observation): Trouble | undefined {
    if (observation.file.isEdited && order.onHandEdit === 'Pause') {
      const { configFile } = order.model.layout;
      const message = `somebody edited ${configFile}. Undo it there, or set spec.onHandEdit to Overwrite; a copy is kept.`;
      return { kind: 'edited', message };
    }
    const { rejection } = actor;
    const write = planChanges({ ...observation, model: order.model }).find((step) => step.do === 'write');
    if (rejection === undefined || write === undefined) return undefined;
    const isFresh = this.#clock.now() - rejection.at < rejectionMemory;
    return isFresh && rejection.base === write.config.base ? rejection.trouble : undefined;
  }

  #reject(actor: Actor, step: Step, outcome: Exclude<FileOutcome, { result: 'applied' | 'drifted' }>): void {
    if (step.do !== 'write') return;
    const trouble = { kind: 'rejected', message: outcome.message } as const;
    actor.rejection = { base: step.config.base, at: this.#clock.now(), trouble };
  }
}

/** What a step has added or brought back. */
function joinOf(step: Step): readonly ServerName[] {
  if (step.do === 'add') return [{ backend: step.backend.name, server: step.server.name }];
  return step.do === 'revive' ? [step] : [];
}

function stepsFor(order: Order, observation: Observation, trouble: Trouble | undefined): readonly Step[] {
  const situation = { ...observation, model: order.model };
  if (order.handsOff) return [];
  const steps = planChanges(situation);
  const isRestructured = steps.some(
    (step) => step.do === 'write' && step.reload && step.config.base !== observation.running?.base,
  );
  const mayChange = trouble === undefined && !(order.keepStructure === true && isRestructured);
  return mayChange ? steps : planAround(situation);
}
