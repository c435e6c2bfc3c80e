/** The AWS adapter against the lab's API on loopback; its machines only change state, so it needs no root. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Registry } from 'prom-client';
import { systemClock } from '../../../controller/base/clock.ts';
import { AwsClouds } from '../../../controller/cloud/clouds.ts';
import { startCloud } from '../../../lab/api/server.ts';
import { FakeRuntime } from '../../../lab/world/fake-runtime.ts';
import { labRegion } from '../../../lab/world/region.ts';
import { hostedZoneID } from '../../lab/cloud/hosted-zone.ts';
import { type CloudWorld, describeCloud } from './suite.ts';

const imageId = 'ami-00000000000007213';
const credentials = { accessKeyId: 'AKIACONTRACT', secretAccessKey: 'contract-suite' };

async function openLab(): Promise<CloudWorld> {
  const dir = mkdtempSync(path.join(tmpdir(), 'contract-cloud-'));
  const region = labRegion({
    name: 'eu-west-1',
    cidr: '10.77.0.0/16',
    gateway: '10.77.0.1',
    nameServer: '10.77.0.2',
    images: [{ id: imageId, name: 'ridgeline-debian-13-trixie', creationDate: '2026-01-01T00:00:00.000Z' }],
  });
  const runtime = new FakeRuntime({ startMs: 50, stopMs: 50 });
  const lab = await startCloud({
    runtime,
    dir,
    labId: 'contract',
    region,
    credentials,
    listen: { api: { host: '127.0.0.1', port: 0 } },
    seed: { buckets: ['state'], zones: ['lab.test'] },
  });
  const endpoint = `http://127.0.0.1:${lab.ports.api}`;
  const clouds = new AwsClouds({ clock: systemClock, registry: new Registry(), mayAct: () => true });
  const cloud = clouds.of({
    region: region.name,
    endpoints: { ec2: endpoint, s3: endpoint, route53: endpoint, sts: endpoint },
    credentials: { type: 'Keys', ...credentials },
    installation: 'contract',
  });
  return {
    cloud,
    installation: 'contract',
    bucket: 'state',
    zoneId: await hostedZoneID({ region: 'us-east-1', endpoint, credentials }, 'lab.test'),
    zoneName: 'lab.test',
    subnetId: region.subnets[0]?.id ?? '',
    imageId,
    imageOwner: 'amazon',
    pass: () => sleep(50),
    makeStubborn: (id) => runtime.stubborn.add(id),
    howEnded: (id) => runtime.ends.get(id),
    firstPut: async (url, body, { conditional }) => {
      const headers = conditional ? { 'if-none-match': '*' } : {};
      const { status } = await fetch(url, { method: 'PUT', body, headers });
      return status;
    },
    fetch: async (url) => {
      const answer = await fetch(url);
      return answer.ok ? await answer.text() : answer.status;
    },
    close: async () => {
      await clouds.close();
      await lab.close();
      rmSync(dir, { recursive: true });
    },
  };
}

describeCloud('AWS adapter on the lab', openLab);
