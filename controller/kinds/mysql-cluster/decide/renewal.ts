/**
 * How a server gets another certificate while sessions go on, one server after the other. Pure.
 *
 * Making: another pair of key and certificate is made beside the one in use. Trusting: all who follow it accept both.
 * Presenting: it shows the new one to whoever comes. Discarding: the former pair is removed, and nobody accepts it any
 * more. Each step ends by what hosts say, not by what they were told, so that whoever goes on after a crash finds where it was.
 */
import { type EventNote, normalEvent, warningEvent } from '../../../api/event-notes.ts';
import { annotations } from '../../../api/meta.ts';
import type { MySQLClusterStatus } from '../../../api/mysql-cluster.ts';
import { timestamp } from '../../../base/clock.ts';
import { cutText } from '../../../base/text.ts';
import type { Certificate, CertificateLook } from '../../../database/port.ts';
import {
  certifiedMembers,
  faultOf,
  followersOf,
  renewalTime,
  whyNotAccepted,
  whyNotRenewed,
} from './certificates.ts';
import { wasOpened } from './history.ts';
import type { Member } from './member.ts';
import type { HostAction, Observed } from './plan.ts';

export type CertificateRecord = NonNullable<MySQLClusterStatus['certificates']>;
export type Renewal = NonNullable<CertificateRecord['renewal']>;

/** The next step of a renewal. */
export interface RenewalPlan {
  readonly certificates: CertificateRecord | undefined;
  readonly actions: readonly HostAction[];
  readonly events: readonly EventNote[];
}

/** `isStill`: nothing may be changed now. */
export function planRenewal(observed: Observed, isStill: boolean): RenewalPlan {
  const before = observed.status.certificates;
  if (isStill || !wasOpened(observed)) return keepRecord(before);
  const record = takeUpRequest(observed, before);
  // What was seen in an earlier pass may have been changed since, by ourselves.
  if (!observed.certificates.isFresh) return keepRecord(record);
  const { renewal } = record ?? {};
  return renewal === undefined ? beginRenewal(observed, record) : goOn(observed, { ...record, renewal });
}

/** A person has asked for it: all that are there now get another; those that have not joined, or are kept, when they have. */
export function takeUpRequest(
  observed: Observed,
  record: CertificateRecord | undefined,
): CertificateRecord | undefined {
  const asked = observed.cluster.metadata.annotations?.[annotations.renewCertificates];
  if (asked === undefined) return record;
  const request = cutText(asked, 253);
  if (request === record?.request) return record;
  return { ...record, request, due: observed.members.map(({ name }) => name) };
}

/** Why this server is to get another certificate; a sentence without its end. */
export function whyDue(observed: Observed, member: Member, due: readonly string[] = []): string | undefined {
  const look = observed.certificates.looks.get(member.name);
  if (look === undefined) return undefined;
  const fault = faultOf(observed, member);
  if (fault !== undefined) return fault;
  if (due.includes(member.name)) return `${annotations.renewCertificates} asks for it`;
  if (look.own !== undefined && look.time >= renewalTime(look.own))
    return `${member.name} has a certificate that ends on ${timestamp(look.own.notAfter)}`;
  // Nobody knows any more what it was for; it is gone after a renewal.
  return look.other === undefined ? undefined : `${member.name} has a second certificate left over`;
}

function beginRenewal(observed: Observed, record: CertificateRecord | undefined): RenewalPlan {
  const known = withoutGone(observed, record);
  if (whyNotRenewed(observed) !== undefined) return keepRecord(known);
  const member = certifiedMembers(observed).find((one) => whyDue(observed, one, known?.due) !== undefined);
  if (member === undefined) return keepRecord(known);
  const why = `${member.name} gets another certificate: ${whyDue(observed, member, known?.due)}.`;
  const isFault = faultOf(observed, member) !== undefined;
  return {
    ...keepRecord({ ...known, renewal: newRenewal(observed, member) }),
    events: [isFault ? warningEvent('CertificateInvalid', why) : normalEvent('CertificateRenewing', why)],
  };
}

function withoutGone(
  observed: Observed,
  record: CertificateRecord | undefined,
): CertificateRecord | undefined {
  if (record?.due === undefined) return record;
  const left = record.due.filter((due) => observed.members.some(({ name }) => name === due));
  return { ...record, due: left.length === 0 ? undefined : left };
}

function newRenewal({ now }: Observed, { name }: Member): Renewal {
  return { server: name, step: 'Making', startTime: timestamp(now) };
}

interface Turn {
  readonly record: CertificateRecord & { readonly renewal: Renewal };
  readonly member: Member;
  readonly look: CertificateLook;
  /** The one that is to be shown; undefined until it is made. */
  readonly next: Certificate | undefined;
}

