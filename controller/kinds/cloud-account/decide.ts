/** What the probe of an account means, condition by condition. Pure. */

import type { CloudAccount } from '../../api/cloud-account.ts';
import type { ConditionOf, ConditionTypeOf } from '../../api/conditions.ts';
import { type AnyObject, keyText } from '../../api/meta.ts';
import type { Instant } from '../../base/clock.ts';
import type { LoginKey } from './act.ts';
import type { Failure, Probe } from './probe.ts';

export interface Observed {
  readonly now: Instant;
  readonly account: CloudAccount;
  readonly probe: Probe;
  readonly loginKey: LoginKey;
  /** Machines counted against maxServers; undefined before the first sweep. */
  readonly servers: number | undefined;
  /** What AWS said when a launch met a quota in the last minutes. */
  readonly quota: string | undefined;
  /** Whoever would be lost without it. */
  readonly users: readonly AnyObject[];
}

/** With its type, since some are said again as Reconciling. */
type Typed<Type extends ConditionTypeOf<'CloudAccount'>> = ConditionOf<'CloudAccount', Type> & {
  readonly type: Type;
};

export interface Plan {
  readonly ready: Typed<'Ready'>;
  readonly credentials: Typed<'CredentialsValid'>;
  readonly permissions: Typed<'PermissionsVerified'>;
  readonly capacity: Typed<'CapacityAvailable'>;
  /** Why its deletion, which was asked for, waits: until then it works as ever. */
  readonly hold: string | undefined;
}

/** All four conditions, whatever is missing; `ready` sums up the others. */
export function decide(observed: Observed): Plan {
  return {
    credentials: credentialsCondition(observed),
    permissions: permissionsCondition(observed),
    capacity: capacityCondition(observed),
    ready: readyCondition(observed),
    hold: deletionHold(observed),
  };
}

function deletionHold({ account, users }: Pick<Observed, 'account' | 'users'>): string | undefined {
  if (account.metadata.deletionTimestamp === undefined || users.length === 0) return undefined;
  const names = users.slice(0, 10).map(({ kind, metadata }) => `${kind}/${keyText(metadata)}`);
  const more = users.length > names.length ? ' and others' : '';
  return `Its deletion was asked for, and it works until nobody needs it: ${names.join(', ')}${more}.`;
}

function credentialsCondition({ probe, account }: Observed): Typed<'CredentialsValid'> {
  const type = 'CredentialsValid';
  const { identity } = probe;
  if (!('code' in identity)) {
    return { type, status: 'True', reason: 'Verified', message: `AWS sees ${identity.arn}.` };
  }
  if (!isAboutIdentity(identity)) {
    return { type, status: 'Unknown', reason: 'Checking', message: identity.message };
  }
  const reason = credentialsReason(identity, account.spec.credentials.type);
  const hint =
    reason === 'NoCredentials'
      ? 'No AWS credentials found: no Pod Identity, no web identity token, no instance role, no keys in the environment.'
      : identity.message;
  return { type, status: 'False', reason, message: `${hint} Next try in 20 s.` };
}

function credentialsReason(
  { code, awsCode }: Failure,
  credentialsType: Observed['account']['spec']['credentials']['type'],
): Typed<'CredentialsValid'>['reason'] {
  if (code === 'cloud.account-not-ready' || awsCode === 'CredentialsProviderError') return 'NoCredentials';
  if (awsCode.startsWith('ExpiredToken') || awsCode === 'RequestExpired') return 'Expired';
  return code === 'cloud.denied' && credentialsType === 'AssumeRole' ? 'AssumeRoleDenied' : 'Rejected';
}

function permissionsCondition({ probe }: Observed): Typed<'PermissionsVerified'> {
  const type = 'PermissionsVerified';
  const { identity, denied, ec2 } = probe;
  if ('code' in identity || ec2 !== undefined) {
    const message = 'Not checked, because AWS could not be asked.';
    return { type, status: 'Unknown', reason: 'ProbeSkipped', message };
  }
  if (denied.length === 0) {
    return { type, status: 'True', reason: 'AllAllowed', message: 'No action was refused.' };
  }
  const message = `AWS refuses ${denied.join(', ')}. Add them to the policy of ${identity.arn}.`;
  return { type, status: 'False', reason: 'ActionsDenied', message };
}

function capacityCondition({ servers, account, quota }: Observed): Typed<'CapacityAvailable'> {
  const type = 'CapacityAvailable';
  const { maxServers } = account.spec;
  const count = servers ?? 0;
  if (count >= maxServers) {
    const message = `${count} servers exist and spec.maxServers is ${maxServers}: nothing more is launched.`;
    return { type, status: 'False', reason: 'MaxServersReached', message };
  }
  if (quota !== undefined) return { type, status: 'False', reason: 'AWSQuotaReached', message: quota };
  return { type, status: 'True', reason: 'UnderLimit', message: `${count} of ${maxServers} servers.` };
}

/** The first thing in the way, in the order in which a person has to mend them. */
function readyCondition({ probe, loginKey, account }: Observed): Typed<'Ready'> {
  const no = (reason: Typed<'Ready'>['reason'], message: string): Typed<'Ready'> => ({
    type: 'Ready',
    status: 'False',
    reason,
    message,
  });
  const { identity, store, ec2, denied } = probe;
  if ('code' in identity) {
    return no(isAboutIdentity(identity) ? 'CredentialsInvalid' : reasonOf(identity), identity.message);
  }
  if (ec2 !== undefined) return no(reasonOf(ec2), ec2.message);
  if (denied.length > 0) return no('PermissionsMissing', `AWS refuses ${denied.join(', ')}.`);
  if (store !== undefined) {
    const { bucket } = account.spec.stateStore;
    return no('StateStoreUnusable', `Bucket ${bucket} is missing or may not be used: ${store.message}`);
  }
  if ('problem' in loginKey) return no('LoginKeyUnusable', loginKey.problem);
  const message = `Connected as ${identity.arn}.`;
  return { type: 'Ready', status: 'True', reason: 'Connected', message };
}

function isAboutIdentity({ code }: Failure): boolean {
  return code === 'cloud.credentials' || code === 'cloud.denied' || code === 'cloud.account-not-ready';
}

function reasonOf({ code }: Failure): Typed<'Ready'>['reason'] {
  if (code === 'cloud.throttled') return 'Throttled';
  return code === 'cloud.credentials' ? 'CredentialsInvalid' : 'EndpointUnreachable';
}
