/** What SshShell sends and how it reads the runner's words; the runner itself is tested on real hosts. */
import { execFileSync } from 'node:child_process';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SshShell } from '../../../controller/shell/jobs.ts';
import type { Host, Job } from '../../../controller/shell/port.ts';
import { runner, runnerPath } from '../../../controller/shell/runner.ts';
import { SshServer } from '../../fakes/ssh-server.ts';

const job: Job = {
  id: 'run-1-web-0',
  interpreter: '/bin/bash',
  script: 'true',
  environment: { PASSWORD: 'hunter2-$(id)' },
  attachments: [],
  packages: [],
  runAs: 'root',
  timeoutSeconds: 60,
};

describe('SshShell', () => {
  let server: SshServer;
  let host: Host;
  let shell: SshShell;
  let commands: string[];
  /** What the runner answers, in order. */
  let answers: { readonly exitCode: number; readonly stdout?: string; readonly stderr?: string }[];

  beforeEach(async () => {
    server = new SshServer();
    host = await server.open();
    shell = new SshShell();
    commands = [];
    answers = [];
    server.onCommand = (command, channel) => {
      commands.push(command);
      const { exitCode, stdout = '', stderr = '' } = answers.shift() ?? { exitCode: 0 };
      channel.on('data', () => undefined);
      channel.on('end', () => {
        channel.stderr.write(stderr);
        channel.write(stdout);
        channel.exit(exitCode);
        channel.end();
      });
    };
  });
  afterEach(() => {
    shell.close();
    server.close();
  });

  it('keeps secrets off the command line', async () => {
    await shell.startJob(host, job);
    expect(commands).toHaveLength(1);
    expect(commands[0]).not.toContain('hunter2');
  });

  it('installs the runner where it is missing, once', async () => {
    answers = [{ exitCode: 127 }, { exitCode: 0 }, { exitCode: 0, stdout: 'running 5\n' }];
    expect(await shell.pollJob(host, job.id)).toEqual({ state: 'running', logBytes: 5 });
    expect(commands).toHaveLength(3);
    expect(commands[1]).toContain(runnerPath);
  });

  it('uses sudo unless it is root', async () => {
    await shell.startJob({ ...host, user: 'admin' }, job);
    expect(commands[0]).toMatch(/^'sudo' '-n' /);
  });

  it.each([
    ['unknown', { state: 'unknown' }],
    ['interrupted 7', { state: 'interrupted', logBytes: 7 }],
    ['exited 3 0 0 12', { state: 'exited', exitCode: 3, timedOut: false, canceled: false, logBytes: 12 }],
    ['exited 143 1 0 0', { state: 'exited', exitCode: 143, timedOut: true, canceled: false, logBytes: 0 }],
  ])('reads "%s"', async (stdout, state) => {
    answers = [{ exitCode: 0, stdout }];
    expect(await shell.pollJob(host, job.id)).toEqual(state);
  });

  it('never takes nonsense or a full disk for success', async () => {
    answers = [
      { exitCode: 0, stdout: 'exited 0' },
      { exitCode: 70, stderr: 'date: write error: No space left on device\ncannot store the job\n' },
    ];
    await expect(shell.pollJob(host, job.id)).rejects.toMatchObject({ code: 'shell.host-failed' });
    await expect(shell.startJob(host, job)).rejects.toThrow(/No space left on device.*cannot store the job/);
  });

  it.each([
    [{ ...job, id: '../../etc' }],
    [{ ...job, environment: { 'A=B': 'x' } }],
    [{ ...job, environment: { A: 'x\0y' } }],
    [{ ...job, attachments: [{ name: '../x', content: '', secret: false }] }],
  ])('refuses a job no host could hold', async (bad) => {
    await expect(shell.startJob(host, bad)).rejects.toMatchObject({ code: 'invariant' });
    expect(commands).toEqual([]);
  });
});

it('the runner is a script bash can read', () => {
  expect(() => execFileSync('bash', ['-n'], { input: runner })).not.toThrow();
});
