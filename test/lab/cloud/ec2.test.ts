/** EC2 as the AWS SDK sees it. */
import {
  AttachVolumeCommand,
  AuthorizeSecurityGroupIngressCommand,
  CreateSecurityGroupCommand,
  CreateSnapshotCommand,
  CreateTagsCommand,
  CreateVolumeCommand,
  DescribeImagesCommand,
  DescribeInstanceStatusCommand,
  DescribeInstancesCommand,
  DescribeSecurityGroupsCommand,
  DescribeSnapshotsCommand,
  DescribeSubnetsCommand,
  DescribeTagsCommand,
  DescribeVolumesCommand,
  GetConsoleOutputCommand,
  ImportKeyPairCommand,
  type Instance,
  ModifyInstanceAttributeCommand,
  paginateDescribeInstances,
  RunInstancesCommand,
  type RunInstancesCommandInput,
  StartInstancesCommand,
  StopInstancesCommand,
  TerminateInstancesCommand,
} from '@aws-sdk/client-ec2';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { IMAGE, startTestCloud, type TestCloud } from './cloud-fixture.ts';

let cloud: TestCloud;
beforeAll(async () => {
  cloud = await startTestCloud();
});
afterAll(() => cloud.close());
afterEach(() => cloud.lab('DELETE', 'faults'));

const named = (name: string) => expect.objectContaining({ name }) as Error;

async function run(input: Partial<RunInstancesCommandInput> = {}): Promise<Instance[]> {
  const command = new RunInstancesCommand({
    ImageId: IMAGE,
    InstanceType: 't3.micro',
    MinCount: 1,
    MaxCount: 1,
    ...input,
  });
  return (await cloud.ec2.send(command)).Instances ?? [];
}

const idsOf = (instances: readonly Instance[]) => instances.map(({ InstanceId = '' }) => InstanceId);

async function describeByIds(ids: string[]): Promise<Instance[]> {
  const { Reservations = [] } = await cloud.ec2.send(new DescribeInstancesCommand({ InstanceIds: ids }));
  return Reservations.flatMap(({ Instances = [] }) => Instances);
}

async function untilState(ids: string[], state: string): Promise<void> {
  await vi.waitFor(async () => {
    expect((await describeByIds(ids)).map(({ State }) => State?.Name)).toEqual(ids.map(() => state));
  }, 5000);
}

/** An answer without the ids and dates that differ each time. */
const launched = (instances: Instance[]) =>
  instances.map(({ InstanceId, AmiLaunchIndex }) => [InstanceId, AmiLaunchIndex]);

