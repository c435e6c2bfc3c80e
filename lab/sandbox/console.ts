/** A machine's console: a pipe the machine writes to as /dev/console, copied to a log that outlives it. */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { open, readFile, rm, writeFile } from 'node:fs/promises';
import { run } from './command.ts';
import type { MachineFolder } from './disk.ts';

/** EC2 keeps the newest 64 KiB of a console. */
const keptBytes = 65_536;

/**
 * Starts the copying process, unless it runs. It is a process of its own so that a restart of the lab's API neither loses
 * a line nor blocks a machine that writes one. A pipe, because a file would be truncated by every `> /dev/console`.
 */
export async function openConsole(files: MachineFolder): Promise<void> {
  if (!existsSync(files.consolePipe)) await run('mkfifo', ['-m', '622', files.consolePipe]);
  if (await copierRuns(files)) return;
  // Opened for reading and writing: such a pipe never ends, whoever comes and goes at its other end.
  const pipe = await open(files.consolePipe, 'r+');
  const log = await open(files.consoleLog, 'a');
  try {
    const copier = spawn('cat', [], { stdio: [pipe.fd, log.fd, 'ignore'], detached: true });
    copier.unref();
    await writeFile(files.consolePid, `${copier.pid}`);
  } finally {
    await pipe.close();
    await log.close();
  }
}

/** Ends the copying process. The log stays. */
export async function closeConsole(files: MachineFolder): Promise<void> {
  if (await copierRuns(files)) process.kill(await numberIn(files.consolePid), 'SIGKILL');
  await rm(files.consolePid, { force: true });
}

/** The newest 64 KiB; empty when the machine never ran. */
export async function readConsole(files: MachineFolder): Promise<string> {
  if (!existsSync(files.consoleLog)) return '';
  const log = await open(files.consoleLog);
  try {
    const { size } = await log.stat();
    const start = Math.max(0, size - keptBytes);
    const { buffer, bytesRead } = await log.read(Buffer.alloc(size - start), 0, size - start, start);
    return buffer.subarray(0, bytesRead).toString('utf8');
  } finally {
    await log.close();
  }
}

async function copierRuns(files: MachineFolder): Promise<boolean> {
  if (!existsSync(files.consolePid)) return false;
  try {
    return (await readFile(`/proc/${await numberIn(files.consolePid)}/comm`, 'utf8')).trim() === 'cat';
  } catch {
    return false;
  }
}

async function numberIn(file: string): Promise<number> {
  return Number(await readFile(file, 'utf8'));
}
