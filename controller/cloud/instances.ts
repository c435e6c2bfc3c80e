/** EC2's shapes to ours and back; pure. */
import type {
  _InstanceType,
  BlockDeviceMapping,
  EbsBlockDevice,
  Instance,
  ResourceType,
  RunInstancesCommandInput,
  VolumeType,
} from '@aws-sdk/client-ec2';
import type { LaunchRequest, Machine, MachineState, Volume } from './port.ts';

const states: readonly MachineState[] = [
  'pending',
  'running',
  'stopping',
  'stopped',
  'shutting-down',
  'terminated',
];

/** A Machine, or undefined for a row without id or with a state EC2 has not told us about. */
export function toMachine(instance: Instance): Machine | undefined {
  const state = states.find((known) => known === instance.State?.Name);
  if (instance.InstanceId === undefined || state === undefined) return undefined;
  return {
    id: instance.InstanceId,
    state,
    type: instance.InstanceType ?? '',
    imageId: instance.ImageId ?? '',
    zone: instance.Placement?.AvailabilityZone ?? '',
    launchTime: instance.LaunchTime?.getTime() ?? 0,
    launchIndex: instance.AmiLaunchIndex ?? 0,
    tags: Object.fromEntries((instance.Tags ?? []).map(({ Key = '', Value = '' }) => [Key, Value])),
    ...optionalFields(instance),
  };
}

/** What a machine may lack; EC2 writes an empty element for an address that is not there. */
function optionalFields(
  instance: Instance,
): Pick<Machine, 'subnetId' | 'privateIp' | 'publicIp' | 'publicDnsName' | 'clientToken' | 'stateReason'> {
  const { SubnetId, PrivateIpAddress, PublicIpAddress, PublicDnsName, ClientToken, StateReason } = instance;
  return {
    ...(SubnetId ? { subnetId: SubnetId } : {}),
    ...(PrivateIpAddress ? { privateIp: PrivateIpAddress } : {}),
    ...(PublicIpAddress ? { publicIp: PublicIpAddress } : {}),
    ...(PublicDnsName ? { publicDnsName: PublicDnsName } : {}),
    ...(ClientToken ? { clientToken: ClientToken } : {}),
    ...(StateReason?.Code ? { stateReason: StateReason.Code } : {}),
  };
}

/**
 * The RunInstances call of a frozen request: IMDSv2 only, volumes encrypted, everything tagged.
 * `rootDevice` is the image's root device name; undefined for images without an EBS root.
 */
export function toRunInstances(
  request: LaunchRequest,
  rootDevice: string | undefined,
): RunInstancesCommandInput {
  const devices = [
    ...(rootDevice === undefined ? [] : [toDevice(rootDevice, request.rootVolume)]),
    ...(request.dataVolume === undefined ? [] : [toDevice('/dev/sdf', request.dataVolume)]),
  ];
  const tags = Object.entries(request.tags).map(([Key, Value]) => ({ Key, Value }));
  const tagged: readonly ResourceType[] = [
    'instance',
    'volume',
    'network-interface',
    ...(request.spot ? (['spot-instances-request'] as const) : []),
  ];
  return {
    ClientToken: request.clientToken,
    MinCount: request.minCount,
    MaxCount: request.maxCount,
    ImageId: request.imageId,
    ...(isInstanceType(request.instanceType) ? { InstanceType: request.instanceType } : {}),
    UserData: Buffer.from(request.userData, 'utf8').toString('base64'),
    MetadataOptions: {
      HttpEndpoint: 'enabled',
      HttpTokens: 'required',
      HttpPutResponseHopLimit: request.metadataHopLimit,
    },
    TagSpecifications: tagged.map((ResourceType) => ({ ResourceType, Tags: tags })),
    ...(devices.length === 0 ? {} : { BlockDeviceMappings: devices }),
    ...(request.subnetId === undefined ? {} : { SubnetId: request.subnetId }),
    ...(request.zone === undefined ? {} : { Placement: { AvailabilityZone: request.zone } }),
    ...(request.securityGroupIds.length === 0 ? {} : { SecurityGroupIds: [...request.securityGroupIds] }),
    ...(request.instanceProfile === undefined
      ? {}
      : { IamInstanceProfile: toProfile(request.instanceProfile) }),
    ...(request.spot ? { InstanceMarketOptions: { MarketType: 'spot' as const } } : {}),
  };
}

function toProfile(profile: string): { Arn: string } | { Name: string } {
  return profile.startsWith('arn:') ? { Arn: profile } : { Name: profile };
}

function toDevice(name: string, volume: Volume | undefined): BlockDeviceMapping {
  return {
    DeviceName: name,
    Ebs: {
      Encrypted: true,
      DeleteOnTermination: true,
      ...(volume === undefined ? {} : toEbs(volume)),
    },
  };
}

function toEbs(volume: Volume): EbsBlockDevice {
  return {
    VolumeSize: volume.sizeGiB,
    ...(isVolumeType(volume.type) ? { VolumeType: volume.type } : {}),
    ...(volume.iops === undefined ? {} : { Iops: volume.iops }),
    ...(volume.throughputMiBps === undefined ? {} : { Throughput: volume.throughputMiBps }),
    ...(volume.kmsKeyId === undefined ? {} : { KmsKeyId: volume.kmsKeyId }),
  };
}

/** EC2 decides which types exist; the SDK's lists are always a little behind. */
function isInstanceType(type: string): type is _InstanceType {
  return type !== '';
}

function isVolumeType(type: string): type is VolumeType {
  return type !== '';
}
