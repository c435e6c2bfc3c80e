/** What others act on in an object whose status also counts servers or tells of steps: neither wakes anybody. Pure. */
import type { CloudAccount } from './cloud-account.ts';
import { type Condition, findCondition } from './conditions.ts';
import type { SiteDeployment } from './deployment.ts';
import type { AnyObject } from './meta.ts';
import type { Promotion } from './promotion.ts';
import type { ServerTemplate } from './server-template.ts';

/** What people (or owners) ask for, by words that stay the same when only what was found is written. */
export function requestOf({ metadata }: AnyObject): readonly unknown[] {
  const { generation, deletionTimestamp, labels, annotations, finalizers, ownerReferences } = metadata;
  return [generation, deletionTimestamp, labels, annotations, finalizers, ownerReferences];
}

/** Reasons of a Deployment that only say how its members are. */
const aboutMembers: readonly string[] = ['AllMembersReady', 'MembersNotReady', 'MembersExist'];

/** For `heeds`: equal values mean that whoever depends on the Deployment need not look again. */
export function deploymentStanding(object: AnyObject): readonly unknown[] {
  const ready = findCondition((object as SiteDeployment).status, 'Ready');
  return [requestOf(object), wordsOf(ready, aboutMembers.includes(ready?.reason ?? ''))];
}

/** For `heeds`: the request, the newest revision and `Ready`. */
export function templateStanding(object: AnyObject): readonly unknown[] {
  const { status } = object as ServerTemplate;
  return [requestOf(object), status?.revision, wordsOf(findCondition(status, 'Ready'))];
}

/** For `heeds`: the request, the login key and all conditions, but not how many servers are counted. */
export function accountStanding(object: AnyObject): readonly unknown[] {
  const { conditions = [], sshPublicKey } = (object as CloudAccount).status ?? {};
  const words = conditions.map((condition) => wordsOf(condition, condition.type === 'CapacityAvailable'));
  return [requestOf(object), sshPublicKey, ...words];
}

/**
 * For `heeds`: whether it waits, runs or has ended, and what it leaves behind. How far it is, only its cluster writes, which
 * knows when to go on: woken by that, a step that is to be tried again after a while would be tried at once, and for ever.
 */
export function promotionStanding(object: AnyObject): readonly unknown[] {
  const { status } = object as Promotion;
  const { reason } = findCondition(status, 'Succeeded') ?? {};
  return [requestOf(object), reason, status?.completionTime, status?.redundantTime];
}

function wordsOf(condition: Condition | undefined, counts = false): readonly unknown[] {
  const { type, status, reason, observedGeneration, message } = condition ?? {};
  return [type, status, reason, observedGeneration, counts ? undefined : message];
}