describe('launch', () => {
  test('a request made twice with one token makes its machines once', async () => {
    const input = {
      MaxCount: 3,
      ClientToken: 'rl1-once',
      UserData: Buffer.from('#!/bin/bash\n').toString('base64'),
      TagSpecifications: [
        { ResourceType: 'instance' as const, Tags: [{ Key: 'ridgeline:batch', Value: 'b1' }] },
      ],
    };
    const first = await run(input);
    expect(first.map(({ AmiLaunchIndex }) => AmiLaunchIndex)).toEqual([0, 1, 2]);
    expect(first[0]).toMatchObject({
      State: { Name: 'pending' },
      ClientToken: 'rl1-once',
      Tags: [{ Key: 'ridgeline:batch', Value: 'b1' }],
    });
    expect(launched(await run(input))).toEqual(launched(first));
    await expect(run({ ...input, InstanceType: 't3.small' })).rejects.toThrow(
      named('IdempotentParameterMismatch'),
    );
    await untilState(idsOf(first), 'running');
    await cloud.ec2.send(new TerminateInstancesCommand({ InstanceIds: idsOf(first).slice(0, 1) }));
    await untilState(idsOf(first).slice(0, 1), 'terminated');
    await expect(run(input)).rejects.toThrow(named('IdempotentInstanceTerminated'));
  });

  test('a token counts in its zone', async () => {
    const { Subnets = [] } = await cloud.ec2.send(new DescribeSubnetsCommand({}));
    const [a, b] = Subnets.map(({ SubnetId }) => SubnetId ?? '');
    const [one, other, again] = [
      await run({ SubnetId: a ?? '', ClientToken: 'zonal' }),
      await run({ SubnetId: b ?? '', ClientToken: 'zonal' }),
      await run({ SubnetId: a ?? '', ClientToken: 'zonal' }),
    ];
    expect(idsOf(other)).not.toEqual(idsOf(one));
    expect(idsOf(again)).toEqual(idsOf(one));
  });

  test('the answer is lost after the launch: the replay finds the machine', async () => {
    await cloud.lab('POST', 'faults', { kind: 'drop-answer', action: 'RunInstances', times: 1 });
    await cloud.lab('POST', 'faults', { kind: 'fail-after-commit', action: 'RunInstances', times: 1 });
    await expect(run({ ClientToken: 'lost' })).rejects.toThrow();
    await expect(run({ ClientToken: 'lost' })).rejects.toThrow(named('InternalError'));
    const [instance] = await run({ ClientToken: 'lost' });
    const { Reservations = [] } = await cloud.ec2.send(
      new DescribeInstancesCommand({ Filters: [{ Name: 'client-token', Values: ['lost'] }] }),
    );
    expect(Reservations.flatMap(({ Instances = [] }) => idsOf(Instances))).toEqual([instance?.InstanceId]);
  });

  test('as many as there is room for, at least the minimum', async () => {
    await cloud.lab('POST', 'faults', { kind: 'no-capacity', type: 't3.large', zone: 'us-east-1a', left: 2 });
    const placed = { InstanceType: 't3.large' as const, Placement: { AvailabilityZone: 'us-east-1a' } };
    await expect(run({ ...placed, MinCount: 3, MaxCount: 5 })).rejects.toThrow(
      named('InsufficientInstanceCapacity'),
    );
    expect(await run({ ...placed, MinCount: 1, MaxCount: 5 })).toHaveLength(2);
    await expect(run(placed)).rejects.toThrow(
      /sufficient t3\.large capacity in the Availability Zone you requested/,
    );
    expect((await run({ InstanceType: 't3.large' }))[0]?.Placement?.AvailabilityZone).toBe('us-east-1b');
  });

  test.each([
    ['DryRunOperation', { DryRun: true }],
    ['InvalidAMIID.NotFound', { ImageId: 'ami-0000000000000dead' }],
    ['InvalidAMIID.Malformed', { ImageId: 'debian' }],
    ['InvalidParameterValue', { InstanceType: 'z9.huge' as 't3.micro' }],
    ['InvalidSubnetID.NotFound', { SubnetId: 'subnet-nope' }],
    ['InvalidGroup.NotFound', { SecurityGroupIds: ['sg-nope'] }],
    ['InvalidKeyPair.NotFound', { KeyName: 'nope' }],
    ['InvalidParameterValue', { UserData: Buffer.alloc(16_385).toString('base64') }],
    ['InvalidUserData.Malformed', { UserData: 'not base64!' }],
    ['InvalidParameterValue', { MinCount: 2, MaxCount: 1 }],
    ['InvalidBlockDeviceMapping', { BlockDeviceMappings: [{ DeviceName: 'C:', Ebs: { VolumeSize: 1 } }] }],
    ['InvalidParameterValue', { ClientToken: 'x'.repeat(65) }],
  ] as [string, Partial<RunInstancesCommandInput>][])('%s: case %#', async (code, input) => {
    await expect(run(input)).rejects.toThrow(named(code));
  });
});

