/** The AWS CLI against the cloud: what a person types, errors included. Skipped, loudly, where there is no CLI. */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { BUCKET, CREDENTIALS, IMAGE, startTestCloud, type TestCloud } from './cloud-fixture.ts';

const execute = promisify(execFile);
const version = await execute('aws', ['--version']).then(
  ({ stdout }) => stdout,
  () => undefined,
);
if (version === undefined)
  console.warn('SKIPPED: the AWS CLI tests need `aws` on PATH (apt-get install awscli)');

let cloud: TestCloud;
beforeAll(async () => {
  cloud = await startTestCloud();
});
afterAll(() => cloud.close());

async function aws(...args: string[]): Promise<string> {
  const env = {
    PATH: process.env['PATH'],
    HOME: cloud.dir,
    AWS_ACCESS_KEY_ID: CREDENTIALS.accessKeyId,
    AWS_SECRET_ACCESS_KEY: CREDENTIALS.secretAccessKey,
    AWS_DEFAULT_REGION: 'us-east-1',
    AWS_EC2_METADATA_DISABLED: 'true',
    AWS_MAX_ATTEMPTS: '1',
  };
  // Debian 12's CLI does not read AWS_ENDPOINT_URL yet.
  return (await execute('aws', ['--endpoint-url', cloud.endpoint, ...args], { env })).stdout.trim();
}

const digest = async (file: string) => {
  const hash = createHash('sha256');
  await pipeline(createReadStream(file), hash);
  return hash.digest('hex');
};

describe.skipIf(version === undefined)('aws', () => {
  test('ec2: run, describe, tag, terminate', async () => {
    const run = [
      'ec2',
      'run-instances',
      '--image-id',
      IMAGE,
      '--instance-type',
      't3.micro',
      '--query',
      'Instances[0].InstanceId',
      '--output',
      'text',
    ];
    const id = await aws(...run, '--client-token', 'cli');
    expect(await aws(...run, '--client-token', 'cli')).toBe(id);
    await aws('ec2', 'create-tags', '--resources', id, '--tags', 'Key=Name,Value=from the shell');
    const describeState = () =>
      aws(
        'ec2',
        'describe-instances',
        '--filters',
        'Name=tag:Name,Values=from*',
        '--query',
        'Reservations[].Instances[].State.Name',
        '--output',
        'text',
      );
    await vi.waitFor(async () => expect(await describeState()).toBe('running'), 20_000);
    await aws('ec2', 'terminate-instances', '--instance-ids', id);
    await vi.waitFor(async () => expect(await describeState()).toBe('terminated'), 20_000);
    // Older CLIs tell in between how often they tried.
    await expect(aws('ec2', 'terminate-instances', '--instance-ids', 'i-0123456789abcdef0')).rejects.toThrow(
      /\(InvalidInstanceID\.NotFound\) when calling the TerminateInstances operation.*: The instance ID 'i-0123456789abcdef0' does not exist/,
    );
    await expect(aws(...run, '--dry-run')).rejects.toThrow('(DryRunOperation)');
  });

  test('route53: change-resource-record-sets', async () => {
    const zone = await aws(
      'route53',
      'list-hosted-zones',
      '--query',
      'HostedZones[0].Id',
      '--output',
      'text',
    );
    const batch = JSON.stringify({
      Changes: [
        {
          Action: 'CREATE',
          ResourceRecordSet: {
            Name: 'cli.ridgeline.test',
            Type: 'A',
            TTL: 5,
            ResourceRecords: [{ Value: '10.0.0.1' }],
          },
        },
      ],
    });
    const change = [
      'route53',
      'change-resource-record-sets',
      '--hosted-zone-id',
      zone,
      '--change-batch',
      batch,
    ];
    expect(await aws(...change, '--query', 'ChangeInfo.Status', '--output', 'text')).toBe('PENDING');
    await expect(aws(...change)).rejects.toThrow('(InvalidChangeBatch)');
  });

  test('s3: 200 MB up and down, in little memory', async () => {
    const [up, down] = ['up', 'down'].map((name) => join(cloud.dir, name)) as [string, string];
    const file = await open(up, 'w');
    for (let n = 0; n < 200; n += 1) await file.write(Buffer.alloc(1_000_000, `block ${n} `));
    await file.close();
    const before = process.memoryUsage().rss;
    let peak = before;
    const sampling = setInterval(() => (peak = Math.max(peak, process.memoryUsage().rss)), 50);
    const started = performance.now();
    await aws('s3', 'cp', '--no-progress', up, `s3://${BUCKET}/big`);
    const between = performance.now();
    await aws('s3', 'cp', '--no-progress', `s3://${BUCKET}/big`, down);
    clearInterval(sampling);
    const seconds = [between - started, performance.now() - between].map((ms) => (ms / 1000).toFixed(1));
    const grown = (peak - before) / 1_000_000;
    console.log(`200 MB: up ${seconds[0]} s, down ${seconds[1]} s; memory grew by ${grown.toFixed(0)} MB`);
    expect(await digest(down)).toBe(await digest(up));
    expect(grown).toBeLessThan(150);
    await Promise.all([rm(up), rm(down)]);
    await expect(aws('s3', 'cp', `s3://${BUCKET}/nothing`, down)).rejects.toThrow('(404)');
  });
});
