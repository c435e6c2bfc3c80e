/** Reads the figures of voting servers over SSH, once per period and server, and remembers the newest. */

import { hostOf } from '../../accounts/host.ts';
import type { Accounts } from '../../accounts/port.ts';
import { siteOf } from '../../accounts/site.ts';
import { cloudAccountKind } from '../../api/cloud-account.ts';
import { scriptKind } from '../../api/script.ts';
import type { Server } from '../../api/server.ts';
import type { ServerArray } from '../../api/server-array.ts';
import type { FrozenScript } from '../../api/template-revision.ts';
import type { Instant, Millis } from '../../base/clock.ts';
import { AppError } from '../../base/errors.ts';
import { Pool } from '../../base/pool.ts';
import type { ObjectStore } from '../../cloud/port.ts';
import { freezeScript } from '../../inputs/script-text.ts';
import type { Cache, Kube } from '../../kube/port.ts';
import type { Host, Shell } from '../../shell/port.ts';
import type { FigureSource, Figures } from './decide/plan.ts';
import { cpuBetween, parseSample, type Sample, sampleCommand } from './sample-command.ts';
import { judgeScript, scriptCommand, timeLimit, whyUnusable } from './script-sample.ts';

export interface SamplerPorts {
  readonly kube: Kube;
  readonly cache: Cache;
  readonly accounts: Accounts;
  readonly shell: Shell;
}

/** What an array wants to know. */
export interface Wanted {
  readonly array: ServerArray;
  readonly servers: readonly Server[];
  /** Whether it votes on figures of the host itself. */
  readonly host: boolean;
  /** Names of Scripts that measure. */
  readonly scripts: readonly string[];
  readonly period: Millis;
}

/** One question to one server, and the newest answer. */
interface Memory {
  readonly triedAt: Instant;
  /** Its answer is awaited. */
  readonly isOpen: boolean;
  readonly figures: Figures;
  readonly sample?: Sample;
  /** Why there was no answer to the last question. */
  readonly problem?: string;
}

type Answer = Pick<Memory, 'figures' | 'sample'> | { readonly problem: string };
type Ask = (host: Host, before: Memory | undefined) => Promise<Answer>;
type Question = 'Host' | `Script/${string}`;

const hostTimeout: Millis = 5_000;
/** Beyond the script's own time limit, for the way to the host and back. */
const slack: Millis = 3_000;
const parallel = 32;

/** Nothing here waits for a host: what was asked for is there at a later look. */
export class Sampler {
  readonly #ports: SamplerPorts;
  /** By server and question. */
  readonly #memory = new Map<string, Memory>();
  /** Why a Script cannot measure, by namespace and name. */
  readonly #unusable = new Map<string, string>();
  readonly #pool = new Pool(parallel);
  #bug: Error | undefined;

  constructor(ports: SamplerPorts) {
    this.#ports = ports;
  }

  /**
   * Asks, in the background, the servers that were not asked during this period: nobody waits for a host. Returns whether
   * answers are awaited. Every question has its own time limit, and none is asked again before it is over.
   */
  sample(wanted: Wanted, now: Instant): boolean {
    this.#throwBug();
    const { servers, scripts, host } = wanted;
    if (host)
      this.#start('Host', wanted, now, () => Promise.resolve((on, before) => this.#askHost(on, before, now)));
    for (const name of scripts) {
      this.#start(`Script/${name}`, wanted, now, () => this.#measuring(name, wanted, now));
    }
    const questions: readonly Question[] = [...(host ? ['Host' as const] : []), ...scripts.map(scriptSource)];
    return servers.some((server) => questions.some((what) => this.#memory.get(keyOf(server, what))?.isOpen));
  }

  /** The newest figures; old ones stay with the time they were taken. */
  of(server: Server, scripts: readonly string[]): Figures {
    const questions: readonly Question[] = ['Host', ...scripts.map(scriptSource)];
    const known = questions.map((what) => this.#memory.get(keyOf(server, what))?.figures);
    return Object.assign({}, ...known) as Figures;
  }

  /** Why this server gave no figure last time; undefined when it gave one, or was not asked. */
  problem(server: Server, source: FigureSource): string | undefined {
    return this.#memory.get(keyOf(server, isScript(source) ? source : 'Host'))?.problem;
  }

  /** Why the Script cannot measure anywhere; undefined when it can, as far as is known. */
  unusable({ metadata }: ServerArray, script: string): string | undefined {
    return this.#unusable.get(`${metadata.namespace ?? ''}/${script}`);
  }

  /** Drops what is known of servers that have not been asked for a day: they are gone. */
  tidy(now: Instant): void {
    for (const [key, { triedAt }] of this.#memory) {
      if (now - triedAt > 24 * 60 * 60_000) this.#memory.delete(key);
    }
  }

  /** `prepare` finds out how to ask; undefined = this cannot be asked. */
  #start(
    what: Question,
    { servers, period }: Wanted,
    now: Instant,
    prepare: () => Promise<Ask | undefined>,
  ): void {
    const due = servers.filter((server) => {
      const known = this.#memory.get(keyOf(server, what));
      return known === undefined || (!known.isOpen && now - known.triedAt >= period);
    });
    if (due.length === 0) return;
    for (const server of due) {
      const before = this.#memory.get(keyOf(server, what));
      this.#memory.set(keyOf(server, what), { figures: {}, ...before, triedAt: now, isOpen: true });
    }
    this.#work(what, due, prepare).catch((error: unknown) => {
      // Thrown where somebody listens: at the next look.
      this.#bug = error instanceof Error ? error : new Error(String(error));
      for (const key of due.map((server) => keyOf(server, what))) {
        this.#memory.set(key, { figures: {}, triedAt: now, ...this.#memory.get(key), isOpen: false });
      }
    });
  }

