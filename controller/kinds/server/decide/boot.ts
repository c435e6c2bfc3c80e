/** From the first verified connection to the end of the boot scripts. Pure. */

import { type Condition, type ConditionOf, findCondition } from '../../../api/conditions.ts';
import { normalEvent, warningEvent } from '../../../api/event-notes.ts';
import type { ScriptRun } from '../../../api/script-run.ts';
import { timestamp } from '../../../base/clock.ts';
import { nameWithInstance, nextLook } from './messages.ts';
import type { Observed, Plan, ShellFacts } from './plan.ts';
import { activeRun, isOurs, logCommand, progressOf } from './runs.ts';
import { bootDeadlineSeconds, pastDeadline, planStranded } from './stranded.ts';
import { booted, sshReachable, working } from './summaries.ts';

/** The connection of a machine whose pinned key was shown. */
export const verified = sshReachable.yes('HostKeyVerified', 'Host key matches the attested fingerprint.');

/** For machines whose host keys are pinned, until they are operational or stranded. */
export function decideBoot(observed: Observed): Plan {
  const { status, shell, revision } = observed;
  if (status.bootRunRef?.uid !== undefined) return awaitBootRun(observed, status.bootRunRef.name);
  if (shell === undefined || shell.state !== 'verified') return planUnreachable(observed, shell);
  if (revision === undefined) {
    const text = `Revision ${status.templateRevision ?? ''} of ServerTemplate/${status.templateName ?? ''} is gone.`;
    return { ...planStranded(observed, text), conditions: { SSHReachable: verified }, recheckAfter: 60_000 };
  }
  if (revision.boot.length === 0) return planBooted('No boot scripts.', observed);
  return status.bootRunRef === undefined ? nameRun(observed) : createRun(observed, status.bootRunRef.name);
}

/** The name is recorded before the run is made: whoever comes back looks for exactly this one. */
function nameRun({ server, status }: Observed): Plan {
  const bootAttempt = (status.bootAttempt ?? 0) + 1;
  const name = `${server.metadata.name}-boot-${bootAttempt}`;
  return {
    ready: working('Booting', `Starting boot scripts (ScriptRun ${name}).`),
    conditions: { SSHReachable: verified },
    record: { bootAttempt, bootRunRef: { name } },
    recheckAfter: 0,
  };
}

function createRun(observed: Observed, name: string): Plan {
  const { server, bootRun } = observed;
  const ready = working('Booting', `Starting boot scripts (ScriptRun ${name}).`);
  const conditions = { SSHReachable: verified };
  if (bootRun === undefined) {
    return { ready, conditions, action: { do: 'create-run', run: { name, phase: 'Boot' } }, recheckAfter: 0 };
  }
  // Somebody else's run has this name: take the next one.
  if (!isOurs(bootRun, server)) return nameRun(observed);
  return { ready, conditions, record: { bootRunRef: { name, uid: bootRun.metadata.uid } }, recheckAfter: 0 };
}

function awaitBootRun(observed: Observed, name: string): Plan {
  const { bootRun, server } = observed;
  if (bootRun === undefined) {
    const text = `ScriptRun ${name} was deleted while it ran; nobody knows how far it came.`;
    return { ...planStranded(observed, text), conditions: { Booted: booted.no('ScriptFailed', text) } };
  }
  if (activeRun(bootRun) !== undefined) return planRunning(observed, bootRun);
  const succeeded = findCondition(bootRun.status, 'Succeeded');
  if (succeeded?.status === 'True') return planBooted(stepNames(bootRun, server.metadata.name), observed);
  return planBootFailure(observed, bootRun, succeeded);
}

function planBootFailure(observed: Observed, run: ScriptRun, ended: Condition | undefined): Plan {
  // The run's own condition counts servers and names its log; here there is one server.
  const own = run.status?.results?.find(({ server }) => server === observed.server.metadata.name);
  const what = (own?.message ?? ended?.message ?? '').replace(/\.$/, '');
  const text = `Boot failed [${ended?.reason ?? 'Unknown'}]: ${what}. Log: ${logCommand(run)}.`;
  const plan = planStranded(observed, text);
  const isNews = plan.events?.some((event) => event.reason === 'ServerStranded') === true;
  return {
    ...plan,
    conditions: { Booted: booted.no('ScriptFailed', text) },
    ...(isNews ? { events: [warningEvent('BootScriptFailed', text), ...(plan.events ?? [])] } : {}),
  };
}

