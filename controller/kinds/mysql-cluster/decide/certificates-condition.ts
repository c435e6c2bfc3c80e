/** What is told of the certificates of servers. Pure. */
import { type ConditionOf, findCondition, saying } from '../../../api/conditions.ts';
import { timestamp } from '../../../base/clock.ts';
import { countNoun } from '../../../base/plural.ts';
import type { CertificateLook } from '../../../database/port.ts';
import {
  certifiedMembers,
  faultOf,
  followersOf,
  renewalTime,
  whyNotAccepted,
  whyNotRenewed,
} from './certificates.ts';
import type { Member } from './member.ts';
import type { Observed } from './plan.ts';
import { openFollowers, type Renewal, takeUpRequest, unwillingFollowers, whyDue } from './renewal.ts';
import { joinNames, joinSentences } from './wording.ts';

type Said = ConditionOf<'MySQLCluster', 'CertificatesCurrent'>;

/** Whether every server has a certificate that is good for long; if not, what happens, or what a person has to do. */
export function certificatesCurrentCondition(observed: Observed): Said {
  const { no } = saying('MySQLCluster', 'CertificatesCurrent');
  const { renewal, due } = takeUpRequest(observed, observed.status.certificates) ?? {};
  const members = certifiedMembers(observed);
  const renewed = members.find(({ name }) => name === renewal?.server);
  if (renewal !== undefined && renewed !== undefined) return renewingCondition(observed, renewal, renewed);
  const faults = members.flatMap((member) => faultOf(observed, member) ?? []);
  if (faults.length > 0) return no('Invalid', `${joinSentences(faults)} ${waitText(observed)}`);
  const waiting = members.filter((member) => whyDue(observed, member, due) !== undefined);
  if (waiting.length > 0) {
    const [first] = waiting;
    const why = first === undefined ? '' : whyDue(observed, first, due);
    return no(
      'RenewalPending',
      `Another certificate is due on ${joinNames(waiting)}: ${why}. ${waitText(observed)}`,
    );
  }
  return settledCondition(observed, members);
}

function waitText(observed: Observed): string {
  if (observed.suspended) return 'It is renewed once the cluster is neither suspended nor paused.';
  const why = whyNotRenewed(observed);
  return why === undefined ? 'It is renewed next.' : `Renewal waits: ${why}.`;
}

function renewingCondition(observed: Observed, renewal: Renewal, member: Member): Said {
  const { no } = saying('MySQLCluster', 'CertificatesCurrent');
  const [hindrance] = [member, ...lateFollowers(observed, renewal, member)].flatMap(
    ({ name }) => observed.hindrances.get(name) ?? [],
  );
  const pause = observed.suspended ? ' It waits: suspended or paused.' : '';
  if (hindrance !== undefined && pause === '') {
    const log = `journalctl -u ${observed.cluster.spec.engine.flavor === 'MySQL' ? 'mysql' : 'mariadb'}`;
    const advice = `It is tried again; until then the former one stays in use. On ${member.name}, look at ${log} and at /etc/mysql/ridgeline, which has to be writable.`;
    return no('RenewalFailed', `The certificate of ${member.name} is not renewed: ${hindrance}. ${advice}`);
  }
  return no('Renewing', `${stepText(observed, renewal, member)}${pause}`);
}

/** Whom the step waits for. */
function lateFollowers(observed: Observed, renewal: Renewal, member: Member): readonly Member[] {
  if (renewal.step === 'Trusting') return unwillingFollowers(observed, member, renewal);
  return renewal.step === 'Discarding' ? openFollowers(observed, member, renewal) : [];
}

function stepText(observed: Observed, renewal: Renewal, member: Member): string {
  const { name } = member;
  const late = lateFollowers(observed, renewal, member);
  if (renewal.step === 'Making') return `${name} makes another certificate beside the one in use.`;
  if (renewal.step === 'Presenting') return `${name} is to show its new certificate from now on.`;
  if (renewal.step === 'Discarding') {
    return late.length === 0
      ? `${name} shows its new certificate, and its former one is being removed.`
      : `The former certificate of ${name} is still accepted by ${joinNames(late)}.`;
  }
  if (late.length > 0) return `The new certificate of ${name} is still to be accepted by ${joinNames(late)}.`;
  const why = whyNotShown(observed, renewal, member);
  return `The new certificate of ${name} is accepted by all who follow it.${why === undefined ? '' : ` It waits: ${why}.`}`;
}

/** Why it is not shown yet, though all who follow accept it. */
function whyNotShown(observed: Observed, { fingerprint }: Renewal, member: Member): string | undefined {
  const { own, other } = observed.certificates.looks.get(member.name) ?? {};
  const next = [own, other].find((one) => one?.fingerprint === fingerprint);
  const [why] =
    next === undefined
      ? []
      : followersOf(observed, member).flatMap((one) => whyNotAccepted(observed, one, next) ?? []);
  return why ?? whyNotRenewed(observed);
}

function settledCondition(observed: Observed, members: readonly Member[]): Said {
  const { yes, unknown } = saying('MySQLCluster', 'CertificatesCurrent');
  const { looks } = observed.certificates;
  const known = members.flatMap((member) => ownOf(looks.get(member.name), member.name));
  const [first] = known.toSorted((a, b) => a.own.notAfter - b.own.notAfter);
  if (first !== undefined && known.length === members.length) {
    const { server, own } = first;
    const text = `${countNoun(members.length, 'server')} with a certificate; that of ${server} ends first, on ${timestamp(own.notAfter)}`;
    return yes('Current', `${text}, and is renewed on ${timestamp(renewalTime(own))}.`);
  }
  // A controller that has just begun has asked nobody, and nothing has happened.
  const before = findCondition(observed.status, 'CertificatesCurrent') as Said | undefined;
  if (before?.status === 'True' && members.length > 0 && looks.size === 0) return before;
  const unasked = members.filter(({ name }) => !looks.has(name));
  const who =
    members.length === 0 ? 'No server has joined yet' : `The host of ${joinNames(unasked)} has not said yet`;
  return unknown('NotChecked', `${who}.`);
}

function ownOf(look: CertificateLook | undefined, server: string) {
  return look?.own === undefined ? [] : [{ server, own: look.own }];
}
