/** Health checks over the verified SSH connection, no more often than the template asks for. */
import type { TemplateRevision } from '../../api/template-revision.ts';
import type { Instant, Millis } from '../../base/clock.ts';
import { AppError } from '../../base/errors.ts';
import type { Host, Shell } from '../../shell/port.ts';
import type { HealthFacts } from './decide/plan.ts';
import { healthCommand, judgeResult } from './health-command.ts';

export interface HealthSubject {
  /** `namespace/name` of the Server. */
  readonly key: string;
  readonly instanceID: string;
  readonly host: Host;
  readonly revision: TemplateRevision;
  /** Not Operational yet: people wait for it, so it is checked every second. */
  readonly isNew: boolean;
}

interface Memory {
  readonly instanceID: string;
  readonly checkedAt: Instant;
  readonly facts: HealthFacts;
}

type Finding = Pick<HealthFacts, 'result' | 'message'>;

const periodWhileNew: Millis = 1_000;
/** Without a health check only the connection is looked at. */
const shortestPeriodWithoutCheck: Millis = 30_000;
/** For the connection, on top of what the check itself may take. */
const slack: Millis = 3_000;

/** Remembers the last result per Server: failures in a row are counted here, not in status, which is for words. */
export class HealthChecks {
  readonly #shell: Shell;
  readonly #memory = new Map<string, Memory>();

  constructor(shell: Shell) {
    this.#shell = shell;
  }

  /** The result of a check made now, or of the last one while the next is not due. */
  async check(subject: HealthSubject, now: Instant): Promise<HealthFacts> {
    const { key, instanceID } = subject;
    const last = this.#memory.get(key);
    const before = last?.instanceID === instanceID ? last : undefined;
    const period = periodOf(subject);
    const left = before === undefined ? 0 : before.checkedAt + period - now;
    if (before !== undefined && left > 0) return { ...before.facts, nextCheck: left };
    const finding = await this.#look(subject);
    const isGood = finding.result === 'passed' || finding.result === 'none';
    const failures = isGood ? 0 : (before?.facts.failures ?? 0) + 1;
    const facts: HealthFacts = { ...finding, failures, nextCheck: period };
    this.#memory.set(key, { instanceID, checkedAt: now, facts });
    return facts;
  }

  forget(key: string): void {
    this.#memory.delete(key);
  }

  async #look({ host, revision }: HealthSubject): Promise<Finding> {
    const { health, scripts } = revision;
    try {
      const command = healthCommand(health, scripts);
      if (command === undefined) {
        await this.#shell.check(host);
        return { result: 'none', message: 'the template has no health check' };
      }
      return judgeResult(health, await this.#shell.run(host, command, health.timeoutSeconds * 1_000 + slack));
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      if (error.code === 'shell.host-key-mismatch') return { result: 'mismatch', message: error.message };
      if (!error.code.startsWith('shell.')) throw error;
      return { result: 'unreachable', message: error.message };
    }
  }
}

function periodOf({ isNew, revision }: HealthSubject): Millis {
  if (isNew) return periodWhileNew;
  const period = revision.health.periodSeconds * 1_000;
  return revision.health.type === 'None' ? Math.max(period, shortestPeriodWithoutCheck) : period;
}