describe('life of an instance', () => {
  test('stop, start, protect, terminate', async () => {
    const ids = idsOf(await run());
    await untilState(ids, 'running');
    const { StoppingInstances } = await cloud.ec2.send(new StopInstancesCommand({ InstanceIds: ids }));
    expect(StoppingInstances?.[0]).toMatchObject({
      CurrentState: { Name: 'stopping' },
      PreviousState: { Name: 'running' },
    });
    await untilState(ids, 'stopped');
    expect(ids.map((id) => cloud.runtime.ends.get(id))).toEqual(ids.map(() => 'orderly'));
    await cloud.ec2.send(new StartInstancesCommand({ InstanceIds: ids }));
    await untilState(ids, 'running');
    const [InstanceId = ''] = ids;
    const protect = (Value: boolean) =>
      cloud.ec2.send(new ModifyInstanceAttributeCommand({ InstanceId, DisableApiTermination: { Value } }));
    await protect(true);
    const terminate = new TerminateInstancesCommand({ InstanceIds: ids });
    await expect(cloud.ec2.send(terminate)).rejects.toThrow(named('OperationNotPermitted'));
    await protect(false);
    await cloud.ec2.send(terminate);
    await untilState(ids, 'terminated');
    expect((await describeByIds(ids))[0]).toMatchObject({
      StateReason: { Code: 'Client.UserInitiatedShutdown' },
    });
    expect((await describeByIds(ids))[0]?.PrivateIpAddress).toBeUndefined();
    await cloud.ec2.send(terminate);
  });

  test('a protected instance saves its zone only', async () => {
    const place = (zone: string) => ({ Placement: { AvailabilityZone: zone } });
    const [guarded = ''] = idsOf(await run({ ...place('us-east-1a'), DisableApiTermination: true }));
    const [beside = ''] = idsOf(await run(place('us-east-1a')));
    const [elsewhere = ''] = idsOf(await run(place('us-east-1b')));
    const all = [guarded, beside, elsewhere];
    await untilState(all, 'running');
    await expect(cloud.ec2.send(new TerminateInstancesCommand({ InstanceIds: all }))).rejects.toThrow(
      named('OperationNotPermitted'),
    );
    await untilState([elsewhere], 'terminated');
    await untilState([guarded, beside], 'running');
  });

  test('unknown and malformed ids', async () => {
    const unknown = 'i-0123456789abcdef0';
    await expect(describeByIds([unknown])).rejects.toThrow(`The instance ID '${unknown}' does not exist`);
    await expect(describeByIds(['i-nope'])).rejects.toThrow(named('InvalidInstanceID.Malformed'));
  });

  test('status checks tell a dead host from a hung system', async () => {
    const ids = idsOf(await run({ MaxCount: 2 }));
    const [hung, dead] = ids;
    await untilState(ids, 'running');
    await cloud.lab('POST', `instances/${hung}/hang`);
    await cloud.lab('POST', `instances/${dead}/power-off`);
    const { InstanceStatuses } = await cloud.ec2.send(
      new DescribeInstanceStatusCommand({ InstanceIds: ids }),
    );
    expect(
      InstanceStatuses?.map(({ SystemStatus, InstanceStatus }) => [
        SystemStatus?.Status,
        InstanceStatus?.Status,
      ]),
    ).toEqual([
      ['ok', 'impaired'],
      ['impaired', 'impaired'],
    ]);
    await cloud.lab('POST', `instances/${hung}/resume`);
    const after = await cloud.ec2.send(new DescribeInstanceStatusCommand({ InstanceIds: [hung ?? ''] }));
    expect(after.InstanceStatuses?.[0]?.InstanceStatus?.Status).toBe('ok');
  });

  test('console output', async () => {
    const [InstanceId = ''] = idsOf(await run());
    const { Output = '' } = await cloud.ec2.send(new GetConsoleOutputCommand({ InstanceId }));
    expect(Buffer.from(Output, 'base64').toString()).toContain(InstanceId);
  });
});

