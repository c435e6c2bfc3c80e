/** Security groups: create, delete, describe, authorize and revoke. The runtime enforces inbound rules. */
import { CloudError } from '../../world/cloud-error.ts';
import { parseBlock } from '../../world/ipv4.ts';
import type { SecurityGroup, SecurityRule } from '../../world/model.ts';
import type { State } from '../../world/state.ts';
import { invalidValue, type QueryParams } from '../query-params.ts';
import type { XmlObject } from '../xml.ts';
import { DONE, type Ec2Call } from './call.ts';
import { applyFilters } from './filters.ts';
import { requireGroups } from './network.ts';
import { paginate } from './paging.ts';
import { readTagSpecification, tagSet } from './tag-set.ts';

const PROTOCOLS: Readonly<Record<string, SecurityRule['protocol']>> = {
  tcp: 'tcp',
  '6': 'tcp',
  udp: 'udp',
  '17': 'udp',
  icmp: 'icmp',
  '1': 'icmp',
  '-1': '-1',
};

type Direction = 'ingress' | 'egress';

/** Names are unique; everything may go out, nothing comes in. */
export function createSecurityGroup(call: Ec2Call): XmlObject {
  const { params, cloud } = call;
  const { region, state } = cloud.world;
  const name = params.required('GroupName');
  const description = params.required('GroupDescription');
  const vpcId = params.string('VpcId') ?? region.vpcId;
  if (vpcId !== region.vpcId)
    throw new CloudError('InvalidVpcID.NotFound', `The vpc ID '${vpcId}' does not exist`);
  if ([...state.securityGroups.values()].some((group) => group.name === name)) {
    throw new CloudError(
      'InvalidGroup.Duplicate',
      `The security group '${name}' already exists for VPC '${vpcId}'`,
    );
  }
  const draft = cloud.world.draft();
  const group: SecurityGroup = {
    id: draft.id('sg'),
    name,
    description,
    vpcId,
    ingress: [],
    egress: [{ protocol: '-1', source: { cidr: '0.0.0.0/0' } }],
    tags: readTagSpecification(params, 'security-group'),
  };
  draft.put('securityGroups', group.id, group);
  call.commit(draft, { name: 'security-group.created', subject: group.id });
  return { ...DONE, groupId: group.id, tagSet: tagSet(group.tags) };
}

/** Refused for the default group and for one that is in use. */
export function deleteSecurityGroup(call: Ec2Call): XmlObject {
  const { world } = call.cloud;
  const group = target(call);
  if (group.name === 'default')
    throw new CloudError('CannotDelete', 'the default security group cannot be deleted by a user');
  if (isUsed(world.state, group.id)) {
    throw new CloudError('DependencyViolation', `resource ${group.id} has a dependent object`);
  }
  const draft = world.draft();
  draft.remove('securityGroups', group.id);
  call.commit(draft, { name: 'security-group.deleted', subject: group.id });
  return { ...DONE, groupId: group.id };
}

/** By id, name and filters; unknown ones are refused. */
export function describeSecurityGroups({ params, cloud }: Ec2Call): XmlObject {
  const { securityGroups } = cloud.world.state;
  const ids = requireGroups(securityGroups, params.list('GroupId'));
  const names = params.list('GroupName');
  const chosen = [...securityGroups.values()].filter(
    (group) =>
      (ids.length === 0 || ids.includes(group.id)) && (names.length === 0 || names.includes(group.name)),
  );
  const missing = names.find((name) => !chosen.some((group) => group.name === name));
  if (missing)
    throw new CloudError('InvalidGroup.NotFound', `The security group '${missing}' does not exist`);
  const found = applyFilters(params, chosen, {
    'group-id': (group) => [group.id],
    'group-name': (group) => [group.name],
    description: (group) => [group.description],
    'vpc-id': (group) => [group.vpcId],
  });
  const page = paginate(params, found, { min: 5, max: 1000 });
  return {
    securityGroupInfo: { item: page.records.map((group) => groupXml(group, cloud.world.region.accountId)) },
    nextToken: page.nextToken,
  };
}

/** A handler that adds rules; one that exists already fails the whole call. */
export function authorize(direction: Direction): (call: Ec2Call) => XmlObject {
  return (call) => {
    const group = target(call);
    const added = readRules(call);
    const duplicate = added.find((rule) => group[direction].some((old) => sameRule(old, rule)));
    if (duplicate) {
      throw new CloudError(
        'InvalidPermission.Duplicate',
        `the specified rule "${ruleText(duplicate)}" already exists`,
      );
    }
    return saveRules(call, { ...group, [direction]: [...group[direction], ...added] });
  };
}

/** A handler that takes rules away; one that does not exist fails the whole call. */
export function revoke(direction: Direction): (call: Ec2Call) => XmlObject {
  return (call) => {
    const group = target(call);
    const gone = readRules(call);
    const missing = gone.find((rule) => !group[direction].some((old) => sameRule(old, rule)));
    if (missing) {
      throw new CloudError(
        'InvalidPermission.NotFound',
        `The specified rule "${ruleText(missing)}" does not exist in this security group.`,
      );
    }
    const rest = group[direction].filter((old) => !gone.some((rule) => sameRule(old, rule)));
    return saveRules(call, { ...group, [direction]: rest });
  };
}

