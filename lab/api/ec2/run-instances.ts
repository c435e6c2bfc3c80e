/** RunInstances: validation, ClientToken, capacity and partial fulfilment. */
import { CloudError } from '../../world/cloud-error.ts';
import { type LaunchOrder, type LaunchToken, launchInstances, recallLaunch } from '../../world/launches.ts';
import type { Instance, KeyPair, SecurityGroup, Subnet } from '../../world/model.ts';
import type { World } from '../../world/world.ts';
import { invalidValue, type QueryParams } from '../query-params.ts';
import { sha256 } from '../sigv4.ts';
import type { XmlObject } from '../xml.ts';
import { readBlockDevices } from './block-devices.ts';
import type { Cloud, Ec2Call } from './call.ts';
import { requireType } from './instance-types.ts';
import { requireGroups, requireSubnet } from './network.ts';
import { readTagSpecification } from './tag-set.ts';

const MAX_USER_DATA_BYTES = 16_384;
const MAX_TOKEN_LENGTH = 64;
/** Without a type EC2 gives its oldest one; the lab gives its smallest. */
const DEFAULT_TYPE = 't3.micro';

/**
 * The same ClientToken answers with the same instances; with less capacity than MaxCount, as many as there are.
 */
export function runInstances(call: Ec2Call): XmlObject {
  const { params, cloud } = call;
  const { world } = cloud;
  const counts = readCounts(params);
  const placement = readPlacement(params, cloud);
  const token = readToken(params, world, placement);
  const known = token && recallLaunch(world.state, token);
  if (known?.[0]) {
    call.endDryRun();
    return cloud.instanceXml.reservation(known[0].reservationId, known);
  }
  const order = readOrder(params, cloud, placement.subnet, token);
  const count = fulfillable(cloud, order, counts, placement.explicit);
  const draft = world.draft();
  const instances = launchInstances(draft, order, count);
  call.commit(draft, {
    name: 'instance.launched',
    subject: instances.map(({ id }) => id).join(' '),
    detail: { clientToken: token?.token, zone: order.subnet.zone, tags: order.instance.tags },
  });
  cloud.faults.useCapacity(order.instance.type, order.subnet.zone, count);
  for (const { id } of instances) cloud.machines.boot(id, 'terminated');
  return cloud.instanceXml.reservation(instances[0]?.reservationId ?? '', instances);
}

interface Counts {
  readonly min: number;
  readonly max: number;
}

function readCounts(params: QueryParams): Counts {
  const [min, max] = ['MinCount', 'MaxCount'].map((name) => {
    params.required(name);
    return params.integer(name) ?? 0;
  }) as [number, number];
  if (min < 1) throw invalidValue(String(min), 'minCount', 'Minimum count must be greater than zero.');
  if (max < min)
    throw invalidValue(String(min), 'minCount', 'Maximum count must be at least the minimum count.');
  return { min, max };
}

interface Placement {
  readonly subnet: Subnet;
  /** Whether the request named a zone or subnet; otherwise EC2 chose. */
  readonly explicit: boolean;
}

function readPlacement(params: QueryParams, { world, faults }: Cloud): Placement {
  const { subnets } = world.region;
  const subnetId = params.string('SubnetId') ?? firstInterface(params).string('SubnetId');
  const zone = params.struct('Placement').string('AvailabilityZone');
  if (subnetId) {
    const subnet = requireSubnet(world.region, subnetId);
    if (zone && zone !== subnet.zone) {
      throw new CloudError('InvalidParameterValue', `The subnet ${subnetId} is not in the zone ${zone}.`);
    }
    return { subnet, explicit: true };
  }
  const type = params.string('InstanceType') ?? DEFAULT_TYPE;
  const roomy = subnets.find(
    (subnet) => faults.capacity(type, subnet.zone) > 0 && !faults.zoneOut(subnet.zone),
  );
  const subnet = zone ? subnets.find((one) => one.zone === zone) : (roomy ?? subnets[0]);
  if (!subnet) throw invalidValue(zone ?? '', 'availabilityZone', 'No such zone in this region.');
  return { subnet, explicit: zone !== undefined };
}

function readToken(params: QueryParams, world: World, placement: Placement): LaunchToken | undefined {
  const token = params.string('ClientToken');
  if (!token) return undefined;
  if (token.length > MAX_TOKEN_LENGTH) {
    throw invalidValue(token, 'clientToken', `It has more than ${MAX_TOKEN_LENGTH} characters.`);
  }
  return {
    token,
    scope: placement.explicit ? placement.subnet.zone : world.region.name,
    fingerprint: sha256(params.canonical(['DryRun'])),
  };
}

