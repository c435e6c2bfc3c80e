/** Shell against a real host with systemd: the shared suite, and what only a real host can prove. */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { RebootInstancesCommand } from '@aws-sdk/client-ec2';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { pinsOf } from '../../../controller/shell/host-key.ts';
import { SshShell } from '../../../controller/shell/jobs.ts';
import type { Host, Job, JobState } from '../../../controller/shell/port.ts';
import { generateKeyPair } from '../../fakes/key-pair.ts';
import { LabUnderTest, until } from '../../lab/hosts/lab.ts';
import { jobMaker } from './jobs.ts';
import { describeShell } from './suite.ts';

type LabHost = Awaited<ReturnType<LabUnderTest['boot']>>;

const key = generateKeyPair('contract');
const aJob = jobMaker('real');
let lab: LabUnderTest;
let machine: LabHost;
let host: Host;

beforeAll(async () => {
  lab = await LabUnderTest.start();
  machine = await lab.boot(`#!/bin/bash\necho '${key.publicKey}' >> /home/admin/.ssh/authorized_keys\n`);
  const hostKeys = pinsOf(await lab.ssh(machine, 'cat /etc/ssh/ssh_host_*_key.pub'));
  host = { address: machine.ip, port: 22, user: 'admin', privateKey: key.privateKey, hostKeys };
});
afterAll(async () => {
  await lab.end();
});

async function reboot(): Promise<void> {
  const upSince = () => lab.ssh(machine, 'stat -c %Y /proc/1; systemctl show -p UserspaceTimestampMonotonic');
  const before = await upSince();
  await lab.ec2.send(new RebootInstancesCommand({ InstanceIds: [machine.id] }));
  await until('reboot', async () => {
    const now = await upSince().catch(() => before);
    return now === before ? undefined : now;
  });
}

describeShell('SSH adapter on a host of the lab', async () => ({
  shell: new SshShell(),
  host,
  deadAddress: '10.77.255.253',
  pass: () => sleep(100),
  reboot,
  close: async () => undefined,
}));

