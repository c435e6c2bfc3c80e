/** Watches one cluster: asks everybody every second, sooner while its primary is silent, and keeps the verdict. */
import type { Clock, Instant, Millis } from '../base/clock.ts';
import { AppError } from '../base/errors.ts';
import type { Logger } from '../base/log.ts';
import type { Inspection, Look, Member } from '../database/port.ts';
import { classify } from './classify.ts';
import type { SupervisionMetrics } from './metrics.ts';
import { listens } from './observers.ts';
import { Replicas, Witnesses } from './others.ts';
import { type Pace, paceOf } from './pace.ts';
import { beatPeriod, type Finding, type NewestLook, type Supervised } from './port.ts';
import { Probe } from './probe.ts';
import {
  afterInspection,
  afterLook,
  afterWrite,
  isMissing,
  lastSign,
  lostAcks,
  type Outcome,
  type PrimarySigns,
  type ReplicaSigns,
  replicaStanding,
} from './signs.ts';

export interface MonitorOptions {
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: SupervisionMetrics;
  /** Whether this process leads; nothing is asked while it does not. */
  readonly mayAct: () => boolean;
  /** The verdict on the primary of this cluster, by uid, has changed, or what a replica of it is worth. */
  readonly onChange: (clusterUid: string) => void;
}

const beatLimit: Millis = 2_000;
/** Of a timer; less than half of the shortest period. */
const tolerance: Millis = 50;
const inspectLimit: Millis = 2_000;

/** Runs from its making until `stop`; asks nobody while `mayAct` is false. */
export class Monitor {
  readonly #options: MonitorOptions;
  readonly #stopping = new AbortController();
  readonly #look: Probe<Look>;
  readonly #beat: Probe<void>;
  readonly #inspect: Probe<Inspection>;
  readonly #replicas: Replicas;
  readonly #witnesses: Witnesses;
  readonly #replicaHosts: Witnesses;
  readonly #looks = new Map<string, NewestLook>();
  #cluster: Supervised;
  #member: Member | undefined;
  #primary: PrimarySigns;
  #lastWriteTime: Instant | undefined;
  #finding: Finding | undefined;
  #pace: Pace;
  #due: Millis = 0;
  #nextRound: Millis = 0;
  #nextBeat: Millis = 0;
  #alarm = new AbortController();

