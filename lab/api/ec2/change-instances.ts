/** Start, stop, reboot, terminate, and the attributes of instances. */
import { CloudError } from '../../world/cloud-error.ts';
import { moved, REASONS, requireInstances } from '../../world/instances.ts';
import type { Instance, InstanceState } from '../../world/model.ts';
import { invalidValue } from '../query-params.ts';
import type { XmlObject } from '../xml.ts';
import { type Cloud, DONE, type Ec2Call } from './call.ts';
import { stateXml } from './instance-xml.ts';
import { requireGroups } from './network.ts';

/** All or none: one that is not stopped, pending or running fails the call. */
export function startInstances(call: Ec2Call): XmlObject {
  const instances = targets(call);
  const changed = instances.filter(
    (instance) => instance.state !== 'running' && instance.state !== 'pending',
  );
  for (const instance of changed) {
    if (instance.state !== 'stopped') throw incorrectState(instance, 'started');
  }
  const now = call.cloud.world.now();
  save(
    call,
    'instance.starting',
    changed.map((one) => ({ ...moved(one, 'pending'), launchTime: now })),
  );
  for (const { id } of changed) call.cloud.machines.boot(id, 'stopped');
  return changes(call.cloud, instances);
}

/**
 * With Force as without it EC2 tries an orderly shutdown first and cuts the power when its patience is over; only
 * SkipOsShutdown cuts it at once, also of a machine that is stopping already.
 */
export function stopInstances(call: Ec2Call): XmlObject {
  const instances = targets(call);
  const skip = skipsOsShutdown(call);
  for (const instance of instances) {
    if (!['running', 'stopping', 'stopped'].includes(instance.state))
      throw incorrectState(instance, 'stopped');
  }
  const changed = instances.filter(
    (one) => one.state === 'running' || (skip.skipsOsShutdown && one.state === 'stopping'),
  );
  save(
    call,
    'instance.stopping',
    changed.map((one) => ({ ...moved(one, 'stopping', REASONS.userShutdown), ...skip })),
  );
  for (const { id } of changed) call.cloud.machines.stop(id);
  return changes(call.cloud, instances);
}

/** All or none; comes back at once, the reboot follows. */
export function rebootInstances(call: Ec2Call): XmlObject {
  const instances = targets(call);
  for (const instance of instances) {
    if (instance.state !== 'running') throw incorrectState(instance, 'rebooted');
  }
  call.endDryRun();
  call.cloud.world.note({ name: 'instance.rebooted', subject: instances.map(({ id }) => id).join(' ') });
  for (const { id } of instances) call.cloud.machines.reboot(id);
  return DONE;
}

/** A protected instance saves the others of its zone, and only those: EC2 works zone by zone. */
export function terminateInstances(call: Ec2Call): XmlObject {
  const instances = targets(call);
  const skip = skipsOsShutdown(call);
  const shielded = new Set(instances.filter((one) => one.terminationProtected).map((one) => one.zone));
  const changed = instances.filter(
    (one) =>
      !shielded.has(one.zone) &&
      one.state !== 'terminated' &&
      (one.state !== 'shutting-down' || skip.skipsOsShutdown),
  );
  save(
    call,
    'instance.shutting-down',
    changed.map((one) => ({ ...moved(one, 'shutting-down', REASONS.userShutdown), ...skip })),
  );
  for (const { id } of changed) call.cloud.machines.terminate(id);
  const spared = instances.find((one) => one.terminationProtected);
  if (spared) {
    throw new CloudError(
      'OperationNotPermitted',
      `The instance '${spared.id}' may not be terminated. Modify its 'disableApiTermination' instance attribute and try again.`,
    );
  }
  return changes(call.cloud, instances);
}

/** Termination protection, shutdown behavior and security groups; others are refused. */
export function modifyInstanceAttribute(call: Ec2Call): XmlObject {
  const { params, cloud } = call;
  const instance = target(call);
  const groups = params.list('GroupId');
  const changed = params.string('Attribute') ?? '';
  const value = (name: string) =>
    params.struct(capital(name)).string('Value') ?? (changed === name ? params.string('Value') : undefined);
  const protection = value('disableApiTermination');
  const behavior = value('instanceInitiatedShutdownBehavior');
  if (behavior !== undefined && behavior !== 'stop' && behavior !== 'terminate') {
    throw invalidValue(behavior, 'instanceInitiatedShutdownBehavior', 'It must be stop or terminate.');
  }
  if (groups.length === 0 && protection === undefined && behavior === undefined) {
    throw new CloudError('InvalidParameterCombination', 'No attributes specified.');
  }
  const next: Instance = {
    ...instance,
    terminationProtected: protection === undefined ? instance.terminationProtected : protection === 'true',
    shutdownBehavior: behavior ?? instance.shutdownBehavior,
    securityGroupIds:
      groups.length > 0 ? requireGroups(cloud.world.state.securityGroups, groups) : instance.securityGroupIds,
  };
  save(call, groups.length > 0 ? 'instance.groups-changed' : 'instance.attribute-changed', [next]);
  return DONE;
}

