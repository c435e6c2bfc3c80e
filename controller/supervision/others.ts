/** Who else looks at a primary: replicas, whose receivers hear it, and witnesses, who may be asked to try. */
import type { Clock, Millis } from '../base/clock.ts';
import type { Look, Member, Witness } from '../database/port.ts';
import { Probe } from './probe.ts';
import {
  afterWitness,
  lookedAtReplica,
  type Outcome,
  type ReplicaSigns,
  type WitnessSigns,
} from './signs.ts';

interface Watched<Who, Answer, Sign> {
  who: Who;
  readonly probe: Probe<Answer>;
  sign: Sign;
}

/** Looks at each replica, never twice at once; `signs` has what was seen last. */
export class Replicas {
  readonly #clock: Clock;
  readonly #limit: () => Millis;
  readonly #seen: (outcome: Outcome<Look>, before: ReplicaSigns, now: ReplicaSigns) => void;
  readonly #watched = new Map<string, Watched<Member, Look, ReplicaSigns>>();

  /** `limit` is that of an answer, now; `seen` is told of every look, after it was noted. */
  constructor(
    clock: Clock,
    limit: () => Millis,
    seen: (outcome: Outcome<Look>, before: ReplicaSigns, now: ReplicaSigns) => void,
  ) {
    this.#clock = clock;
    this.#limit = limit;
    this.#seen = seen;
  }

  get signs(): readonly ReplicaSigns[] {
    return [...this.#watched.values()].map(({ sign }) => sign);
  }

  /** Each was asked once and has answered or failed to. */
  get areKnown(): boolean {
    return this.signs.every(({ misses, lookedAt }) => misses > 0 || lookedAt !== undefined);
  }

  /** Watches these from now on; returns the servers it watches no longer. */
  follow(members: readonly Member[]): readonly string[] {
    const gone = [...this.#watched].filter(([name, { who }]) => {
      const now = members.find(({ server }) => server === name);
      return now?.instanceID !== who.instanceID;
    });
    for (const [name, { probe }] of gone) {
      probe.stop();
      this.#watched.delete(name);
    }
    for (const member of members) {
      const known = this.#watched.get(member.server);
      if (known === undefined) this.#watched.set(member.server, this.#watch(member));
      else known.who = member;
    }
    return gone.map(([name]) => name);
  }

  ask(): void {
    for (const { probe } of this.#watched.values()) probe.start();
  }

  forget(): void {
    for (const watched of this.#watched.values()) watched.sign = unseenReplica(watched.who);
  }

  stop(): void {
    for (const { probe } of this.#watched.values()) probe.stop();
  }

  #watch(member: Member): Watched<Member, Look, ReplicaSigns> {
    const watched: Watched<Member, Look, ReplicaSigns> = {
      who: member,
      sign: unseenReplica(member),
      probe: new Probe({
        clock: this.#clock,
        deadline: this.#limit,
        ask: async () => watched.who.database.look(this.#limit()),
        settled: (outcome) => {
          const before = watched.sign;
          watched.sign = lookedAtReplica(before, outcome);
          this.#seen(outcome, before, watched.sign);
        },
      }),
    };
    return watched;
  }
}

function unseenReplica({ server }: Member): ReplicaSigns {
  return { server, misses: 0 };
}

/** Asks only when told to, about one address; `answered` is called after each answer. */
export class Witnesses {
  readonly #clock: Clock;
  readonly #limit: () => Millis;
  readonly #answered: () => void;
  readonly #watched = new Map<string, Watched<Witness, boolean, WitnessSigns | undefined>>();
  #address = '';

  constructor(clock: Clock, limit: () => Millis, answered: () => void) {
    this.#clock = clock;
    this.#limit = limit;
    this.#answered = answered;
  }

  get signs(): readonly WitnessSigns[] {
    return [...this.#watched.values()].flatMap(({ sign }) => (sign === undefined ? [] : [sign]));
  }

  follow(witnesses: ReadonlyMap<string, Witness>): void {
    for (const [name, { probe }] of this.#watched) {
      if (witnesses.has(name)) continue;
      probe.stop();
      this.#watched.delete(name);
    }
    for (const [name, witness] of witnesses) {
      const known = this.#watched.get(name);
      if (known === undefined) this.#watched.set(name, this.#watch(name, witness));
      else known.who = witness;
    }
  }

  /** Asks each, or those named, whether it reaches a server at this address. */
  ask(address: string, among?: readonly string[]): void {
    this.#address = address;
    for (const [name, { probe }] of this.#watched) if (among?.includes(name) ?? true) probe.start();
  }

  forget(): void {
    for (const watched of this.#watched.values()) watched.sign = undefined;
  }

  stop(): void {
    for (const { probe } of this.#watched.values()) probe.stop();
  }

  #watch(server: string, witness: Witness): Watched<Witness, boolean, WitnessSigns | undefined> {
    const watched: Watched<Witness, boolean, WitnessSigns | undefined> = {
      who: witness,
      sign: undefined,
      probe: new Probe({
        clock: this.#clock,
        // It needs time of its own to find out that nobody greets it.
        deadline: () => 2 * this.#limit(),
        ask: async () => watched.who.reaches(this.#address, this.#limit()),
        settled: (outcome) => {
          watched.sign = afterWitness(watched.sign, server, outcome);
          this.#answered();
        },
      }),
    };
    return watched;
  }
}
