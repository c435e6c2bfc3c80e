/** Asks AWS, harmlessly, whether an account works: who we are, what we may do, whether the bucket is there. */

import type { Accounts } from '../../accounts/port.ts';
import type { CloudAccount } from '../../api/cloud-account.ts';
import { annotations } from '../../api/meta.ts';
import type { Instant, Millis } from '../../base/clock.ts';
import { AppError, type ErrorCode } from '../../base/errors.ts';
import type { Cloud, LaunchRequest } from '../../cloud/port.ts';

/** A call that failed, without the error object. */
export interface Failure {
  readonly code: ErrorCode;
  /** AWS's own code; empty when the request never got there. */
  readonly awsCode: string;
  readonly message: string;
}

export interface Probe {
  readonly identity: { readonly accountId: string; readonly arn: string } | Failure;
  readonly store: Failure | undefined;
  /** Refused IAM actions, e.g. `ec2:RunInstances`. */
  readonly denied: readonly string[];
  /** Why EC2 could not be asked. */
  readonly ec2: Failure | undefined;
}

const keptWhenGood: Millis = 300_000;
const keptWhenBad: Millis = 20_000;

/** What a launch would need that no account knows; undefined while there is no template to take it from. */
export type LaunchSample = Pick<LaunchRequest, 'imageId' | 'instanceType'> | undefined;

/** Keeps the newest probe of each account, because accounts are looked at far more often than they change. */
export class Probes {
  readonly #kept = new Map<
    string,
    { readonly version: string; readonly at: Instant; readonly probe: Probe }
  >();

  /** Never fails: what fails is what a probe tells. */
  async of(accounts: Accounts, account: CloudAccount, sample: LaunchSample, now: Instant): Promise<Probe> {
    const { uid, generation = 0, annotations: marks = {} } = account.metadata;
    const samples = sample === undefined ? '' : sample.imageId;
    const version = `${generation} ${marks[annotations.reconcileAt] ?? ''} ${samples}`;
    const kept = this.#kept.get(uid);
    const life = kept !== undefined && isGood(kept.probe) ? keptWhenGood : keptWhenBad;
    if (kept?.version === version && now - kept.at < life) return kept.probe;
    const probe = await run(accounts, account, sample);
    // Throttling says nothing about the account: what was known stays known.
    const believed = isThrottled(probe) && kept !== undefined ? kept.probe : probe;
    this.#kept.set(uid, { version, at: now, probe: believed });
    return believed;
  }

  forget(uid: string): void {
    this.#kept.delete(uid);
  }
}

async function run(accounts: Accounts, account: CloudAccount, sample: LaunchSample): Promise<Probe> {
  const opened = await attempt(() => accounts.open(account));
  if ('code' in opened) return { identity: opened, store: undefined, denied: [], ec2: undefined };
  const { cloud } = opened.value;
  const identity = await attempt(() => cloud.identity());
  if ('code' in identity) return { identity, store: undefined, denied: [], ec2: undefined };
  const store = await attempt(() => cloud.objects.check(account.spec.stateStore.bucket));
  const asked = await Promise.all(ec2Questions(cloud, account, sample).map(askIdentity));
  const failures = asked.filter((answer) => answer.failure !== undefined);
  return {
    identity: identity.value,
    store: 'code' in store ? store : undefined,
    denied: failures.filter(({ failure }) => failure?.code === 'cloud.denied').map(({ action }) => action),
    ec2: failures.find(({ failure }) => failure?.code !== 'cloud.denied')?.failure,
  };
}

interface Question {
  readonly action: string;
  readonly call: () => Promise<unknown>;
}

/** Calls that change nothing; ids that do not exist are fine, permission is checked first. */
function ec2Questions({ machines }: Cloud, account: CloudAccount, sample: LaunchSample): readonly Question[] {
  const { subnetIDs = [], securityGroupIDs = [] } = account.spec.network;
  const reads: Question[] = [
    { action: 'ec2:DescribeInstances', call: () => machines.find(['i-00000000000000000']) },
    { action: 'ec2:DescribeImages', call: () => machines.image(sample?.imageId ?? 'ami-00000000000000000') },
  ];
  if (subnetIDs.length > 0) {
    reads.push({ action: 'ec2:DescribeSubnets', call: () => machines.subnets(subnetIDs) });
  }
  if (sample === undefined) return reads;
  const [subnetId] = subnetIDs;
  const request: LaunchRequest = {
    ...sample,
    ...(subnetId === undefined ? {} : { subnetId }),
    clientToken: '',
    minCount: 1,
    maxCount: 1,
    securityGroupIds: securityGroupIDs,
    spot: false,
    metadataHopLimit: 1,
    userData: '',
    tags: {},
  };
  const launch = async () => {
    const refusal = await machines.preflight(request);
    if (refusal instanceof AppError && refusal.code === 'cloud.denied') throw refusal;
  };
  return [...reads, { action: 'ec2:RunInstances', call: launch }];
}

async function askIdentity({
  action,
  call,
}: Question): Promise<{ readonly action: string; readonly failure?: Failure }> {
  const answer = await attempt(call);
  return 'code' in answer ? { action, failure: answer } : { action };
}

async function attempt<T>(call: () => Promise<T>): Promise<{ readonly value: T } | Failure> {
  try {
    return { value: await call() };
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    return { code: error.code, awsCode: String(error.fields['awsCode'] ?? ''), message: error.message };
  }
}

function failuresOf({ identity, store, ec2 }: Probe): readonly Failure[] {
  return ['code' in identity ? identity : undefined, store, ec2].filter((failure) => failure !== undefined);
}

function isThrottled(probe: Probe): boolean {
  return failuresOf(probe).some((failure) => failure.code === 'cloud.throttled');
}

function isGood(probe: Probe): boolean {
  return probe.denied.length === 0 && failuresOf(probe).length === 0;
}
