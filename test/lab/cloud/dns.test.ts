/** Route 53 by the AWS SDK, and its zones by a resolver. */
import { Resolver } from 'node:dns/promises';
import { once } from 'node:events';
import { connect } from 'node:net';
import {
  type Change,
  ChangeResourceRecordSetsCommand,
  CreateHostedZoneCommand,
  DeleteHostedZoneCommand,
  GetChangeCommand,
  GetHostedZoneCommand,
  ListHostedZonesByNameCommand,
  ListHostedZonesCommand,
  ListResourceRecordSetsCommand,
} from '@aws-sdk/client-route-53';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { startTestCloud, type TestCloud } from './cloud-fixture.ts';

let cloud: TestCloud;
let zoneId: string;
let resolver: Resolver;
beforeAll(async () => {
  cloud = await startTestCloud();
  const { HostedZones = [] } = await cloud.route53.send(new ListHostedZonesCommand({}));
  zoneId = HostedZones[0]?.Id?.replace('/hostedzone/', '') ?? '';
  resolver = new Resolver();
  resolver.setServers([`127.0.0.1:${cloud.running.ports.dns}`]);
});
afterAll(() => cloud.close());

const named = (name: string) => expect.objectContaining({ name }) as Error;
const address = (Action: 'CREATE' | 'DELETE' | 'UPSERT', Name: string, ...values: string[]): Change => ({
  Action,
  ResourceRecordSet: { Name, Type: 'A', TTL: 5, ResourceRecords: values.map((Value) => ({ Value })) },
});
const send = (...Changes: Change[]) =>
  cloud.route53.send(new ChangeResourceRecordSetsCommand({ HostedZoneId: zoneId, ChangeBatch: { Changes } }));

describe('changes', () => {
  test('are pending, then in sync, then answered', async () => {
    const { ChangeInfo } = await send(address('UPSERT', 'db.ridgeline.test', '10.0.0.1'));
    expect(ChangeInfo?.Status).toBe('PENDING');
    const status = async () =>
      (await cloud.route53.send(new GetChangeCommand({ Id: ChangeInfo?.Id }))).ChangeInfo?.Status;
    await vi.waitFor(async () => expect(await status()).toBe('INSYNC'));
    await vi.waitFor(async () => expect(await resolver.resolve4('db.ridgeline.test')).toEqual(['10.0.0.1']));
    await send(address('UPSERT', 'db.ridgeline.test', '10.0.0.2'));
    expect(await resolver.resolve4('db.ridgeline.test')).toEqual(['10.0.0.1']);
    await vi.waitFor(async () => expect(await resolver.resolve4('db.ridgeline.test')).toEqual(['10.0.0.2']));
  });

  test('a batch with one bad change changes nothing, and says why', async () => {
    await send(address('CREATE', 'one.ridgeline.test', '10.0.0.1'));
    const batch = send(
      address('CREATE', 'two.ridgeline.test', '10.0.0.2'),
      address('CREATE', 'one.ridgeline.test', '10.0.0.1'),
    );
    await expect(batch).rejects.toThrow(named('InvalidChangeBatch'));
    await expect(batch).rejects.toThrow(
      /Tried to create resource record set \[name='one\.ridgeline\.test\.', type='A'\] but it already exists/,
    );
    const { ResourceRecordSets = [] } = await cloud.route53.send(
      new ListResourceRecordSetsCommand({ HostedZoneId: zoneId }),
    );
    expect(ResourceRecordSets.map(({ Name }) => Name)).not.toContain('two.ridgeline.test.');
  });

  test('are listed in pages from a name', async () => {
    const names = ['a', 'b', 'c'].map((label) => `${label}.list.ridgeline.test.`);
    await send(...names.map((name) => address('UPSERT', name, '10.0.0.1')));
    const page = await cloud.route53.send(
      new ListResourceRecordSetsCommand({ HostedZoneId: zoneId, StartRecordName: names[0], MaxItems: 2 }),
    );
    expect(page.ResourceRecordSets?.map(({ Name }) => Name)).toEqual(names.slice(0, 2));
    expect(page).toMatchObject({ IsTruncated: true, NextRecordName: names[2], NextRecordType: 'A' });
  });
});

describe('zones', () => {
  test('create, find by name, refuse twice, delete when empty', async () => {
    const create = new CreateHostedZoneCommand({ Name: 'shop.test', CallerReference: 'r1' });
    const { HostedZone, ChangeInfo } = await cloud.route53.send(create);
    expect(ChangeInfo?.Status).toBe('PENDING');
    await expect(cloud.route53.send(create)).rejects.toThrow(named('HostedZoneAlreadyExists'));
    const { HostedZones } = await cloud.route53.send(
      new ListHostedZonesByNameCommand({ DNSName: 'shop.test', MaxItems: 1 }),
    );
    expect(HostedZones?.[0]?.Id).toBe(HostedZone?.Id);
    await cloud.route53.send(new DeleteHostedZoneCommand({ Id: HostedZone?.Id }));
    await expect(cloud.route53.send(new GetHostedZoneCommand({ Id: HostedZone?.Id }))).rejects.toThrow(
      named('NoSuchHostedZone'),
    );
    await expect(cloud.route53.send(new DeleteHostedZoneCommand({ Id: zoneId }))).rejects.toThrow(
      named('HostedZoneNotEmpty'),
    );
  });
});

describe('name server', () => {
  test('private names, and names that are not there', async () => {
    expect(await resolver.resolve4('ip-10-77-32-4.ec2.internal')).toEqual(['10.77.32.4']);
    await expect(resolver.resolve4('nobody.ridgeline.test')).rejects.toMatchObject({ code: 'ENOTFOUND' });
    expect((await resolver.resolveSoa('ridgeline.test')).nsname).toBe('ns.lab.internal');
  });

  test('the same over TCP', async () => {
    const labels = ['ip-10-77-32-10', 'ec2', 'internal'].map(
      (label) => String.fromCharCode(label.length) + label,
    );
    const query = Buffer.from(`\0\x01\x01\0\0\x01\0\0\0\0\0\0${labels.join('')}\0\0\x01\0\x01`, 'latin1');
    const length = Buffer.alloc(2);
    length.writeUInt16BE(query.length);
    const socket = connect(cloud.running.ports.dns, '127.0.0.1');
    // In two pieces: TCP keeps no borders.
    socket.write(length);
    socket.write(query);
    const [answer] = (await once(socket, 'data')) as [Buffer];
    socket.destroy();
    expect(answer.subarray(-4)).toEqual(Buffer.from([10, 77, 32, 10]));
  });
});