function goOn(observed: Observed, record: Turn['record']): RenewalPlan {
  const { server, fingerprint, step } = record.renewal;
  const member = certifiedMembers(observed).find(({ name }) => name === server);
  if (member === undefined) return keepRecord({ ...record, renewal: undefined });
  const look = observed.certificates.looks.get(server);
  if (look === undefined) return keepRecord(record);
  const next = [look.own, look.other].find((one) => one !== undefined && one.fingerprint === fingerprint);
  // Somebody has taken it away, or spoiled it.
  if (step !== 'Making' && (next === undefined || next.fault !== undefined))
    return keepRecord({ ...record, renewal: newRenewal(observed, member) });
  const steps = {
    Making: planMaking,
    Trusting: planTrusting,
    Presenting: planPresenting,
    Discarding: planDiscarding,
  };
  return steps[step](observed, { record, member, look, next });
}

function planMaking(_: Observed, { record, member, look: { other } }: Turn): RenewalPlan {
  const { renewal } = record;
  const isMade = other !== undefined && other.mark === renewal.startTime && other.fault === undefined;
  if (isMade) return enterStep(record, { ...renewal, fingerprint: other.fingerprint }, 'Trusting');
  return { ...keepRecord(record), actions: [{ do: 'certify', member, mark: renewal.startTime }] };
}

function planTrusting(observed: Observed, { record, member, next }: Turn): RenewalPlan {
  const { renewal } = record;
  const followers = followersOf(observed, member);
  const late = unwillingFollowers(observed, member, renewal);
  if (late.length > 0) {
    const able = late.filter(({ name }) => observed.certificates.looks.has(name));
    const actions = able.map((one) => ({ do: 'trust', member: one, of: member, keep: 'Former' }) as const);
    return { ...keepRecord(record), actions };
  }
  const isAccepted =
    next !== undefined && followers.every((one) => whyNotAccepted(observed, one, next) === undefined);
  return isAccepted && whyNotRenewed(observed) === undefined
    ? enterStep(record, renewal, 'Presenting')
    : keepRecord(record);
}

/** Who would not connect to it any more once it shows its new certificate. */
export function unwillingFollowers(
  observed: Observed,
  member: Member,
  { fingerprint = '' }: Renewal,
): readonly Member[] {
  return followersOf(observed, member).filter(
    ({ name }) => observed.certificates.looks.get(name)?.trusted.includes(fingerprint) !== true,
  );
}

function planPresenting(observed: Observed, { record, member, look, next }: Turn): RenewalPlan {
  const { renewal } = record;
  if (isShown(look, next)) return enterStep(record, renewal, 'Discarding');
  // It has become the primary, or somebody was led to it by an order that was late.
  if (unwillingFollowers(observed, member, renewal).length > 0) return enterStep(record, renewal, 'Trusting');
  const { fingerprint = '' } = renewal;
  return { ...keepRecord(record), actions: [{ do: 'present', member, fingerprint }] };
}

/** Now, and after its next start. */
function isShown({ own, presented }: CertificateLook, next: Certificate | undefined): boolean {
  return next !== undefined && presented === next.fingerprint && own?.fingerprint === next.fingerprint;
}

function planDiscarding(observed: Observed, { record, member, look, next }: Turn): RenewalPlan {
  const { renewal } = record;
  const { fingerprint = '', server } = renewal;
  if (look.presented !== undefined && !isShown(look, next)) return enterStep(record, renewal, 'Trusting');
  if (look.other !== undefined)
    return { ...keepRecord(record), actions: [{ do: 'discard', member, fingerprint }] };
  const open = openFollowers(observed, member, renewal);
  if (open.length > 0) {
    const able = open.filter(({ name }) => observed.certificates.looks.has(name));
    const actions = able.map((one) => ({ do: 'trust', member: one, of: member, keep: 'None' }) as const);
    return { ...keepRecord(record), actions };
  }
  const due = record.due?.filter((name) => name !== server) ?? [];
  const end = next === undefined ? '' : `, which is good until ${timestamp(next.notAfter)}`;
  return {
    ...keepRecord({ ...record, due: due.length === 0 ? undefined : due, renewal: undefined }),
    events: [
      normalEvent('CertificateRenewed', `${server} shows its new certificate${end}; the former one is gone.`),
    ],
  };
}

/** Who may still accept the former certificate. */
export function openFollowers(
  observed: Observed,
  member: Member,
  { fingerprint }: Renewal,
): readonly Member[] {
  return followersOf(observed, member).filter(({ name }) => {
    const trusted = observed.certificates.looks.get(name)?.trusted ?? [];
    return trusted.length === 0 || trusted.some((one) => one !== fingerprint);
  });
}

function enterStep(record: CertificateRecord, renewal: Renewal, step: Renewal['step']): RenewalPlan {
  return keepRecord({ ...record, renewal: { ...renewal, step } });
}

function keepRecord(certificates: CertificateRecord | undefined): RenewalPlan {
  return { certificates, actions: [], events: [] };
}
