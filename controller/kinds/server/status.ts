/** From facts and plan to the status that is written. Pure. */
import {
  type ConditionContent,
  type ConditionStatus,
  contentOf,
  findCondition,
  stampConditions,
  type UnstampedCondition,
} from '../../api/conditions.ts';
import { labels, annotations as names } from '../../api/meta.ts';
import type { ServerStatus } from '../../api/server.ts';
import { timestamp } from '../../base/clock.ts';
import type { Observed, Plan } from './decide/plan.ts';

/** Conditions that are always present, with what is said before anything is known. */
const initial = {
  InputsResolved: ['Unknown', 'NotYetResolved', 'No launch was prepared yet.'],
  InstanceRunning: ['False', 'NotLaunched', 'No machine yet.'],
  SSHReachable: ['Unknown', 'NotYetTried', 'No connection was tried yet.'],
  Booted: ['False', 'WaitingForMachine', 'There is no reachable machine yet.'],
  Healthy: ['Unknown', 'NotYetChecked', 'Not Operational yet.'],
} as const satisfies Record<string, readonly [ConditionStatus, string, string]>;

type ConditionType = keyof typeof initial;

/** The whole new status; `trouble` is what went wrong with the plan's action. */
export function statusOf(observed: Observed, plan: Plan, trouble?: string): ServerStatus {
  const { server, now } = observed;
  const { generation = 0, annotations, labels: marks } = server.metadata;
  const recorded: ServerStatus = { ...observed.status, ...plan.record };
  const next = { ...recorded, ...machineFields(observed, recorded) };
  return {
    ...next,
    role: roleOf(marks?.[labels.role]),
    observedGeneration: generation,
    lastHandledReconcileAt: annotations?.[names.reconcileAt],
    conditions: stampConditions(observed.status.conditions, allConditions(observed, plan, next, trouble), {
      generation,
      at: timestamp(now),
    }),
  };
}

const roles: Readonly<Record<string, ServerStatus['role']>> = {
  primary: 'Primary',
  replica: 'Replica',
  joining: 'Joining',
  fenced: 'Fenced',
};

/** What its owner says it is; only clusters say it. */
function roleOf(label: string | undefined): ServerStatus['role'] {
  return roles[label ?? ''];
}

function allConditions(
  observed: Observed,
  plan: Plan,
  status: ServerStatus,
  trouble: string | undefined,
): readonly UnstampedCondition[] {
  const { progress, ...summary } = plan.ready;
  const ready = trouble === undefined ? summary : { ...summary, message: `${summary.message} ${trouble}` };
  const passing: ConditionContent = { status: 'True', reason: ready.reason, message: ready.message };
  return [
    { type: 'Ready', ...ready },
    ...(Object.keys(initial) as ConditionType[]).map((type) => ({
      type,
      ...(plan.conditions?.[type] ?? impliedCondition(type, observed, status)),
    })),
    ...(progress === 'working' ? [{ type: 'Reconciling', ...passing }] : []),
    ...stalledCondition(plan, passing),
  ];
}

/** A person has to decide about its deletion, or about itself. */
function stalledCondition({ hold, ready }: Plan, passing: ConditionContent): readonly UnstampedCondition[] {
  if (hold !== undefined) return [{ type: 'Stalled', status: 'True', reason: 'Blocked', message: hold }];
  return ready.progress === 'stalled' ? [{ type: 'Stalled', ...passing }] : [];
}

/** What the facts alone say; a condition about an earlier machine is never carried over to the next one. */
function impliedCondition(type: ConditionType, observed: Observed, status: ServerStatus): ConditionContent {
  const before = findCondition(observed.status, type);
  const isSameMachine = status.instanceID !== undefined && status.instanceID === observed.status.instanceID;
  if (type === 'InstanceRunning') return runningCondition(observed, status);
  if (type === 'InputsResolved' && before !== undefined) return contentOf(before);
  if (type === 'Booted' && before?.status !== 'True') return bootedCondition(observed, status) ?? carried();
  return carried();

  function carried(): ConditionContent {
    return before !== undefined && isSameMachine ? contentOf(before) : firstCondition(type);
  }
}

function bootedCondition(
  { server }: Observed,
  { bootedTime, forcedTime, launchBatchRef }: ServerStatus,
): ConditionContent | undefined {
  if (bootedTime !== undefined && launchBatchRef === undefined && server.spec.adopt !== undefined) {
    return { status: 'True', reason: 'Adopted', message: 'The machine was taken over with what runs on it.' };
  }
  if (bootedTime !== undefined) {
    return { status: 'True', reason: 'ScriptsSucceeded', message: 'Boot scripts succeeded.' };
  }
  if (forcedTime === undefined) return undefined;
  return { status: 'True', reason: 'ForcedOperational', message: 'Declared Operational by annotation.' };
}

function runningCondition({ machine }: Observed, { instanceID }: ServerStatus): ConditionContent {
  const isOwn = machine.state === 'present' && machine.machine.id === instanceID;
  if (!isOwn) return firstCondition('InstanceRunning');
  const { id, state } = machine.machine;
  return state === 'running'
    ? { status: 'True', reason: 'Running', message: `${id} is running.` }
    : { status: 'False', reason: stateReasons[state], message: `${id} is ${state}.` };
}

const stateReasons = {
  pending: 'Starting',
  stopping: 'Stopped',
  stopped: 'Stopped',
  'shutting-down': 'Terminated',
  terminated: 'Terminated',
} as const;

function firstCondition(type: ConditionType): ConditionContent {
  const [status, reason, message] = initial[type];
  return { status, reason, message };
}

/** What EC2 says about the machine; the last word stays while EC2 is silent. */
function machineFields({ machine }: Observed, { instanceID }: ServerStatus): ServerStatus {
  if (machine.state !== 'present' || machine.machine.id !== instanceID) return {};
  const { type, imageId, zone, privateIp, publicIp, publicDnsName } = machine.machine;
  return {
    instanceType: type,
    imageID: imageId,
    zone,
    privateIP: privateIp,
    publicIP: publicIp,
    publicDNSName: publicDnsName,
  };
}
