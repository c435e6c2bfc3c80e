/** Reads the figures of voting servers over SSH, once per period and server, and remembers the newest. */
import { cloudAccountKind } from '../../api/cloud-account.ts';
import type { Server } from '../../api/server.ts';
import type { Instant, Millis } from '../../base/clock.ts';
import { AppError } from '../../base/errors.ts';
import { Pool } from '../../base/pool.ts';
import { hostOf } from '../../accounts/host.ts';
import type { Accounts } from '../../accounts/port.ts';
import type { Cache } from '../../kube/port.ts';
import type { Host, Shell } from '../../shell/port.ts';
import type { Figures } from './decide/plan.ts';
import { cpuBetween, parseSample, sampleCommand, type Sample } from './sample-command.ts';

export interface SamplerPorts {
  readonly cache: Cache;
  readonly accounts: Accounts;
  readonly shell: Shell;
}

interface Memory {
  readonly triedAt: Instant;
  readonly sample?: Sample;
  readonly figures: Figures;
}

const timeout: Millis = 5_000;
const parallel = 32;

export class Sampler {
  readonly #ports: SamplerPorts;
  readonly #memory = new Map<string, Memory>();
  readonly #pool = new Pool(parallel);

  constructor(ports: SamplerPorts) {
    this.#ports = ports;
  }

  /** Asks the servers that were not asked during this period. Never fails: who does not answer has no new figures. */
  async sample(servers: readonly Server[], period: Millis, now: Instant, signal: AbortSignal): Promise<void> {
    const due = servers.filter(({ metadata }) => {
      const triedAt = this.#memory.get(metadata.uid)?.triedAt;
      return triedAt === undefined || now - triedAt >= period;
    });
    await Promise.all(due.map((server) => this.#pool.run(() => this.#ask(server, now), signal)));
  }

  /** The newest figures; old ones stay with the time they were taken. */
  of(server: Server): Figures {
    return this.#memory.get(server.metadata.uid)?.figures ?? {};
  }

  /** Drops what is known of servers that have not been asked for a day: they are gone. */
  tidy(now: Instant): void {
    for (const [uid, { triedAt }] of this.#memory) {
      if (now - triedAt > 24 * 60 * 60_000) this.#memory.delete(uid);
    }
  }

  async #ask(server: Server, now: Instant): Promise<void> {
    const { uid } = server.metadata;
    const before = this.#memory.get(uid);
    this.#memory.set(uid, { figures: {}, ...before, triedAt: now });
    const sample = await this.#read(server);
    if (sample === undefined) return;
    this.#memory.set(uid, { triedAt: now, sample, figures: figuresOf(before, sample, now) });
  }

  async #read(server: Server): Promise<Sample | undefined> {
    try {
      const host = await this.#host(server);
      if (host === undefined) return undefined;
      const { exitCode, stdout } = await this.#ports.shell.run(host, sampleCommand, timeout);
      return exitCode === 0 ? parseSample(stdout) : undefined;
    } catch (error) {
      if (error instanceof AppError) return undefined;
      throw error;
    }
  }

  async #host(server: Server): Promise<Host | undefined> {
    const { cache, accounts } = this.#ports;
    const name = server.status?.accountRef?.name;
    const account = name === undefined ? undefined : cache.get(cloudAccountKind, { name });
    return account === undefined ? undefined : hostOf(server, account, await accounts.login(account));
  }
}

function figuresOf(before: Memory | undefined, sample: Sample, at: Instant): Figures {
  const cpu = before?.sample === undefined ? undefined : cpuBetween(before.sample, sample);
  return {
    ...(cpu === undefined ? {} : { CPU: { at, value: cpu } }),
    ...(sample.load === undefined ? {} : { Load: { at, value: sample.load } }),
    ...(sample.memory === undefined ? {} : { Memory: { at, value: sample.memory } }),
  };
}