function readOrder(
  params: QueryParams,
  cloud: Cloud,
  subnet: Subnet,
  token: LaunchToken | undefined,
): LaunchOrder {
  const { state } = cloud.world;
  const privateIp = params.string('PrivateIpAddress') ?? firstInterface(params).string('PrivateIpAddress');
  return {
    subnet,
    instance: {
      imageId: requireImage(params.required('ImageId'), cloud.world),
      type: requireType(params.string('InstanceType') ?? DEFAULT_TYPE),
      ...readKey(params, state.keyPairs),
      securityGroupIds: readGroups(params, state.securityGroups),
      ...readUserData(params),
      ...readProfile(params, cloud.world.region.accountId),
      spot: params.struct('InstanceMarketOptions').string('MarketType') === 'spot',
      terminationProtected: params.boolean('DisableApiTermination') ?? false,
      shutdownBehavior: readShutdownBehavior(params),
      metadata: readMetadata(params.struct('MetadataOptions')),
      tags: readTagSpecification(params, 'instance'),
    },
    volumes: readBlockDevices(params, state),
    volumeTags: readTagSpecification(params, 'volume'),
    ...(token ? { token } : {}),
    ...(privateIp ? { privateIp } : {}),
  };
}

/** How many machines the zone gives. @throws CloudError InsufficientInstanceCapacity (500, as EC2) below the minimum */
function fulfillable(cloud: Cloud, order: LaunchOrder, { min, max }: Counts, explicit: boolean): number {
  const { type } = order.instance;
  const { zone } = order.subnet;
  if (order.privateIp && max > 1) {
    throw new CloudError('InvalidParameterCombination', 'An address can be given to one instance only.');
  }
  if (cloud.faults.zoneOut(zone)) {
    throw new CloudError('Unavailable', 'The server is overloaded and cannot handle the request.', 503);
  }
  const room = cloud.faults.capacity(type, zone);
  if (room >= min) return Math.min(room, max);
  throw new CloudError(
    'InsufficientInstanceCapacity',
    `We currently do not have sufficient ${type} capacity ${explicit ? `in the Availability Zone you requested (${zone})` : 'in any zone'}. Our system will be working on provisioning additional capacity.`,
    500,
  );
}

function requireImage(id: string, world: World): string {
  if (!/^ami-[0-9a-f]+$/.test(id))
    throw new CloudError('InvalidAMIID.Malformed', `Invalid id: "${id}" (expecting "ami-...")`);
  if (!world.region.images.some((image) => image.id === id)) {
    throw new CloudError('InvalidAMIID.NotFound', `The image id '[${id}]' does not exist`);
  }
  return id;
}

function readKey(
  params: QueryParams,
  keys: ReadonlyMap<string, KeyPair>,
): Pick<Instance, 'keyName' | 'publicKey'> {
  const keyName = params.string('KeyName');
  if (!keyName) return {};
  const key = [...keys.values()].find((pair) => pair.name === keyName);
  if (!key) throw new CloudError('InvalidKeyPair.NotFound', `The key pair '${keyName}' does not exist`);
  return { keyName, publicKey: key.publicKey };
}

function readGroups(params: QueryParams, groups: ReadonlyMap<string, SecurityGroup>): readonly string[] {
  const ids = [...params.list('SecurityGroupId'), ...firstInterface(params).list('SecurityGroupId')];
  if (ids.length > 0) return requireGroups(groups, ids);
  const names = params.list('SecurityGroup');
  const wanted = names.length > 0 ? names : ['default'];
  return wanted.map((name) => {
    const group = [...groups.values()].find((one) => one.name === name);
    if (!group) throw new CloudError('InvalidGroup.NotFound', `The security group '${name}' does not exist`);
    return group.id;
  });
}

function readUserData(params: QueryParams): Pick<Instance, 'userData'> {
  const userData = params.string('UserData');
  if (!userData) return {};
  if (!/^[A-Za-z0-9+/\s]*={0,2}\s*$/.test(userData)) {
    throw new CloudError('InvalidUserData.Malformed', 'Invalid BASE64 encoding of user data.');
  }
  const bytes = Buffer.from(userData, 'base64').length;
  if (bytes > MAX_USER_DATA_BYTES) {
    throw new CloudError('InvalidParameterValue', `User data is limited to ${MAX_USER_DATA_BYTES} bytes`);
  }
  return { userData };
}

function readProfile(params: QueryParams, accountId: string): Pick<Instance, 'profileArn'> {
  const profile = params.struct('IamInstanceProfile');
  const name = profile.string('Name');
  const profileArn = profile.string('Arn') ?? (name && `arn:aws:iam::${accountId}:instance-profile/${name}`);
  return profileArn ? { profileArn } : {};
}

function readShutdownBehavior(params: QueryParams): Instance['shutdownBehavior'] {
  const behavior = params.string('InstanceInitiatedShutdownBehavior') ?? 'stop';
  if (behavior === 'stop' || behavior === 'terminate') return behavior;
  throw invalidValue(behavior, 'instanceInitiatedShutdownBehavior', 'It must be stop or terminate.');
}

function readMetadata(options: QueryParams): Instance['metadata'] {
  return {
    hopLimit: options.integer('HttpPutResponseHopLimit') ?? 2,
    tags: options.string('InstanceMetadataTags') === 'enabled',
  };
}

function firstInterface(params: QueryParams): QueryParams {
  return params.struct('NetworkInterface.1');
}
