/** The emulator with the fake runtime on loopback, and AWS's own clients that talk to it. */
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { EC2Client } from '@aws-sdk/client-ec2';
import { Route53Client } from '@aws-sdk/client-route-53';
import { S3Client } from '@aws-sdk/client-s3';
import { STSClient } from '@aws-sdk/client-sts';
import { type RunningCloud, startCloud } from '../../../lab/api/server.ts';
import { FakeRuntime } from '../../../lab/world/fake-runtime.ts';
import { labRegion } from '../../../lab/world/region.ts';

export const IMAGE = 'ami-0d13000000000001a';
export const BUCKET = 'ridgeline-state';
export const CREDENTIALS = { accessKeyId: 'AKIATESTTESTTESTTEST', secretAccessKey: 'not-a-secret' };

/** Subnets in 127/8, so that a test can call the metadata service from an instance's address. */
const REGION = labRegion({
  name: 'us-east-1',
  cidr: '127.64.0.0/16',
  gateway: '127.64.0.1',
  nameServer: '127.64.0.2',
  images: [
    { id: IMAGE, name: 'ridgeline-debian-13-trixie', creationDate: '2026-11-01T00:00:00.000Z' },
    {
      id: 'ami-0d12000000000001a',
      name: 'ridgeline-debian-12-bookworm',
      creationDate: '2026-10-01T00:00:00.000Z',
    },
  ],
});

export interface TestCloud {
  readonly running: RunningCloud;
  readonly runtime: FakeRuntime;
  readonly dir: string;
  readonly endpoint: string;
  readonly ec2: EC2Client;
  readonly s3: S3Client;
  readonly route53: Route53Client;
  readonly sts: STSClient;
  /** One request to /_lab/; the answer's JSON. */
  lab(method: string, path: string, body?: unknown): Promise<Record<string, unknown>>;
  close(): Promise<void>;
}

/** Starts a cloud on free ports; with a `dir` it takes up the state of an earlier one. */
export async function startTestCloud(
  options: { readonly dir?: string; readonly runtime?: FakeRuntime } = {},
): Promise<TestCloud> {
  const dir = options.dir ?? mkdtempSync(join(tmpdir(), 'ridgeline-cloud-'));
  const runtime = options.runtime ?? new FakeRuntime({ startMs: 20, stopMs: 20 });
  const any = { host: '127.0.0.1', port: 0 };
  const running = await startCloud({
    runtime,
    dir,
    labId: 'test',
    region: REGION,
    credentials: CREDENTIALS,
    listen: { api: any, metadata: any, dns: any },
    seed: { buckets: [BUCKET], zones: ['ridgeline.test'] },
  });
  const endpoint = `http://127.0.0.1:${running.ports.api}`;
  // One attempt each: the tests want to see the first answer.
  const settings = { endpoint, region: 'us-east-1', credentials: CREDENTIALS, maxAttempts: 1 };
  const clients = {
    ec2: new EC2Client(settings),
    s3: new S3Client({ ...settings, forcePathStyle: true }),
    route53: new Route53Client(settings),
    sts: new STSClient(settings),
  };
  return {
    ...clients,
    running,
    runtime,
    dir,
    endpoint,
    async lab(method, path, body) {
      const answer = await fetch(`${endpoint}/_lab/${path}`, {
        method,
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
      return (await answer.json()) as Record<string, unknown>;
    },
    async close() {
      for (const client of Object.values(clients)) client.destroy();
      await running.close();
    },
  };
}