describe('reading', () => {
  test('pages of a filtered list, many launches', async () => {
    const Tags = [{ Key: 'fleet', Value: 'paged' }];
    const ids = idsOf(await run({ MaxCount: 12, TagSpecifications: [{ ResourceType: 'instance', Tags }] }));
    const seen: string[] = [];
    const Filters = [{ Name: 'tag:fleet', Values: ['pag*'] }];
    for await (const page of paginateDescribeInstances({ client: cloud.ec2, pageSize: 5 }, { Filters })) {
      seen.push(...(page.Reservations ?? []).flatMap(({ Instances = [] }) => idsOf(Instances)));
    }
    expect(seen).toEqual(ids);
  });

  test('a filter by id leaves unknown ids out; an unknown filter is refused', async () => {
    const [id = ''] = idsOf(await run());
    const ask = (Name: string, Values: string[]) =>
      cloud.ec2.send(new DescribeInstancesCommand({ Filters: [{ Name, Values }] }));
    expect((await ask('instance-id', [id, 'i-0123456789abcdef0'])).Reservations).toHaveLength(1);
    await expect(ask('colour', ['red'])).rejects.toThrow(named('InvalidParameterValue'));
  });

  test('stale reads: a new instance is not found at first', async () => {
    await cloud.lab('POST', 'faults', { kind: 'stale-reads', p50Ms: 300, p99Ms: 400, seed: 1 });
    const ids = idsOf(await run());
    await expect(describeByIds(ids)).rejects.toThrow(named('InvalidInstanceID.NotFound'));
    await untilState(ids, 'running');
  });

  test('a zone out: lists fail, other zones answer by id', async () => {
    const [id = ''] = idsOf(await run({ Placement: { AvailabilityZone: 'us-east-1b' } }));
    await cloud.lab('POST', 'faults', { kind: 'zone-outage', zone: 'us-east-1a' });
    await expect(cloud.ec2.send(new DescribeInstancesCommand({}))).rejects.toThrow(named('Unavailable'));
    expect(await describeByIds([id])).toHaveLength(1);
    expect((await run())[0]?.Placement?.AvailabilityZone).toBe('us-east-1b');
  });

  test('tags: create, describe, limits', async () => {
    const [id = ''] = idsOf(await run());
    const tag = (Key: string, Value: string) =>
      cloud.ec2.send(new CreateTagsCommand({ Resources: [id], Tags: [{ Key, Value }] }));
    await tag('Name', 'a<b>&"c"');
    const { Tags } = await cloud.ec2.send(
      new DescribeTagsCommand({ Filters: [{ Name: 'resource-id', Values: [id] }] }),
    );
    expect(Tags).toEqual([{ Key: 'Name', Value: 'a<b>&"c"', ResourceId: id, ResourceType: 'instance' }]);
    await expect(tag('aws:x', 'y')).rejects.toThrow(named('InvalidParameterValue'));
    const many = Array.from({ length: 51 }, (_, n) => ({ Key: `k${n}`, Value: '' }));
    await expect(cloud.ec2.send(new CreateTagsCommand({ Resources: [id], Tags: many }))).rejects.toThrow(
      named('TagLimitExceeded'),
    );
  });

  test('images by name and owner', async () => {
    const find = async (Owners: string[], pattern: string) =>
      (
        await cloud.ec2.send(
          new DescribeImagesCommand({ Owners, Filters: [{ Name: 'name', Values: [pattern] }] }),
        )
      ).Images?.map(({ ImageId }) => ImageId);
    expect(await find(['amazon'], 'ridgeline-debian-13-*')).toEqual([IMAGE]);
    expect(await find(['self'], 'ridgeline-*')).toHaveLength(2);
    expect(await find(['123456789012'], '*')).toEqual([]);
  });

  test('throttling', async () => {
    await cloud.lab('POST', 'faults', { kind: 'throttle', scale: 0.01 });
    await cloud.ec2.send(new DescribeInstancesCommand({}));
    await expect(cloud.ec2.send(new DescribeInstancesCommand({}))).rejects.toThrow(
      named('RequestLimitExceeded'),
    );
  });
});

