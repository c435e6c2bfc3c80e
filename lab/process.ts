/** Long-running processes with a pid file: found again by another program, stopped by identity, never by name. */
import { spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

/** `child` dies with this program, even when it is killed; `daemon` survives it and the terminal. */
export type Lifetime = 'child' | 'daemon';

export interface ProcessSpec {
  /** Names the pid file `<name>.pid` and the log `<name>.log`. */
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  /** Replaces the environment when given. */
  readonly env?: NodeJS.ProcessEnv;
  /** Where the pid file and the log go. */
  readonly dir: string;
  readonly lifetime: Lifetime;
}

/** Starts the process unless the one of its pid file still runs; returns its pid. The log is appended to. */
export function startProcess(spec: ProcessSpec): number {
  const running = runningPid(spec.dir, spec.name);
  if (running !== undefined) return running;
  mkdirSync(spec.dir, { recursive: true });
  const log = openSync(logFile(spec.dir, spec.name), 'a');
  // The kernel ends a child with its parent: no clean-up code runs when a test runner is killed.
  const [command, prefix] =
    spec.lifetime === 'child' ? ['setpriv', ['--pdeathsig', 'KILL', spec.command]] : [spec.command, []];
  const child = spawn(command, [...prefix, ...spec.args], {
    detached: spec.lifetime === 'daemon',
    stdio: ['ignore', log, log],
    ...(spec.env && { env: spec.env }),
  });
  closeSync(log);
  child.on('error', () => undefined); // Seen as "not running" by whoever waits for it.
  if (spec.lifetime === 'daemon') child.unref();
  if (child.pid === undefined) throw new Error(`cannot start ${spec.command}: is it installed?`);
  writeFileSync(pidFile(spec.dir, spec.name), `${child.pid} ${startTime(child.pid) ?? ''}\n`);
  return child.pid;
}

/** The pid of the process that `<name>.pid` speaks of, if that very process still runs. */
export function runningPid(dir: string, name: string): number | undefined {
  let text: string;
  try {
    text = readFileSync(pidFile(dir, name), 'utf8');
  } catch {
    return undefined;
  }
  const [pid, started] = text.trim().split(' ');
  return started !== undefined && startTime(Number(pid)) === started ? Number(pid) : undefined;
}

/** Ends the process: a request first, by force after `graceMs`. Returns when it is gone; already gone is fine. */
export async function stopProcess(dir: string, name: string, graceMs: number): Promise<void> {
  const pid = runningPid(dir, name);
  if (pid !== undefined) {
    const forceAt = performance.now() + graceMs;
    process.kill(pid, graceMs > 0 ? 'SIGTERM' : 'SIGKILL');
    let forced = graceMs <= 0;
    while (runningPid(dir, name) !== undefined) {
      if (!forced && performance.now() > forceAt) {
        process.kill(pid, 'SIGKILL');
        forced = true;
      }
      await sleep(20);
    }
  }
  rmSync(pidFile(dir, name), { force: true });
}

/** The last lines of a process's log, for messages about why it ended. */
function logTail(dir: string, name: string, lines = 8): string {
  try {
    return readFileSync(logFile(dir, name), 'utf8').trimEnd().split('\n').slice(-lines).join('\n');
  } catch {
    return '';
  }
}

/**
 * Waits until `ready` returns true. Throws when the process ends first, with the end of its log, or after `timeoutMs`.
 */
export async function waitForProcess(
  spec: Pick<ProcessSpec, 'dir' | 'name'>,
  ready: () => Promise<boolean>,
  timeoutMs: number,
): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  while (!(await ready())) {
    const ended = runningPid(spec.dir, spec.name) === undefined;
    if (ended || performance.now() > deadline) {
      const why = ended ? 'ended' : `was not ready after ${timeoutMs / 1000} s`;
      throw new Error(
        `${spec.name} ${why}. The end of ${logFile(spec.dir, spec.name)}:\n${logTail(spec.dir, spec.name)}`,
      );
    }
    await sleep(50);
  }
}

function pidFile(dir: string, name: string): string {
  return path.join(dir, `${name}.pid`);
}

function logFile(dir: string, name: string): string {
  return path.join(dir, `${name}.log`);
}

/** When the process started, in clock ticks since boot: with the pid it names one process for ever. Zombies count as gone. */
function startTime(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The command name, in parentheses, may hold spaces; fields are counted after it.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return fields[0] === 'Z' ? undefined : fields[19];
  } catch {
    return undefined;
  }
}