/** One attribute of one instance. */
export function describeInstanceAttribute(call: Ec2Call): XmlObject {
  const instance = target(call);
  const attribute = call.params.required('Attribute');
  const values: Readonly<Record<string, XmlObject>> = {
    disableApiTermination: { value: instance.terminationProtected },
    instanceInitiatedShutdownBehavior: { value: instance.shutdownBehavior },
    instanceType: { value: instance.type },
    userData: { value: instance.userData },
    groupSet: { item: instance.securityGroupIds.map((groupId) => ({ groupId })) },
  };
  const value = values[attribute];
  if (!value) throw invalidValue(attribute, 'attribute', 'The lab does not know this attribute.');
  return { instanceId: instance.id, [attribute]: value };
}

/** The hop limit and tags in metadata; IMDSv1 is refused. */
export function modifyInstanceMetadataOptions(call: Ec2Call): XmlObject {
  const { params } = call;
  const instance = target(call);
  const tags = params.string('InstanceMetadataTags');
  const metadata = {
    hopLimit: params.integer('HttpPutResponseHopLimit') ?? instance.metadata.hopLimit,
    tags: tags === undefined ? instance.metadata.tags : tags === 'enabled',
  };
  if (params.string('HttpTokens') === 'optional') {
    throw new CloudError('UnsupportedOperation', 'The lab serves IMDSv2 only: HttpTokens must be required.');
  }
  save(call, 'instance.attribute-changed', [{ ...instance, metadata }]);
  return {
    instanceId: instance.id,
    instanceMetadataOptions: {
      state: 'pending',
      httpTokens: 'required',
      httpPutResponseHopLimit: metadata.hopLimit,
      httpEndpoint: 'enabled',
      instanceMetadataTags: metadata.tags ? 'enabled' : 'disabled',
    },
  };
}

/** What the console has said so far, at once; EC2 would lag behind. */
export async function getConsoleOutput(call: Ec2Call): Promise<XmlObject> {
  const { id } = target(call);
  const output = await call.cloud.runtime.consoleOutput(id);
  return {
    instanceId: id,
    timestamp: new Date(call.cloud.world.now()),
    output: Buffer.from(output).toString('base64'),
  };
}

/** What the request says of the operating system's shutdown. Force is checked, and changes nothing here. */
function skipsOsShutdown({ params }: Ec2Call): Pick<Instance, 'skipsOsShutdown'> {
  params.boolean('Force');
  if (params.boolean('Hibernate')) {
    throw new CloudError('UnsupportedHibernationConfiguration', 'The lab cannot hibernate instances.');
  }
  return params.boolean('SkipOsShutdown') ? { skipsOsShutdown: true } : {};
}

function targets({ params, cloud }: Ec2Call): readonly Instance[] {
  params.required('InstanceId.1');
  return requireInstances(
    [...new Set(params.list('InstanceId'))],
    (id) =>
      // A reader that cannot see the instance yet cannot change it either.
      cloud.reads.find(id, 'get') && cloud.world.state.instances.get(id),
  );
}

function target({ params, cloud }: Ec2Call): Instance {
  const id = params.required('InstanceId');
  const [instance] = requireInstances([id], (one) => cloud.world.state.instances.get(one));
  if (!instance) throw new Error(`requireInstances lost ${id}`);
  return instance;
}

function save(call: Ec2Call, name: string, instances: readonly Instance[]): void {
  call.endDryRun();
  if (instances.length === 0) return;
  const draft = call.cloud.world.draft();
  for (const instance of instances) draft.put('instances', instance.id, instance);
  call.commit(draft, { name, subject: instances.map(({ id }) => id).join(' ') });
}

/** The answer of start, stop and terminate: each instance's state before and now. */
function changes(cloud: Cloud, before: readonly Instance[]): XmlObject {
  const now = (id: string, old: InstanceState) => cloud.world.state.instances.get(id)?.state ?? old;
  return {
    instancesSet: {
      item: before.map(({ id, state }) => ({
        instanceId: id,
        currentState: stateXml(now(id, state)),
        previousState: stateXml(state),
      })),
    },
  };
}

function incorrectState(instance: Instance, verb: string): CloudError {
  return new CloudError(
    'IncorrectInstanceState',
    `The instance '${instance.id}' is not in a state from which it can be ${verb}.`,
  );
}

function capital(name: string): string {
  return name.charAt(0).toUpperCase() + name.slice(1);
}