describe('groups, keys, volumes', () => {
  test('rules reach the runtime with the addresses of source groups', async () => {
    const make = async (GroupName: string) =>
      (await cloud.ec2.send(new CreateSecurityGroupCommand({ GroupName, Description: 'test' }))).GroupId ??
      '';
    const [app, db] = [await make('app'), await make('db')];
    const allow = new AuthorizeSecurityGroupIngressCommand({
      GroupId: db,
      IpPermissions: [
        { IpProtocol: 'tcp', FromPort: 3306, ToPort: 3306, UserIdGroupPairs: [{ GroupId: app }] },
      ],
    });
    await cloud.ec2.send(allow);
    await expect(cloud.ec2.send(allow)).rejects.toThrow(named('InvalidPermission.Duplicate'));
    const [client] = await run({ SecurityGroupIds: [app] });
    const [server] = await run({ SecurityGroupIds: [db] });
    await untilState([server?.InstanceId ?? ''], 'running');
    await vi.waitFor(() => {
      const firewall = cloud.runtime.firewalls.find(({ instanceId }) => instanceId === server?.InstanceId);
      expect(firewall?.ingress).toEqual([
        { protocol: 'tcp', fromPort: 3306, toPort: 3306, sources: [`${client?.PrivateIpAddress}/32`] },
      ]);
    });
    const { SecurityGroups } = await cloud.ec2.send(new DescribeSecurityGroupsCommand({ GroupIds: [db] }));
    expect(SecurityGroups?.[0]?.IpPermissions?.[0]).toMatchObject({
      FromPort: 3306,
      UserIdGroupPairs: [{ GroupId: app }],
    });
  });

  test('an imported key is on the instance', async () => {
    const PublicKeyMaterial = Buffer.from('ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGtleQ test');
    const { KeyFingerprint } = await cloud.ec2.send(
      new ImportKeyPairCommand({ KeyName: 'ops', PublicKeyMaterial }),
    );
    expect(KeyFingerprint).toMatch(/=$/);
    expect((await run({ KeyName: 'ops' }))[0]?.KeyName).toBe('ops');
    await expect(
      cloud.ec2.send(new ImportKeyPairCommand({ KeyName: 'ops', PublicKeyMaterial })),
    ).rejects.toThrow(named('InvalidKeyPair.Duplicate'));
  });

  test('a volume is made, attached, copied and survives its instance', async () => {
    const [InstanceId = ''] = idsOf(await run({ Placement: { AvailabilityZone: 'us-east-1a' } }));
    await untilState([InstanceId], 'running');
    const { VolumeId = '' } = await cloud.ec2.send(
      new CreateVolumeCommand({ AvailabilityZone: 'us-east-1a', Size: 2 }),
    );
    const attach = new AttachVolumeCommand({ VolumeId, InstanceId, Device: '/dev/xvdf' });
    await cloud.ec2.send(attach);
    await expect(cloud.ec2.send(attach)).rejects.toThrow(named('VolumeInUse'));
    const { SnapshotId = '' } = await cloud.ec2.send(new CreateSnapshotCommand({ VolumeId }));
    const { Snapshots } = await cloud.ec2.send(new DescribeSnapshotsCommand({ SnapshotIds: [SnapshotId] }));
    expect(Snapshots?.[0]).toMatchObject({ State: 'completed', VolumeId, VolumeSize: 2 });
    await cloud.ec2.send(new TerminateInstancesCommand({ InstanceIds: [InstanceId] }));
    await untilState([InstanceId], 'terminated');
    const { Volumes } = await cloud.ec2.send(new DescribeVolumesCommand({ VolumeIds: [VolumeId] }));
    expect(Volumes?.[0]?.State).toBe('available');
    const mapping = [{ DeviceName: '/dev/xvdf', Ebs: { SnapshotId } }];
    expect((await run({ BlockDeviceMappings: mapping }))[0]?.BlockDeviceMappings).toHaveLength(2);
  });
});