function saveRules(call: Ec2Call, group: SecurityGroup): XmlObject {
  const draft = call.cloud.world.draft();
  draft.put('securityGroups', group.id, group);
  call.commit(draft, { name: 'security-group.rules-changed', subject: group.id });
  return DONE;
}

function target({ params, cloud }: Ec2Call): SecurityGroup {
  const groups = [...cloud.world.state.securityGroups.values()];
  const id = params.string('GroupId');
  const name = id ? undefined : params.required('GroupName');
  const group = groups.find((one) => (id ? one.id === id : one.name === name));
  if (!group)
    throw new CloudError('InvalidGroup.NotFound', `The security group '${id ?? name}' does not exist`);
  return group;
}

/** The rules of `IpPermissions.n`, one per source; or the old flat form with one CidrIp. */
function readRules(call: Ec2Call): readonly SecurityRule[] {
  const permissions = call.params.structs('IpPermissions');
  if (permissions.length > 0) return permissions.flatMap((permission) => readPermission(call, permission));
  const source = { cidr: readCidr(call.params.required('CidrIp')) };
  return [{ ...readPorts(call.params), source }];
}

function readPermission(call: Ec2Call, permission: QueryParams): readonly SecurityRule[] {
  const ports = readPorts(permission);
  const ranges = permission.structs('IpRanges').map((range) => ({
    ...ports,
    source: { cidr: readCidr(range.required('CidrIp')), ...described(range) },
  }));
  const groups = permission.structs('Groups').map((group) => {
    const [groupId = ''] = requireGroups(call.cloud.world.state.securityGroups, [group.required('GroupId')]);
    return { ...ports, source: { groupId, ...described(group) } };
  });
  const rules = [...ranges, ...groups];
  if (rules.length === 0)
    throw new CloudError('MissingParameter', 'The request must contain a source of traffic');
  return rules;
}

function described(from: QueryParams): { readonly description?: string } {
  const description = from.string('Description');
  return description === undefined ? {} : { description };
}

function readPorts(params: QueryParams): Omit<SecurityRule, 'source'> {
  const name = params.required('IpProtocol');
  const protocol = PROTOCOLS[name.toLowerCase()];
  if (!protocol) throw invalidValue(name, 'ipProtocol', 'The lab knows tcp, udp, icmp and -1.');
  if (protocol === '-1') return { protocol };
  const fromPort = params.integer('FromPort') ?? -1;
  const toPort = params.integer('ToPort') ?? -1;
  if (protocol !== 'icmp' && (fromPort < 0 || toPort > 65_535 || fromPort > toPort)) {
    throw invalidValue(`${fromPort}-${toPort}`, 'portRange', 'Ports go from 0 to 65535.');
  }
  return { protocol, fromPort, toPort };
}

function readCidr(text: string): string {
  if (!parseBlock(text)) throw invalidValue(text, 'cidrIp', 'This is not a valid CIDR block.');
  return text;
}

function isUsed(state: State, id: string): boolean {
  const members = [...state.instances.values()].filter((instance) => instance.state !== 'terminated');
  if (members.some((instance) => instance.securityGroupIds.includes(id))) return true;
  const others = [...state.securityGroups.values()].filter((group) => group.id !== id);
  return others.some((group) =>
    group.ingress.some(({ source }) => 'groupId' in source && source.groupId === id),
  );
}

function sameRule(a: SecurityRule, b: SecurityRule): boolean {
  return ruleText(a) === ruleText(b);
}

function ruleText({ protocol, fromPort, toPort, source }: SecurityRule): string {
  const peer = 'cidr' in source ? source.cidr : source.groupId;
  return `peer: ${peer}, ${protocol}, from port: ${fromPort ?? 'all'}, to port: ${toPort ?? 'all'}, ALLOW`;
}

function groupXml(group: SecurityGroup, ownerId: string): XmlObject {
  return {
    ownerId,
    groupId: group.id,
    groupName: group.name,
    groupDescription: group.description,
    vpcId: group.vpcId,
    ipPermissions: { item: group.ingress.map((rule) => ruleXml(rule, ownerId)) },
    ipPermissionsEgress: { item: group.egress.map((rule) => ruleXml(rule, ownerId)) },
    tagSet: tagSet(group.tags),
  };
}

function ruleXml({ protocol, fromPort, toPort, source }: SecurityRule, userId: string): XmlObject {
  const { description } = source;
  return {
    ipProtocol: protocol,
    fromPort,
    toPort,
    groups: 'groupId' in source ? { item: { userId, groupId: source.groupId, description } } : {},
    ipRanges: 'cidr' in source ? { item: { cidrIp: source.cidr, description } } : {},
    ipv6Ranges: {},
    prefixListIds: {},
  };
}
