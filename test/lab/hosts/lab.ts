/** A running lab for these tests, driven like any EC2: by AWS clients, SSH and the lab's own verbs. */
import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import {
  DeleteKeyPairCommand,
  DescribeInstancesCommand,
  EC2Client,
  ImportKeyPairCommand,
  RunInstancesCommand,
  type RunInstancesCommandInput,
  TerminateInstancesCommand,
} from '@aws-sdk/client-ec2';
import { endpoint, images, region } from '../../../lab/config.ts';
import { up } from '../../../lab/launcher/lab.ts';
import { readSettings } from '../../../lab/settings.ts';

const execute = promisify(execFile);

export interface Host {
  readonly id: string;
  readonly ip: string;
}

/** Polls until `answer` returns something that is not undefined. */
export async function until<T>(
  what: string,
  answer: () => Promise<T | undefined>,
  limit = 20_000,
): Promise<T> {
  const deadline = Date.now() + limit;
  for (;;) {
    const value = await answer();
    if (value !== undefined) return value;
    if (Date.now() > deadline) throw new Error(`${what}: not within ${limit} ms`);
    await sleep(50);
  }
}

/** What a TCP port says in its first 500 ms: its first bytes, or why there are none. */
export async function probe(ip: string, port: number): Promise<string> {
  return await new Promise((resolve) => {
    const socket = connect({ host: ip, port });
    let connected = false;
    const settle = (word: string): void => {
      socket.destroy();
      resolve(word);
    };
    setTimeout(() => settle(connected ? 'connected, silent' : 'silence'), 700);
    socket.on('connect', () => (connected = true));
    socket.on('data', (data) => settle(data.toString('latin1').trim()));
    socket.on('error', (error: NodeJS.ErrnoException) => settle(error.code ?? error.message));
    socket.on('end', () => settle('closed'));
  });
}

/** The lab, an EC2 client for it, and SSH with a key of its own. */
export class LabUnderTest {
  readonly ec2: EC2Client;
  readonly #folder = mkdtempSync(path.join(os.tmpdir(), 'lab-test-'));
  readonly #keyName = `test-${process.pid}-${Date.now()}`;
  readonly #launched: string[] = [];

  private constructor(credentials: { accessKeyId: string; secretAccessKey: string }) {
    this.ec2 = new EC2Client({ endpoint, region, credentials });
  }

  static async start(): Promise<LabUnderTest> {
    await up({ progress: console.log });
    const settings = readSettings();
    if (settings === undefined) throw new Error('the lab has no settings');
    const lab = new LabUnderTest(settings);
    const key = path.join(lab.#folder, 'key');
    await execute('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', key]);
    const publicKey = readFileSync(`${key}.pub`);
    await lab.ec2.send(new ImportKeyPairCommand({ KeyName: lab.#keyName, PublicKeyMaterial: publicKey }));
    return lab;
  }

  async launch(userData: string, extra: Partial<RunInstancesCommandInput> = {}): Promise<Host> {
    const { Instances } = await this.ec2.send(
      new RunInstancesCommand({
        ImageId: images.trixie.id,
        InstanceType: 't3.micro',
        MinCount: 1,
        MaxCount: 1,
        KeyName: this.#keyName,
        UserData: Buffer.from(userData).toString('base64'),
        ...extra,
      }),
    );
    const [instance] = Instances ?? [];
    const host = { id: instance?.InstanceId ?? '', ip: instance?.PrivateIpAddress ?? '' };
    this.#launched.push(host.id);
    return host;
  }

  /** Launches and waits until user data has run. */
  async boot(userData = '#!/bin/sh\n', extra: Partial<RunInstancesCommandInput> = {}): Promise<Host> {
    const host = await this.launch(userData, extra);
    await this.waitBooted(host);
    return host;
  }

  async waitBooted(host: Host): Promise<void> {
    await until(`boot of ${host.id}`, async () => {
      const done = await this.ssh(host, 'test -e /var/lib/cloud/instance/boot-finished && echo yes').catch(
        () => '',
      );
      return done === 'yes' ? true : undefined;
    });
  }

  async waitState(host: Host, wanted: string): Promise<void> {
    await until(
      `${host.id} ${wanted}`,
      async () => ((await this.state(host)) === wanted ? true : undefined),
      40_000,
    );
  }

  async state(host: Host): Promise<string> {
    const { Reservations } = await this.ec2.send(new DescribeInstancesCommand({ InstanceIds: [host.id] }));
    return Reservations?.[0]?.Instances?.[0]?.State?.Name ?? 'unknown';
  }

  /** Runs a command as admin; its output without the last newline. Rejects on failure and after 10 s. */
  async ssh(host: Host, command: string): Promise<string> {
    const options = [
      'StrictHostKeyChecking=no',
      'UserKnownHostsFile=/dev/null',
      'ConnectTimeout=2',
      'LogLevel=ERROR',
    ];
    const flags = ['-i', path.join(this.#folder, 'key'), ...options.flatMap((option) => ['-o', option])];
    const { stdout } = await execute('ssh', [...flags, `admin@${host.ip}`, command], { timeout: 10_000 });
    return stdout.trimEnd();
  }

  /** Runs a command for bash as root, otherwise like `ssh`. */
  async asRoot(host: Host, command: string): Promise<string> {
    return await this.ssh(host, `sudo bash -c '${command.replaceAll("'", String.raw`'\''`)}'`);
  }

  /** Terminates everything this test launched and waits for it. */
  async end(): Promise<void> {
    if (this.#launched.length > 0) {
      await this.ec2.send(new TerminateInstancesCommand({ InstanceIds: this.#launched }));
      for (const id of this.#launched) await this.waitState({ id, ip: '' }, 'terminated');
    }
    await this.ec2.send(new DeleteKeyPairCommand({ KeyName: this.#keyName }));
    this.ec2.destroy();
    rmSync(this.#folder, { recursive: true });
  }
}
