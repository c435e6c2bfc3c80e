/** What the network of a region is made of: zones, VPC, subnets and addresses. */
import { CloudError } from '../../world/cloud-error.ts';
import { formatAddress, parseBlock } from '../../world/ipv4.ts';
import type { Region, SecurityGroup, Subnet } from '../../world/model.ts';
import type { XmlObject } from '../xml.ts';
import { DONE, type Ec2Call } from './call.ts';
import { applyFilters } from './filters.ts';
import { paginate } from './paging.ts';
import { readTagSpecification, tagSet } from './tag-set.ts';

/** Of each subnet, the addresses nobody can have. */
const RESERVED_ADDRESSES = 5;
/** Elastic addresses come from the range for documentation: nothing answers there. */
const ELASTIC_FIRST = '198.51.100.1';

/** @throws CloudError InvalidSubnetID.NotFound */
export function requireSubnet(region: Region, id: string): Subnet {
  const subnet = region.subnets.find((one) => one.id === id);
  if (!subnet) throw new CloudError('InvalidSubnetID.NotFound', `The subnet ID '${id}' does not exist`);
  return subnet;
}

/** @throws CloudError InvalidGroup.NotFound */
export function requireGroups(
  groups: ReadonlyMap<string, SecurityGroup>,
  ids: readonly string[],
): readonly string[] {
  for (const id of ids) {
    if (!groups.has(id))
      throw new CloudError('InvalidGroup.NotFound', `The security group '${id}' does not exist`);
  }
  return ids;
}

/** Those of the lab's region; a zone with a fault shows as impaired. */
export function describeAvailabilityZones({ params, cloud }: Ec2Call): XmlObject {
  const { region } = cloud.world;
  const zones = region.subnets.map(({ zone }, index) => ({
    id: zone,
    zoneId: `use1-az${index + 1}`,
    tags: {},
  }));
  const names = params.list('ZoneName');
  const found = applyFilters(params, zones, {
    'zone-name': (zone) => [zone.id],
    'region-name': () => [region.name],
    state: () => ['available'],
  });
  return {
    availabilityZoneInfo: {
      item: found
        .filter((zone) => names.length === 0 || names.includes(zone.id))
        .map((zone) => ({
          zoneName: zone.id,
          zoneState: cloud.faults.zoneOut(zone.id) ? 'impaired' : 'available',
          regionName: region.name,
          zoneId: zone.zoneId,
          zoneType: 'availability-zone',
          optInStatus: 'opt-in-not-required',
          messageSet: {},
        })),
    },
  };
}

/** There is one. */
export function describeVpcs({ params, cloud }: Ec2Call): XmlObject {
  const { region } = cloud.world;
  const vpcs = [{ id: region.vpcId, tags: {} }];
  for (const id of params.list('VpcId')) {
    if (id !== region.vpcId)
      throw new CloudError('InvalidVpcID.NotFound', `The vpc ID '${id}' does not exist`);
  }
  const found = applyFilters(params, vpcs, {
    'vpc-id': (vpc) => [vpc.id],
    'is-default': () => ['true'],
    isDefault: () => ['true'],
    cidr: () => [region.vpcCidr],
    state: () => ['available'],
  });
  return {
    vpcSet: {
      item: found.map((vpc) => ({
        vpcId: vpc.id,
        ownerId: region.accountId,
        state: 'available',
        cidrBlock: region.vpcCidr,
        isDefault: true,
        instanceTenancy: 'default',
      })),
    },
  };
}

/** One for each zone, with the addresses that are left. */
export function describeSubnets({ params, cloud }: Ec2Call): XmlObject {
  const { region, state } = cloud.world;
  const ids = params.list('SubnetId');
  const chosen = ids.length > 0 ? ids.map((id) => requireSubnet(region, id)) : region.subnets;
  const found = applyFilters(
    params,
    chosen.map((subnet) => ({ ...subnet, tags: {} })),
    {
      'subnet-id': (subnet) => [subnet.id],
      'vpc-id': () => [region.vpcId],
      'availability-zone': (subnet) => [subnet.zone],
      'cidr-block': (subnet) => [subnet.cidr],
      'default-for-az': () => ['true'],
      state: () => ['available'],
    },
  );
  const live = [...state.instances.values()].filter((instance) => instance.state !== 'terminated');
  const page = paginate(params, found, { min: 5, max: 1000 });
  return {
    subnetSet: {
      item: page.records.map((subnet) => ({
        subnetId: subnet.id,
        subnetArn: `arn:aws:ec2:${region.name}:${region.accountId}:subnet/${subnet.id}`,
        state: 'available',
        vpcId: region.vpcId,
        ownerId: region.accountId,
        cidrBlock: subnet.cidr,
        availableIpAddressCount:
          (parseBlock(subnet.cidr)?.size ?? 0) -
          RESERVED_ADDRESSES -
          live.filter((instance) => instance.subnetId === subnet.id).length,
        availabilityZone: subnet.zone,
        defaultForAz: true,
        mapPublicIpOnLaunch: false,
      })),
    },
    nextToken: page.nextToken,
  };
}

/** An address that can be held and released; the lab routes nothing to it. */
export function allocateAddress(call: Ec2Call): XmlObject {
  const { world } = call.cloud;
  const draft = world.draft();
  const taken = new Set([...world.state.addresses.values()].map((address) => address.publicIp));
  const first = parseBlock(`${ELASTIC_FIRST}/32`)?.first ?? 0;
  const free = Array.from({ length: 254 }, (_, index) => formatAddress(first + index)).find(
    (ip) => !taken.has(ip),
  );
  if (!free)
    throw new CloudError('AddressLimitExceeded', 'The maximum number of addresses has been reached.');
  const allocationId = draft.id('eipalloc');
  const tags = readTagSpecification(call.params, 'elastic-ip');
  draft.put('addresses', allocationId, { allocationId, publicIp: free, tags });
  call.commit(draft, { name: 'address.allocated', subject: allocationId });
  return { allocationId, publicIp: free, domain: 'vpc', networkBorderGroup: world.region.name };
}

/** Gives an elastic address up; an unknown id is refused. */
export function releaseAddress(call: Ec2Call): XmlObject {
  const { world } = call.cloud;
  const id = call.params.required('AllocationId');
  if (!world.state.addresses.has(id)) {
    throw new CloudError('InvalidAllocationID.NotFound', `The allocation ID '${id}' does not exist`);
  }
  const draft = world.draft();
  draft.remove('addresses', id);
  call.commit(draft, { name: 'address.released', subject: id });
  return DONE;
}

/** Elastic addresses: names only, nothing routes to them. */
export function describeAddresses({ params, cloud }: Ec2Call): XmlObject {
  const ids = params.list('AllocationId');
  const all = [...cloud.world.state.addresses.values()];
  const chosen = ids.length > 0 ? all.filter((address) => ids.includes(address.allocationId)) : all;
  const found = applyFilters(params, chosen, {
    'allocation-id': (address) => [address.allocationId],
    'public-ip': (address) => [address.publicIp],
  });
  return {
    addressesSet: {
      item: found.map(({ allocationId, publicIp, tags }) => ({
        allocationId,
        publicIp,
        domain: 'vpc',
        tagSet: tagSet(tags),
      })),
    },
  };
}