function planRunning(observed: Observed, run: ScriptRun): Plan {
  const { server } = observed;
  const progress = progressOf(run, server.metadata.name);
  if (!pastDeadline(observed)) {
    const text = `Running boot scripts: ${progress}.`;
    const left = Date.parse(observed.status.bootStartTime ?? '') + bootDeadlineSeconds(observed) * 1_000;
    return {
      ready: working('Booting', text),
      conditions: { Booted: booted.no('RunningScript', progress) },
      recheckAfter: Math.max(1_000, left - observed.now + 1_000),
    };
  }
  const limit = bootDeadlineSeconds(observed);
  const text = `Still running boot scripts after ${limit} s (limit bootDeadlineSeconds): ${progress}. They go on; success is still accepted.`;
  return {
    ...planStranded(observed, text),
    conditions: { Booted: booted.no('DeadlineExceeded', text) },
    recheckAfter: 30_000,
  };
}

function planBooted(message: string, { now }: Observed): Plan {
  return {
    ready: working('Booting', 'Boot scripts finished; waiting for the health check.'),
    conditions: { SSHReachable: verified, Booted: booted.yes('ScriptsSucceeded', message) },
    record: { bootedTime: timestamp(now) },
    events: [normalEvent('BootScriptsSucceeded', `Boot scripts succeeded: ${message}`)],
    recheckAfter: 0,
  };
}

function planUnreachable(observed: Observed, shell: ShellFacts | undefined): Plan {
  const { status } = observed;
  const facts = shell ?? { state: 'unreachable' as const, message: 'it has no address yet' };
  const reachable = facts.state === 'verified' ? verified : refusedConnection(observed, facts);
  const conditions = { SSHReachable: reachable };
  if (facts.state === 'mismatch' || facts.state === 'conflict') {
    const plan = planStranded(observed, reachable.message);
    const isNews = findCondition(status, 'SSHReachable')?.reason !== reachable.reason;
    const events = [
      ...(isNews ? [warningEvent(reachable.reason, reachable.message)] : []),
      ...(plan.events ?? []),
    ];
    return { ...plan, conditions, events, recheckAfter: 30_000 };
  }
  if (pastDeadline(observed)) {
    const text = `${reachable.message} Not reachable within ${bootDeadlineSeconds(observed)} s (limit bootDeadlineSeconds).`;
    return { ...planStranded(observed, text), conditions, recheckAfter: 30_000 };
  }
  const recheckAfter = nextLook(status.launchTime, observed.now);
  return { ready: working('Booting', reachable.message), conditions, recheckAfter };
}

/** Why a connection was not made or not used. */
export function refusedConnection(
  observed: Observed,
  facts: { readonly state: 'mismatch' | 'refused' | 'unreachable' | 'conflict'; readonly message: string },
): ConditionOf<'Server', 'SSHReachable'> {
  const who = nameWithInstance(observed);
  const what = facts.message.replace(/\.$/, '');
  switch (facts.state) {
    case 'mismatch':
      return sshReachable.no('HostKeyMismatch', `${who}: ${what}. No connection was used and none will be.`);
    case 'conflict':
      return sshReachable.no(
        'AttestationConflict',
        `${who} says on its console that somebody handed in host keys before it did. It is not trusted.`,
      );
    case 'refused':
      return sshReachable.no('AuthenticationFailed', `${who} does not accept the account's key: ${what}.`);
    case 'unreachable':
      break;
  }
  return sshReachable.no('ConnectTimeout', `${who} does not answer yet: ${what}.`);
}

function stepNames(run: ScriptRun, server: string): string {
  const steps = run.status?.results?.find((result) => result.server === server)?.steps ?? [];
  return steps.map((step) => step.name).join(', ');
}
