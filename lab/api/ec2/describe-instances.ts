/** DescribeInstances and DescribeInstanceStatus: what readers see, lag and outages included. */
import { CloudError } from '../../world/cloud-error.ts';
import { requireInstances } from '../../world/instances.ts';
import { privateName } from '../../world/ipv4.ts';
import type { Instance } from '../../world/model.ts';
import type { XmlObject } from '../xml.ts';
import type { Cloud, Ec2Call } from './call.ts';
import { applyFilters, type Fields } from './filters.ts';
import { stateXml } from './instance-xml.ts';
import { paginate } from './paging.ts';

const PAGE = { min: 5, max: 1000 };

/** As readers see them: with the fault `stale-reads`, late. */
export function describeInstances(call: Ec2Call): XmlObject {
  const { params, cloud } = call;
  const instances = applyFilters(params, readInstances(call), instanceFields(cloud));
  const page = paginate(params, instances, PAGE);
  return {
    reservationSet: { item: cloud.instanceXml.reservations(page.records) },
    nextToken: page.nextToken,
  };
}

/** Running ones only, unless `IncludeAllInstances`; crashed machines fail their checks. */
export function describeInstanceStatus(call: Ec2Call): XmlObject {
  const { params } = call;
  const all = params.boolean('IncludeAllInstances') ?? false;
  const shown = readInstances(call).filter((instance) => all || instance.state === 'running');
  const found = applyFilters(params, shown, {
    'availability-zone': (instance) => [instance.zone],
    'instance-state-name': (instance) => [instance.state],
    'instance-status.status': (instance) => [checks(instance).instance],
    'system-status.status': (instance) => [checks(instance).system],
    'event.code': () => [],
  });
  const page = paginate(params, found, PAGE);
  return { instanceStatusSet: { item: page.records.map(statusXml) }, nextToken: page.nextToken };
}

/** The instances of `InstanceId.n`, or all of them; with a zone out, EC2 refuses to list what it cannot see. */
function readInstances({ params, cloud }: Ec2Call): readonly Instance[] {
  const ids = params.list('InstanceId');
  if (ids.length === 0) {
    const byFilter = params.structs('Filter').some((filter) => filter.string('Name') === 'instance-id');
    if (!byFilter && cloud.faults.active('zone-outage')) throw unavailable();
    return cloud.reads.list();
  }
  if (params.string('MaxResults')) {
    throw new CloudError(
      'InvalidParameterCombination',
      'The parameter instancesSet cannot be used with the parameter maxResults',
    );
  }
  const instances = requireInstances(ids, (id) => cloud.reads.find(id, 'get'));
  if (instances.some((instance) => cloud.faults.zoneOut(instance.zone))) throw unavailable();
  return instances;
}

function unavailable(): CloudError {
  return new CloudError('Unavailable', 'The service is unavailable. Please try again shortly.', 503);
}

function instanceFields(cloud: Cloud): Fields<Instance> {
  const { region, state } = cloud.world;
  return {
    'instance-id': (i) => [i.id],
    'instance-state-name': (i) => [i.state],
    'instance-state-code': (i) => [String(stateXml(i.state).code)],
    'client-token': (i) => [i.clientToken],
    'reservation-id': (i) => [i.reservationId],
    'image-id': (i) => [i.imageId],
    'instance-type': (i) => [i.type],
    'availability-zone': (i) => [i.zone],
    'subnet-id': (i) => [i.subnetId],
    'vpc-id': () => [region.vpcId],
    'private-ip-address': (i) => [i.privateIp],
    'network-interface.addresses.private-ip-address': (i) => [i.privateIp],
    'private-dns-name': (i) => [privateName(i.privateIp)],
    'key-name': (i) => [i.keyName],
    'launch-time': (i) => [new Date(i.launchTime).toISOString()],
    'launch-index': (i) => [String(i.launchIndex)],
    'instance-lifecycle': (i) => [i.spot ? 'spot' : undefined],
    'instance.group-id': (i) => i.securityGroupIds,
    'instance.group-name': (i) => i.securityGroupIds.map((id) => state.securityGroups.get(id)?.name),
    'iam-instance-profile.arn': (i) => [i.profileArn],
    'block-device-mapping.volume-id': (i) => i.blockDevices.map((device) => device.volumeId),
    'state-reason-code': (i) => [i.stateReason?.code],
    architecture: () => ['x86_64'],
    'owner-id': () => [region.accountId],
  };
}

type Check = 'ok' | 'impaired' | 'initializing' | 'not-applicable';

/** A dead host fails both checks, a hung system only its own. */
function checks({ state, condition }: Instance): { readonly instance: Check; readonly system: Check } {
  if (state === 'pending') return { instance: 'initializing', system: 'initializing' };
  if (state !== 'running') return { instance: 'not-applicable', system: 'not-applicable' };
  if (condition === 'powered-off') return { instance: 'impaired', system: 'impaired' };
  return { instance: condition === 'ok' ? 'ok' : 'impaired', system: 'ok' };
}

function statusXml(instance: Instance): XmlObject {
  const { instance: instanceCheck, system } = checks(instance);
  return {
    instanceId: instance.id,
    availabilityZone: instance.zone,
    instanceState: stateXml(instance.state),
    systemStatus: checkXml(system),
    instanceStatus: checkXml(instanceCheck),
  };
}

function checkXml(status: Check): XmlObject {
  if (status === 'not-applicable') return { status };
  const words = { ok: 'passed', impaired: 'failed', initializing: 'initializing' };
  return { status, details: { item: { name: 'reachability', status: words[status] } } };
}