  constructor(cluster: Supervised, options: MonitorOptions) {
    const { clock } = options;
    this.#options = options;
    this.#cluster = cluster;
    this.#pace = paceOf(cluster.silenceSeconds * 1000);
    this.#member = memberOf(cluster);
    this.#primary = unseenPrimary(cluster, this.#member);
    const lookLimit = () => this.#pace.answer;
    this.#look = new Probe({
      clock,
      deadline: lookLimit,
      ask: async () => this.#database().look(lookLimit()),
      settled: (outcome) => this.#sawPrimary(outcome),
    });
    this.#beat = new Probe({
      clock,
      deadline: () => beatLimit,
      ask: async () => this.#database().beat(this.#cluster.epoch, beatLimit),
      settled: (outcome) => this.#sawBeat(outcome),
    });
    this.#inspect = new Probe({
      clock,
      deadline: () => inspectLimit,
      ask: async () => this.#database().inspect(inspectLimit),
      settled: (outcome) => {
        this.#primary = afterInspection(this.#primary, outcome);
        this.#judge();
      },
    });
    this.#replicas = new Replicas(clock, lookLimit, (...seen) => this.#sawReplica(...seen));
    const witnessLimit = () => this.#pace.witness;
    this.#witnesses = new Witnesses(clock, witnessLimit, () => this.#judge());
    this.#replicaHosts = new Witnesses(clock, witnessLimit, () => this.#judge());
    this.#replicas.follow(replicasOf(cluster));
    this.#witnesses.follow(cluster.witnesses);
    this.#replicaHosts.follow(cluster.replicaHosts);
  }

  get finding(): Finding | undefined {
    return this.#finding;
  }

  /** Goes on with these members. Another primary or epoch begins with a clean slate. */
  follow(cluster: Supervised): void {
    const before = this.#cluster;
    const member = memberOf(cluster);
    const isSame = before.primary === cluster.primary && before.epoch === cluster.epoch;
    this.#cluster = cluster;
    this.#pace = paceOf(cluster.silenceSeconds * 1000);
    // A Server that is gone takes its member along, but the primary is still to be watched from afar.
    this.#member = member ?? (isSame ? this.#member : undefined);
    const isSameMachine = isSame && this.#member?.address === this.#primary.address;
    if (!isSameMachine) this.#forgetAll();
    const gone = this.#replicas.follow(replicasOf(cluster));
    for (const server of gone) {
      this.#looks.delete(server);
      this.#options.metrics.forgetReplica(cluster, server);
    }
    this.#witnesses.follow(cluster.witnesses);
    this.#replicaHosts.follow(cluster.replicaHosts);
  }

  /** Probes until `stop`; never rejects. */
  async run(): Promise<void> {
    const { clock } = this.#options;
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      const wait = this.#due - clock.monotonic();
      if (wait <= 0) this.#tick();
      else await clock.sleep(wait, this.#alarm.signal).catch(() => undefined);
      if (this.#alarm.signal.aborted) this.#alarm = new AbortController();
    }
  }

  stop(): void {
    this.#stopping.abort();
    this.#alarm.abort();
    for (const probe of [this.#look, this.#beat, this.#inspect]) probe.stop();
    this.#replicas.stop();
    this.#witnesses.stop();
    this.#replicaHosts.stop();
    this.#options.metrics.forget(this.#cluster);
  }

  #tick(): void {
    const { silence, look } = this.#primary;
    const now = this.#options.clock.monotonic();
    const { look: period } = this.#pace;
    this.#due = silence === undefined ? now + Math.min(beatPeriod, period) : this.#urgentDue(now);
    if (!this.#options.mayAct()) {
      this.#forgetAll();
      return;
    }
    // A timer may be a little early.
    const isDue = (at: Millis) => now >= at - tolerance;
    if (silence === undefined && look !== undefined && isDue(this.#nextBeat)) {
      this.#nextBeat = now + beatPeriod;
      this.#beat.start();
    }
    if (silence !== undefined || isDue(this.#nextRound)) this.#askAll(now + period);
  }

  /** Soon, and at the moment at which somebody's silence has lasted long enough. */
  #urgentDue(now: Millis): Millis {
    const signs = [lastSign(this.#primary), ...this.#replicas.signs.map(({ heardAt }) => heardAt)];
    const moments = signs.flatMap((at) =>
      at === undefined ? [] : [at + this.#cluster.silenceSeconds * 1000],
    );
    return Math.min(now + this.#pace.urgent, ...moments.filter((moment) => moment > now));
  }

  #askAll(nextRound: Millis): void {
    const { silence, unwritten } = this.#primary;
    this.#nextRound = nextRound;
    this.#look.start();
    this.#replicas.ask();
    if (silence !== undefined) this.#askWitnesses();
    if (silence !== undefined || unwritten !== undefined) this.#inspect.start();
    this.#judge();
  }

  #askWitnesses(): void {
    const { address } = this.#primary;
    this.#witnesses.ask(address);
    const idle = this.#replicas.signs.filter((replica) => !listens(replica, address));
    this.#replicaHosts.ask(
      address,
      idle.map(({ server }) => server),
    );
  }

  #sawPrimary(outcome: Outcome<Look>): void {
    const { clock, metrics } = this.#options;
    const before = this.#primary;
    this.#primary = afterLook(before, outcome);
    const answers = 'value' in outcome;
    metrics.primaryAnswers(this.#cluster, answers);
    if (answers) {
      this.#looks.set(this.#cluster.primary, { at: clock.now(), look: outcome.value });
      this.#witnesses.forget();
      this.#replicaHosts.forget();
      if (before.look === undefined || before.silence !== undefined) this.#beat.start();
    } else if (before.silence === undefined) {
      this.#hurry();
    }
    this.#judge();
  }

  /** The primary has just fallen silent: everybody is asked at once, and it again soon. */
  #hurry(): void {
    this.#due = Math.min(this.#due, this.#options.clock.monotonic() + this.#pace.urgent);
    this.#alarm.abort();
    this.#inspect.start();
    this.#replicas.ask();
    this.#askWitnesses();
  }

  #sawBeat(outcome: Outcome<void>): void {
    this.#primary = afterWrite(this.#primary, outcome);
    if ('value' in outcome) this.#lastWriteTime = this.#options.clock.now();
    this.#judge();
  }

  #sawReplica(outcome: Outcome<Look>, before: ReplicaSigns, now: ReplicaSigns): void {
    const { clock, metrics, onChange } = this.#options;
    const { server } = now;
    const look = 'value' in outcome ? outcome.value : undefined;
    const known = this.#looks.get(server);
    if (look !== undefined) this.#looks.set(server, { at: clock.now(), look });
    else if (known !== undefined && isMissing(now)) this.#looks.set(server, { ...known, isOver: true });
    metrics.replicaSeen(this.#cluster, server, look);
    this.#judge();
    // Whether a failover would succeed rests on it: who says so must not be the last to know.
    if (replicaStanding(before) !== replicaStanding(now)) onChange(this.#cluster.uid);
  }

  #judge(): void {
    const { clock, log, metrics, onChange } = this.#options;
    const now = clock.monotonic();
    const { acks, silenceSeconds, stallSeconds, uid, name, epoch } = this.#cluster;
    const { verdict, evidence } = classify({
      now,
      primary: this.#primary,
      replicas: this.#replicas.signs,
      witnesses: this.#witnesses.signs,
      hosts: this.#replicaHosts.signs,
      machineState: this.#member && this.#cluster.machineState(this.#member.instanceID),
      acks,
      silence: silenceSeconds * 1000,
      stall: stallSeconds * 1000,
    });
    if (verdict === 'AcksLost') this.#primary = lostAcks(this.#primary, now);
    const before = this.#finding;
    if (before === undefined && !this.#isRoundOver()) return;
    const isNew = before?.verdict !== verdict;
    this.#finding = {
      verdict,
      epoch,
      evidence,
      since: isNew ? clock.now() : before.since,
      looks: new Map(this.#looks),
      ...(this.#lastWriteTime !== undefined && { lastWriteTime: this.#lastWriteTime }),
    };
    if (!isNew) return;
    log.info({ cluster: name, verdict, evidence }, 'changed the verdict on a primary');
    metrics.found(this.#cluster, verdict);
    onChange(uid);
  }

  #isRoundOver(): boolean {
    const { silence, wroteAt, unwritten } = this.#primary;
    const isPrimaryKnown = [silence, wroteAt, unwritten].some((sign) => sign !== undefined);
    return isPrimaryKnown && this.#replicas.areKnown;
  }

  #forgetAll(): void {
    this.#primary = unseenPrimary(this.#cluster, this.#member);
    this.#replicas.forget();
    this.#witnesses.forget();
    this.#replicaHosts.forget();
    this.#looks.clear();
    this.#lastWriteTime = undefined;
    this.#finding = undefined;
    this.#nextRound = 0;
  }

  #database() {
    if (this.#member !== undefined) return this.#member.database;
    throw new AppError('database.silent', `nobody knows where ${this.#cluster.primary} is`);
  }
}

function memberOf({ members, primary }: Supervised): Member | undefined {
  return members.find(({ server }) => server === primary);
}

function replicasOf({ members, primary }: Supervised): readonly Member[] {
  return members.filter(({ server }) => server !== primary);
}

function unseenPrimary({ primary, epoch }: Supervised, member: Member | undefined): PrimarySigns {
  return { server: primary, address: member?.address ?? '', epoch };
}
