/** What is wrong with the certificate of a server, who has to accept it, and what keeps another from taking its place. Pure. */
import { timestamp } from '../../../base/clock.ts';
import type { Certificate, CertificateLook } from '../../../database/port.ts';
import { holdsData, isJoined, type Member } from './member.ts';
import type { Observed } from './plan.ts';
import { examinedServer } from './rejoin.ts';
import { restartingServer } from './rolling.ts';

/** A certificate is renewed when no more than this share of its life is left: of ten years, in the seventh. */
const lastShare = 1 / 3;

/** Members with a certificate, in the order of their turns: what does not work is seen on a replica first. */
export function certifiedMembers({ members }: Observed): readonly Member[] {
  return members
    .filter(isJoined)
    .toSorted((a, b) => Number(a.isPrimary) - Number(b.isPrimary) || (a.name < b.name ? -1 : 1));
}

/** Those that connect to it, now or when they have to connect anew. */
export function followersOf({ members }: Observed, { name, isPrimary, address }: Member): readonly Member[] {
  return members
    .filter((one) => one.name !== name && holdsData(one))
    .filter(({ look }) => isPrimary || (address !== undefined && look?.replication?.source === address));
}

/** When it is time for another; by the clock that made it. */
export function renewalTime({ notBefore, notAfter }: Certificate): number {
  return notAfter - (notAfter - notBefore) * lastShare;
}

/** What keeps clients or replicas from connecting to it, or will; a sentence without its end. */
export function faultOf(observed: Observed, member: Member): string | undefined {
  const look = observed.certificates.looks.get(member.name);
  if (look === undefined) return undefined;
  const { own, presented } = look;
  const { name } = member;
  if (own === undefined) return `${name} has no certificate that can be read in /etc/mysql/ridgeline`;
  const wrong = wrongWith(own, look, member);
  if (wrong !== undefined) return `${name} has a certificate that ${wrong}`;
  if (presented !== undefined && presented !== own.fingerprint)
    return `${name} shows another certificate than the one in its files`;
  const shut = followersOf(observed, member)
    // One that was led elsewhere comes back with whatever it is told then.
    .filter(({ look: database }) => database?.replication?.source === member.address)
    .find((one) => observed.certificates.looks.get(one.name)?.trusted.includes(own.fingerprint) === false);
  return shut === undefined ? undefined : `${shut.name} does not accept the certificate of ${name}`;
}

function wrongWith(own: Certificate, { time }: CertificateLook, { address }: Member): string | undefined {
  if (own.fault === 'OtherKey') return 'does not belong to its key';
  if (own.fault === 'OtherAddress') return `is not for its address ${address ?? ''}`;
  if (own.fault === 'NotSelfSigned') return 'it did not make for itself';
  if (own.notAfter <= time) return `ended on ${timestamp(own.notAfter)}`;
  return own.notBefore > time ? `is good from ${timestamp(own.notBefore)} only` : undefined;
}

/** By the clocks of hosts somebody would not accept what another has made a moment ago. */
export function whyNotAccepted(observed: Observed, follower: Member, next: Certificate): string | undefined {
  const look = observed.certificates.looks.get(follower.name);
  if (look === undefined) return `the host of ${follower.name} does not answer`;
  if (look.time >= next.notBefore) return undefined;
  return `the clock of ${follower.name} shows ${timestamp(look.time)}, and the certificate is good from ${timestamp(next.notBefore)}`;
}

/** Why no server is given another certificate now; a sentence without its end. */
export function whyNotRenewed(observed: Observed): string | undefined {
  const { members, status } = observed;
  const copy = members.find(
    ({ record: { step }, place }) => place === 'Active' && (step === 'Cloning' || step === 'Following'),
  );
  if (copy !== undefined) return `${copy.name} is on its way in as a copy`;
  const restarting = restartingServer(observed);
  if (restarting !== undefined) return `${restarting} is being restarted`;
  const examined = examinedServer(observed);
  if (examined !== undefined) return `${examined} is being examined`;
  return status.credentials?.rotation === undefined ? undefined : 'passwords are being changed';
}