describe('jobs on a real host', () => {
  let shell: SshShell;

  beforeAll(() => {
    shell = new SshShell();
  });
  afterAll(() => {
    shell.close();
  });

  const ended = (id: string): Promise<JobState> =>
    until(
      `end of ${id}`,
      async () => {
        const state = await shell.pollJob(host, id);
        return state.state === 'running' ? undefined : state;
      },
      60_000,
    );

  const logOf = async (id: string): Promise<string> =>
    Buffer.from(await shell.readLog(host, id, 0, 8_000_000)).toString();

  /** The log's lines without their times. */
  const linesOf = async (id: string): Promise<readonly string[]> =>
    (await logOf(id))
      .trim()
      .split('\n')
      .map((line) => line.slice(21));

  const run = async (job: Job): Promise<JobState> => {
    await shell.startJob(host, job);
    return await ended(job.id);
  };

  const asRoot = (command: string) => lab.asRoot(machine, command);

  it('goes on when the controller is killed, and another process finds it', async () => {
    const job = aJob('for i in 1 2 3 4 5 6; do echo $i; sleep 0.5; done');
    const client = spawn(process.execPath, [fileURLToPath(new URL('./starter.ts', import.meta.url))], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    client.stdin.end(JSON.stringify({ host, job }));
    await once(client.stdout, 'data');
    client.kill('SIGKILL');
    await once(client, 'exit');

    expect((await shell.pollJob(host, job.id)).state).toBe('running');
    expect(await ended(job.id)).toMatchObject({ state: 'exited', exitCode: 0 });
    expect(await linesOf(job.id)).toEqual(['1', '2', '3', '4', '5', '6']);
  });

  it('brings any text through the environment unchanged', async () => {
    const values = fc
      .sample(fc.string({ unit: 'binary', maxLength: 200 }), 300)
      .map((value) => value.replaceAll('\0', '').toWellFormed())
      .concat('$(touch /pwned)', '`touch /pwned`', "'; touch /pwned; '", 'line\nline\n', '-n', '');
    const script = `for (( i = 0; i < ${values.length}; i++ )); do v=V$i; printf %s "\${!v}" | sha256sum; done`;
    const job = aJob(script, { environment: Object.fromEntries(values.map((value, i) => [`V${i}`, value])) });

    expect(await run(job)).toMatchObject({ exitCode: 0 });
    const digests = values.map((value) => createHash('sha256').update(value).digest('hex'));
    expect((await linesOf(job.id)).map((line) => line.slice(0, 64))).toEqual(digests);
    expect(await asRoot('ls / | grep -c pwned || true')).toBe('0');
  });

  it('shows a secret nowhere but to the script, and keeps it nowhere', async () => {
    const secret = `canary-${Date.now()}`;
    // Written so that the search does not find itself.
    const pattern = secret.replace('canary', 'cana[r]y');
    const job = aJob('printf %s "$PASSWORD" | sha256sum; cat "$ATTACH_DIR/key" | sha256sum; sleep 60', {
      environment: { PASSWORD: secret },
      attachments: [{ name: 'key', content: Buffer.from(secret).toString('base64'), secret: true }],
      runAs: 'admin',
    });
    await shell.startJob(host, job);
    await until('output', async () => ((await logOf(job.id)).split('\n').length > 2 ? true : undefined));
    const searches = [
      'cat /proc/[0-9]*/cmdline 2>/dev/null | tr "\\0" " "',
      'ps axww',
      'journalctl --no-pager',
      'systemctl show "ridgeline-job-*"',
      'cat /var/log/* /var/log/*/* 2>/dev/null',
    ];
    for (const search of searches)
      expect(await asRoot(`${search} | grep -ac "${pattern}" || true`)).toBe('0');
    expect(await asRoot(`grep -rla "${pattern}" /var /tmp /etc /home /root || true`)).toBe('');
    // While the script runs it is here and nowhere else; this also proves that the search would find it.
    expect(await asRoot(`grep -rla "${pattern}" /run`)).toBe(`/run/ridgeline/${job.id}/work/files/key`);
    expect(await asRoot('stat -f -c %T /run/ridgeline')).toBe('tmpfs');
    expect(await asRoot(`stat -c "%a %U" /run/ridgeline/${job.id}/work/files/key`)).toBe('600 admin');

    await shell.cancelJob(host, job.id);
    expect(await ended(job.id)).toMatchObject({ canceled: true });
    const digest = createHash('sha256').update(secret).digest('hex');
    expect(await linesOf(job.id)).toEqual([`${digest}  -`, `${digest}  -`]);
    expect(await asRoot(`grep -rla "${pattern}" /run /var /tmp || true`)).toBe('');
  });

  it('keeps a megabyte of output, in order and readable in parts', async () => {
    const job = aJob('seq -w 1 150000');
    const state = await run(job);
    const parts: Uint8Array[] = [];
    for (let offset = 0; ; offset += 1_000_000) {
      const part = await shell.readLog(host, job.id, offset, 1_000_000);
      if (part.length === 0) break;
      parts.push(part);
    }
    const log = Buffer.concat(parts);

    expect(state).toMatchObject({ state: 'exited', exitCode: 0, logBytes: log.length });
    const numbers = log
      .toString()
      .trimEnd()
      .split('\n')
      .map((line) => Number(line.slice(21)));
    expect(numbers).toHaveLength(150_000);
    expect(numbers.every((number, index) => number === index + 1)).toBe(true);
  });

  it('ends even a script that ignores TERM, with its children', async () => {
    const job = aJob('trap "" TERM; setsid sleep 987 & sleep 986; sleep 985', { timeoutSeconds: 1 });

    expect(await run(job)).toMatchObject({ state: 'exited', timedOut: true });
    expect(await lab.ssh(machine, 'pgrep -fc "sleep 98[5-7]" || true')).toBe('0');
  });

  it('calls a job interrupted whose runner was killed, and ends its script', async () => {
    const job = aJob('sleep 984');
    await shell.startJob(host, job);
    await until('script', async () =>
      (await lab.ssh(machine, 'pgrep -fc "sleep 98[4]" || true')) === '1' ? true : undefined,
    );
    await asRoot(`kill -9 $(systemctl show -p MainPID --value ridgeline-job-${job.id})`);

    expect(await ended(job.id)).toMatchObject({ state: 'interrupted' });
    await until('end of the script', async () =>
      (await lab.ssh(machine, 'pgrep -fc "sleep 98[4]" || true')) === '0' ? true : undefined,
    );
    expect(await asRoot('ls /run/ridgeline | grep real- || true')).toBe('');
  });

  it('leaves daemons alone that a script started', async () => {
    const job = aJob('nohup sleep 983 > /dev/null 2>&1 &');

    expect(await run(job)).toMatchObject({ exitCode: 0 });
    expect(await lab.ssh(machine, 'pgrep -fc "sleep 98[3]"')).toBe('1');
    await asRoot('pkill -f "sleep 98[3]"');
  });

  it('skips packages that are there and fails when one cannot be had', async () => {
    const present = aJob('echo ran', { packages: ['bash', 'haproxy'] });
    expect(await run(present)).toMatchObject({ exitCode: 0 });
    expect(await linesOf(present.id)).toEqual(['ran']);

    const missing = aJob('echo ran', { packages: ['bash', 'no-such-package'] });
    expect(await run(missing)).toMatchObject({ state: 'exited', exitCode: 100 });
    const lines = await linesOf(missing.id);
    expect(lines[0]).toBe('ridgeline: installing no-such-package');
    expect(lines).not.toContain('ran');
  });

  it('says so when the user or the interpreter is missing', async () => {
    const nobody = aJob('true', { runAs: 'ghost' });
    expect(await run(nobody)).toMatchObject({ exitCode: 67 });
    expect(await logOf(nobody.id)).toContain("there is no user 'ghost' on this host");
    const nothing = aJob('true', { interpreter: '/usr/bin/nothing' });
    expect(await run(nothing)).toMatchObject({ exitCode: 127 });
    expect(await logOf(nothing.id)).toContain('/usr/bin/nothing');
  });

  it('turns a full disk into a failure that says so, never into success', async () => {
    const folder = '/var/lib/ridgeline/jobs';
    await asRoot(`mount -t tmpfs -o size=64k tmpfs ${folder}`);
    try {
      const chatty = aJob('seq 1 20000; exit 0');
      expect(await run(chatty)).toMatchObject({ state: 'exited', exitCode: 74 });
      expect(await logOf(chatty.id)).toMatch(/the log is incomplete: No space left on device\n$/);

      await expect(shell.startJob(host, aJob('true'))).rejects.toMatchObject({
        code: 'shell.host-failed',
        message: expect.stringContaining('No space left on device') as string,
      });
    } finally {
      await asRoot(`umount ${folder}`);
    }
  });
});
