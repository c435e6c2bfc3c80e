/** What every Shell does, fake or real: run by the unit tests on the fake, by this folder's tests on hosts of the lab. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Host, JobState, Shell } from '../../../controller/shell/port.ts';
import { jobMaker } from './jobs.ts';

/** Scripts whose effect the suite knows; a fake is told what they do. */
export const scripts = {
  greet: 'echo "hello $NAME"; echo problem >&2',
  fail: 'echo no; exit 3',
  slow: 'echo begun; sleep 30; echo ended',
} as const;

export interface ShellWorld {
  readonly shell: Shell;
  readonly host: Host;
  /** An address where nothing answers. */
  readonly deadAddress: string;
  /** Lets a little time pass. */
  pass(): Promise<void>;
  /** Returns when the host is back. */
  reboot(): Promise<void>;
  close(): Promise<void>;
}

const decoder = new TextDecoder();

export function describeShell(title: string, open: () => Promise<ShellWorld>): void {
  describe(title, () => {
    let world: ShellWorld;
    const aJob = jobMaker('suite');

    beforeAll(async () => {
      world = await open();
    });
    afterAll(async () => {
      await world.close();
    });

    const ended = async (id: string): Promise<JobState> => {
      for (let attempt = 0; attempt < 300; attempt += 1) {
        const state = await world.shell.pollJob(world.host, id);
        if (state.state !== 'running') return state;
        await world.pass();
      }
      throw new Error(`job ${id} did not end`);
    };

    const logOf = async (id: string): Promise<string> =>
      decoder.decode(await world.shell.readLog(world.host, id, 0, 1_000_000));

    it('runs a job and keeps its exit code and log', async () => {
      const job = aJob(scripts.greet, { environment: { NAME: 'world' } });
      await world.shell.startJob(world.host, job);
      const state = await ended(job.id);
      const log = await logOf(job.id);

      expect(state).toEqual({
        state: 'exited',
        exitCode: 0,
        timedOut: false,
        canceled: false,
        logBytes: log.length,
      });
      const lines = log.trim().split('\n');
      expect(lines.map((line) => line.replace(/^\S+ /, '')).toSorted()).toEqual(['hello world', 'problem']);
      for (const line of lines) expect(line).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z /);
    });

    it('tells failure', async () => {
      const job = aJob(scripts.fail);
      await world.shell.startJob(world.host, job);

      expect(await ended(job.id)).toMatchObject({ state: 'exited', exitCode: 3, timedOut: false });
    });

    it('starts an id once', async () => {
      const job = aJob(scripts.fail);
      await Promise.all([1, 2, 3].map(() => world.shell.startJob(world.host, job)));
      await ended(job.id);
      await world.shell.startJob(world.host, job);

      expect((await logOf(job.id)).trim().split('\n')).toHaveLength(1);
    });

    it('reads the log in parts', async () => {
      const job = aJob(scripts.fail);
      await world.shell.startJob(world.host, job);
      await ended(job.id);
      const whole = await logOf(job.id);
      const part = await world.shell.readLog(world.host, job.id, 5, 4);

      expect(decoder.decode(part)).toBe(whole.slice(5, 9));
      expect(await world.shell.readLog(world.host, job.id, whole.length, 10)).toHaveLength(0);
    });

    it('cancels a job', async () => {
      const job = aJob(scripts.slow);
      await world.shell.startJob(world.host, job);
      await world.pass();
      expect((await world.shell.pollJob(world.host, job.id)).state).toBe('running');
      await world.shell.cancelJob(world.host, job.id);

      expect(await ended(job.id)).toMatchObject({ state: 'exited', canceled: true, timedOut: false });
      expect(await logOf(job.id)).not.toContain('ended');
    });

    it('ends a job that takes too long', async () => {
      const job = aJob(scripts.slow, { timeoutSeconds: 1 });
      await world.shell.startJob(world.host, job);

      expect(await ended(job.id)).toMatchObject({ state: 'exited', timedOut: true, canceled: false });
    });

    it('knows nothing of an id that was never started, or was forgotten', async () => {
      expect(await world.shell.pollJob(world.host, 'never')).toEqual({ state: 'unknown' });
      const job = aJob(scripts.fail);
      await world.shell.startJob(world.host, job);
      await ended(job.id);
      await world.shell.forgetJob(world.host, job.id);
      await world.shell.forgetJob(world.host, job.id);

      expect(await world.shell.pollJob(world.host, job.id)).toEqual({ state: 'unknown' });
      await expect(world.shell.cancelJob(world.host, job.id)).resolves.toBeUndefined();
    });

    it('calls a job interrupted that was running when the host went down', async () => {
      const job = aJob(scripts.slow);
      await world.shell.startJob(world.host, job);
      await world.pass();
      await world.reboot();

      expect((await world.shell.pollJob(world.host, job.id)).state).toBe('interrupted');
      await world.shell.startJob(world.host, job);
      expect((await world.shell.pollJob(world.host, job.id)).state).toBe('interrupted');
    });

    it('runs short commands', async () => {
      expect(await world.shell.run(world.host, 'true', 10_000)).toEqual({ exitCode: 0, stdout: '' });
    });

    it('uses no connection to a host with another key', async () => {
      const impostor = {
        ...world.host,
        hostKeys: ['ED25519:SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA'],
      };

      await expect(world.shell.check(impostor)).rejects.toMatchObject({ code: 'shell.host-key-mismatch' });
      await expect(world.shell.startJob(impostor, aJob(scripts.fail))).rejects.toMatchObject({
        code: 'shell.host-key-mismatch',
      });
      await expect(world.shell.check(world.host)).resolves.toBeUndefined();
    });

    it('says when nothing answers', async () => {
      const dead = { ...world.host, address: world.deadAddress };

      await expect(world.shell.check(dead)).rejects.toMatchObject({ code: 'shell.unreachable' });
      world.shell.disconnect(world.deadAddress);
    });
  });
}
