/** The machines' control groups: killing, freezing and counting all processes of a machine at once. */
import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const mount = '/sys/fs/cgroup';

/** One machine's group. It exists from the machine's start until crun deletes it. */
export class ControlGroup {
  /** Below the cgroup2 mount, as crun wants it. */
  readonly path: string;
  readonly #folder: string;

  constructor(parent: string, instanceId: string) {
    this.path = `/${parent}/${instanceId}`;
    this.#folder = path.join(mount, parent, instanceId);
  }

  /** Whether any process is in it, frozen ones included. */
  async populated(): Promise<boolean> {
    try {
      return /^populated 1$/m.test(await readFile(path.join(this.#folder, 'cgroup.events'), 'utf8'));
    } catch {
      return false;
    }
  }

  /** SIGKILL to everything in it, frozen or not; resolves when the last process is gone. */
  async kill(): Promise<void> {
    if (!existsSync(this.#folder)) return;
    await writeFile(path.join(this.#folder, 'cgroup.kill'), '1');
    await this.emptied(10_000);
  }

  /** Whether the group became empty within `limit` milliseconds, and before somebody gave up waiting. */
  async emptied(limit: number, over?: AbortSignal): Promise<boolean> {
    const deadline = Date.now() + limit;
    while (await this.populated()) {
      if (Date.now() > deadline || over?.aborted) return false;
      await sleep(10);
    }
    return true;
  }

  async freeze(frozen: boolean): Promise<void> {
    await writeFile(path.join(this.#folder, 'cgroup.freeze'), frozen ? '1' : '0');
  }
}
