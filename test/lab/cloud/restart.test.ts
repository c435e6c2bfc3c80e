/** What survives the death of the API process, and what instances read about themselves. */
import { request } from 'node:http';
import {
  DescribeInstancesCommand,
  ImportKeyPairCommand,
  RunInstancesCommand,
  type RunInstancesCommandInput,
} from '@aws-sdk/client-ec2';
import { ListHostedZonesCommand } from '@aws-sdk/client-route-53';
import {
  CreateMultipartUploadCommand,
  GetObjectCommand,
  ListPartsCommand,
  PutObjectCommand,
  UploadPartCommand,
} from '@aws-sdk/client-s3';
import { describe, expect, test, vi } from 'vitest';
import { BUCKET as Bucket, IMAGE, startTestCloud, type TestCloud } from './cloud-fixture.ts';

async function launch(cloud: TestCloud, more: Partial<RunInstancesCommandInput> = {}) {
  const { Instances = [] } = await cloud.ec2.send(
    new RunInstancesCommand({ ImageId: IMAGE, InstanceType: 't3.micro', MinCount: 1, MaxCount: 1, ...more }),
  );
  return Instances[0] ?? {};
}

const allInstances = async (cloud: TestCloud) =>
  (await cloud.ec2.send(new DescribeInstancesCommand({}))).Reservations?.flatMap(
    ({ Instances = [] }) => Instances,
  ) ?? [];

test('instances, tokens, zones, objects, uploads and faults survive a restart', async () => {
  const before = await startTestCloud();
  const token = { ClientToken: 'kept' };
  const { InstanceId } = await launch(before, token);
  await vi.waitFor(async () => expect((await allInstances(before))[0]?.State?.Name).toBe('running'));
  await before.s3.send(new PutObjectCommand({ Bucket, Key: 'kept', Body: 'yes' }));
  const { UploadId } = await before.s3.send(new CreateMultipartUploadCommand({ Bucket, Key: 'half' }));
  await before.s3.send(new UploadPartCommand({ Bucket, Key: 'half', UploadId, PartNumber: 1, Body: 'x' }));
  await before.lab('POST', 'faults', { kind: 'slow', action: 'Nothing', delayMs: 1 });
  await before.lab('POST', 'cuts', { from: '127.64.32.4', to: '127.64.32.5' });
  await before.close();

  const after = await startTestCloud({ dir: before.dir, runtime: before.runtime });
  expect((await allInstances(after)).map((one) => [one.InstanceId, one.State?.Name])).toEqual([
    [InstanceId, 'running'],
  ]);
  expect((await launch(after, token)).InstanceId).toBe(InstanceId);
  expect((await after.route53.send(new ListHostedZonesCommand({}))).HostedZones).toHaveLength(1);
  const { Body } = await after.s3.send(new GetObjectCommand({ Bucket, Key: 'kept' }));
  expect(await Body?.transformToString()).toBe('yes');
  const { Parts } = await after.s3.send(new ListPartsCommand({ Bucket, Key: 'half', UploadId }));
  expect(Parts).toHaveLength(1);
  expect(await after.lab('GET', 'faults')).toMatchObject({ faults: [{ kind: 'slow', action: 'Nothing' }] });
  expect(after.runtime.cuts).toEqual([{ from: '127.64.32.4', to: '127.64.32.5' }]);
  await after.close();
});

describe('metadata', () => {
  interface Ask {
    readonly from: string;
    readonly path: string;
    readonly method?: string;
    readonly headers?: Record<string, string>;
  }

  const ask = (cloud: TestCloud, { from, path, method = 'GET', headers = {} }: Ask) =>
    new Promise<{ status: number; body: string }>((resolve, reject) => {
      const options = {
        host: '127.0.0.1',
        port: cloud.running.ports.metadata,
        localAddress: from,
        path,
        method,
        headers,
      };
      const sent = request(options, (answer) => {
        let body = '';
        answer.setEncoding('utf8');
        answer.on('data', (text: string) => (body += text));
        answer.on('end', () => resolve({ status: answer.statusCode ?? 0, body }));
      });
      sent.on('error', reject);
      sent.end();
    });

  test('each instance reads its own, with a token only', async () => {
    const cloud = await startTestCloud();
    const key = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGtleQ ops';
    await cloud.ec2.send(new ImportKeyPairCommand({ KeyName: 'ops', PublicKeyMaterial: Buffer.from(key) }));
    const { InstanceId, PrivateIpAddress: from = '' } = await launch(cloud, {
      KeyName: 'ops',
      UserData: Buffer.from('#!/bin/bash\necho hi\n').toString('base64'),
      MetadataOptions: { HttpTokens: 'required', InstanceMetadataTags: 'enabled' },
      TagSpecifications: [{ ResourceType: 'instance', Tags: [{ Key: 'Name', Value: 'web' }] }],
    });
    const { PrivateIpAddress: neighbor = '' } = await launch(cloud);
    const tokenPath = '/latest/api/token';
    const ttl = { 'x-aws-ec2-metadata-token-ttl-seconds': '60' };

    expect((await ask(cloud, { from, path: '/latest/meta-data/instance-id' })).status).toBe(401);
    expect((await ask(cloud, { from, path: tokenPath, method: 'PUT' })).status).toBe(400);
    expect(
      (
        await ask(cloud, {
          from,
          path: tokenPath,
          method: 'PUT',
          headers: { ...ttl, 'x-forwarded-for': '1.2.3.4' },
        })
      ).status,
    ).toBe(403);
    const { body: token } = await ask(cloud, { from, path: tokenPath, method: 'PUT', headers: ttl });
    const headers = { 'x-aws-ec2-metadata-token': token };
    const read = async (path: string) => (await ask(cloud, { from, path: `/latest/${path}`, headers })).body;

    expect(await read('meta-data/instance-id')).toBe(InstanceId);
    expect(await read('meta-data/local-ipv4')).toBe(from);
    expect(await read('meta-data/ami-launch-index')).toBe('0');
    expect(await read('meta-data/placement/')).toBe('availability-zone\nregion');
    expect(await read('meta-data/public-keys/')).toBe('0=ops');
    expect(await read('meta-data/public-keys/0/openssh-key')).toBe(`${key}\n`);
    expect(await read('meta-data/tags/instance/Name')).toBe('web');
    expect(await read('user-data')).toBe('#!/bin/bash\necho hi\n');
    expect((await ask(cloud, { from, path: '/latest/meta-data/nothing', headers })).status).toBe(404);
    expect((await ask(cloud, { from: neighbor, path: '/latest/user-data', headers })).status).toBe(401);
    expect(
      (await ask(cloud, { from: '127.0.0.1', path: tokenPath, method: 'PUT', headers: ttl })).status,
    ).toBe(404);
    await cloud.close();
  });
});
