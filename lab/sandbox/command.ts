/** Running the system's tools (ip, mount, crun, nft …) with errors that name the command and repeat what it said. */
import { spawn } from 'node:child_process';

/** A tool ended with a non-zero exit code, by a signal, or does not exist. */
export class CommandError extends Error {
  override readonly name = 'CommandError';
  /** What the tool wrote to standard error, trimmed. */
  readonly stderr: string;

  constructor(command: string, why: string, stderr: string) {
    super(`${command}: ${stderr === '' ? why : stderr}`);
    this.stderr = stderr;
  }
}

export interface CommandOptions {
  readonly input?: string;
  readonly signal?: AbortSignal;
}

/** Runs one command to its end and returns its standard output. Throws CommandError. */
export function run(command: string, args: readonly string[], options: CommandOptions = {}): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      stdio: 'pipe',
      ...(options.signal ? { signal: options.signal } : {}),
    });
    const title = [command, ...args.slice(0, 3)].join(' ');
    let stdout = '';
    let stderr = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
    child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
    child.on('error', (error) => reject(new CommandError(title, error.message, '')));
    child.on('close', (code, signal) => {
      if (code === 0) resolve(stdout);
      else
        reject(new CommandError(title, signal ? `killed by ${signal}` : `exit code ${code}`, stderr.trim()));
    });
    // A tool that ends before it read everything is judged by its exit code, not by EPIPE.
    child.stdin.on('error', () => undefined);
    child.stdin.end(options.input ?? '');
  });
}

/** Like `run`, but a failure is an answer: false. For questions and for removals of things that may be gone. */
export async function succeeds(
  command: string,
  args: readonly string[],
  options: CommandOptions = {},
): Promise<boolean> {
  try {
    await run(command, args, options);
    return true;
  } catch {
    return false;
  }
}