  async #work(
    what: Question,
    due: readonly Server[],
    prepare: () => Promise<Ask | undefined>,
  ): Promise<void> {
    const ask = await prepare();
    await Promise.all(due.map((server) => this.#pool.run(() => this.#answer(server, what, ask))));
  }

  #throwBug(): void {
    const bug = this.#bug;
    this.#bug = undefined;
    if (bug !== undefined) throw bug;
  }

  async #answer(server: Server, what: Question, ask: Ask | undefined): Promise<void> {
    const key = keyOf(server, what);
    const { triedAt = 0, figures = {}, sample } = this.#memory.get(key) ?? {};
    const before = { triedAt, isOpen: false, figures, ...(sample === undefined ? {} : { sample }) };
    const answer = ask === undefined ? {} : await this.#ask(server, ask, before);
    this.#memory.set(key, { ...before, ...answer });
  }

  async #ask(server: Server, ask: Ask, before: Memory): Promise<Answer> {
    try {
      const host = await this.#host(server);
      return host === undefined ? { problem: 'has no known address' } : await ask(host, before);
    } catch (error) {
      if (error instanceof AppError) return { problem: `could not be asked: ${error.message}` };
      throw error;
    }
  }

  async #askHost(host: Host, before: Memory | undefined, at: Instant): Promise<Answer> {
    const { exitCode, stdout } = await this.#ports.shell.run(host, sampleCommand, hostTimeout);
    if (exitCode !== 0) return { problem: `could not be measured (exit status ${exitCode})` };
    const sample = parseSample(stdout);
    return { sample, figures: figuresOf(before, sample, at) };
  }

  async #measuring(name: string, { array, period }: Wanted, at: Instant): Promise<Ask | undefined> {
    const key = `${array.metadata.namespace ?? ''}/${name}`;
    const script = await this.#script(name, array);
    if (typeof script === 'string') {
      this.#unusable.set(key, script);
      return undefined;
    }
    this.#unusable.delete(key);
    const limit = timeLimit(script, period);
    const command = scriptCommand(script, limit);
    return async (host) => {
      const measure = judgeScript(await this.#ports.shell.run(host, command, limit + slack), limit);
      return 'problem' in measure
        ? measure
        : { figures: { [scriptSource(name)]: { at, value: measure.value } } };
    };
  }

  /** The script as it is now; or why it cannot be used, as the end of a sentence about it. */
  async #script(name: string, array: ServerArray): Promise<FrozenScript | string> {
    const { kube, cache } = this.#ports;
    const script = cache.get(scriptKind, { namespace: array.metadata.namespace ?? '', name });
    if (script === undefined) return 'does not exist in this namespace';
    try {
      const store = script.spec.source.s3 === undefined ? undefined : await this.#store(array);
      const frozen = await freezeScript(kube, script, store);
      return 'reason' in frozen ? `cannot be read: ${frozen.message}` : (whyUnusable(frozen) ?? frozen);
    } catch (error) {
      if (error instanceof AppError) return `cannot be read: ${error.message}`;
      throw error;
    }
  }

  async #store(array: ServerArray): Promise<ObjectStore | undefined> {
    const { cache, accounts } = this.#ports;
    const { account } = siteOf(cache, array);
    return account === undefined ? undefined : (await accounts.open(account)).cloud.objects;
  }

  async #host(server: Server): Promise<Host | undefined> {
    const { cache, accounts } = this.#ports;
    const name = server.status?.accountRef?.name;
    const account = name === undefined ? undefined : cache.get(cloudAccountKind, { name });
    return account === undefined ? undefined : hostOf(server, account, await accounts.login(account));
  }
}

/** Where the number of a measuring Script stands among the figures. */
export function scriptSource(name: string): `Script/${string}` {
  return `Script/${name}`;
}

function isScript(source: FigureSource): source is `Script/${string}` {
  return source.startsWith('Script/');
}

function keyOf({ metadata }: Server, what: Question): string {
  return `${metadata.uid} ${what}`;
}

function figuresOf(before: Memory | undefined, sample: Sample, at: Instant): Figures {
  const cpu = before?.sample === undefined ? undefined : cpuBetween(before.sample, sample);
  return {
    ...(cpu === undefined ? {} : { CPU: { at, value: cpu } }),
    ...(sample.load === undefined ? {} : { Load: { at, value: sample.load } }),
    ...(sample.memory === undefined ? {} : { Memory: { at, value: sample.memory } }),
  };
}
