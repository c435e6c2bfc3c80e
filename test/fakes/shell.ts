/** Hosts and their jobs in memory: a test says what each script does, the fake does the rest of the Shell. */
import type { Clock, Instant, Millis } from '../../controller/base/clock.ts';
import { AppError } from '../../controller/base/errors.ts';
import type { Host, Job, JobState, Shell } from '../../controller/shell/port.ts';
import { Faults } from './faults.ts';

type Operation = Exclude<keyof Shell, 'disconnect'>;

/** What a script does when it runs. */
export interface Outcome {
  readonly exitCode?: number;
  /** How long it takes; 0 when absent. */
  readonly takes?: Millis;
  /** Its output, one line each. */
  readonly lines?: readonly string[];
}

type ScriptBehavior = Outcome | ((job: Job, address: string) => Outcome);
type CommandBehavior = (
  command: string,
  address: string,
) => { readonly exitCode: number; readonly stdout: string };

interface FakeJob {
  readonly job: Job;
  readonly startedAt: Instant;
  readonly outcome: Outcome;
  canceledAt: Instant | undefined;
  interrupted: boolean;
}

interface FakeHost {
  hostKeys: readonly string[];
  reachable: boolean;
  accepts: boolean;
  readonly jobs: Map<string, FakeJob>;
}

export class FakeShell implements Shell {
  readonly faults = new Faults<Operation>();
  /** Answers `run`; succeeds silently unless a test replaces it. */
  onCommand: CommandBehavior = () => ({ exitCode: 0, stdout: '' });
  /** What scripts do whose text no test has named; they succeed at once. */
  onScript: (job: Job, address: string) => Outcome = () => ({});
  readonly #clock: Clock;
  readonly #hosts = new Map<string, FakeHost>();
  readonly #scripts = new Map<string, ScriptBehavior>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Knows the hosts that the other knows, with their jobs. */
  copyFrom(other: FakeShell): void {
    for (const [address, host] of other.#hosts) {
      const jobs = [...host.jobs].map(([id, job]) => [id, { ...job }] as const);
      this.#hosts.set(address, { ...host, jobs: new Map(jobs) });
    }
  }

  /** A host that listens at `address` and offers these keys, e.g. `ED25519:SHA256:…`. */
  addHost(address: string, hostKeys: readonly string[]): void {
    this.#hosts.set(address, { hostKeys, reachable: true, accepts: true, jobs: new Map() });
  }

  /** Jobs whose script is exactly this text behave so; all others exit with 0 at once. */
  script(text: string, behavior: ScriptBehavior): void {
    this.#scripts.set(text, behavior);
  }

  setReachable(address: string, reachable: boolean): void {
    this.#host(address).reachable = reachable;
  }

  /** Somebody else answers at the address from now on. */
  setHostKeys(address: string, hostKeys: readonly string[]): void {
    this.#host(address).hostKeys = hostKeys;
  }

  /** The host refuses our key from now on. */
  refuseLogin(address: string): void {
    this.#host(address).accepts = false;
  }

  /** Running jobs die without an exit code. */
  reboot(address: string): void {
    for (const job of this.#host(address).jobs.values()) {
      job.interrupted ||= this.#stateOf(job).state === 'running';
    }
  }

  /** The disk is replaced: no job is known any more. */
  loseMemory(address: string): void {
    this.#host(address).jobs.clear();
  }

  /** Every job the host accepted, in order, each once. */
  jobsOf(address: string): readonly Job[] {
    return [...this.#host(address).jobs.values()].map(({ job }) => job);
  }

  check(host: Host): Promise<void> {
    return this.faults.run('check', host.address, () => {
      this.#connect(host);
    });
  }

  startJob(host: Host, job: Job): Promise<void> {
    return this.faults.run('startJob', { address: host.address, id: job.id }, () => {
      const { jobs } = this.#connect(host);
      if (jobs.has(job.id)) return;
      const behavior = this.#scripts.get(job.script) ?? this.onScript;
      const outcome = typeof behavior === 'function' ? behavior(job, host.address) : behavior;
      jobs.set(job.id, {
        job,
        outcome,
        startedAt: this.#clock.now(),
        canceledAt: undefined,
        interrupted: false,
      });
    });
  }

  pollJob(host: Host, id: string): Promise<JobState> {
    return this.faults.run('pollJob', { address: host.address, id }, () => {
      const job = this.#connect(host).jobs.get(id);
      return job === undefined ? { state: 'unknown' } : this.#stateOf(job);
    });
  }

  readLog(host: Host, id: string, offset: number, limit: number): Promise<Uint8Array> {
    return this.faults.run('readLog', { address: host.address, id, offset, limit }, () => {
      const job = this.#connect(host).jobs.get(id);
      return job === undefined ? new Uint8Array() : logOf(job).subarray(offset, offset + limit);
    });
  }

  cancelJob(host: Host, id: string): Promise<void> {
    return this.faults.run('cancelJob', { address: host.address, id }, () => {
      const job = this.#connect(host).jobs.get(id);
      if (job !== undefined && this.#stateOf(job).state === 'running') job.canceledAt = this.#clock.now();
    });
  }

  forgetJob(host: Host, id: string): Promise<void> {
    return this.faults.run('forgetJob', { address: host.address, id }, () => {
      this.#connect(host).jobs.delete(id);
    });
  }

  run(
    host: Host,
    command: string,
    timeout: Millis,
  ): Promise<{ readonly exitCode: number; readonly stdout: string }> {
    return this.faults.run('run', { address: host.address, command, timeout }, () => {
      this.#connect(host);
      return this.onCommand(command, host.address);
    });
  }

  disconnect(): void {
    // Nothing to close: the fake holds no connections.
  }

  #host(address: string): FakeHost {
    const host = this.#hosts.get(address);
    if (host === undefined) throw new Error(`the test added no host ${address}`);
    return host;
  }

  #connect(target: Host): FakeHost {
    const host = this.#hosts.get(target.address);
    if (host?.reachable !== true) {
      throw new AppError('shell.unreachable', `nothing answers at ${target.address}`);
    }
    if (!host.hostKeys.some((key) => target.hostKeys.includes(key))) {
      throw new AppError('shell.host-key-mismatch', `${target.address} offers another host key`);
    }
    if (!host.accepts) throw new AppError('shell.auth-failed', `${target.address} refuses ${target.user}`);
    return host;
  }

  #stateOf(job: FakeJob): JobState {
    const logBytes = logOf(job).length;
    if (job.canceledAt !== undefined) {
      return { state: 'exited', exitCode: 143, timedOut: false, canceled: true, logBytes };
    }
    if (job.interrupted) return { state: 'interrupted', logBytes };
    const takes = job.outcome.takes ?? 0;
    const limit = job.job.timeoutSeconds * 1_000;
    const ran = this.#clock.now() - job.startedAt;
    if (ran < Math.min(takes, limit)) return { state: 'running', logBytes };
    const timedOut = takes > limit;
    const exitCode = timedOut ? 143 : (job.outcome.exitCode ?? 0);
    return { state: 'exited', exitCode, timedOut, canceled: false, logBytes };
  }
}

function logOf(job: FakeJob): Uint8Array {
  const stamp = new Date(job.startedAt).toISOString();
  const text = (job.outcome.lines ?? []).map((line) => `${stamp} ${line}\n`).join('');
  return new TextEncoder().encode(text);
}
