/** A cluster of one primary and replicas, as the decision about durability sees it. */
import type {
  DurabilityRecord,
  MySQLCluster,
  MySQLClusterStatus,
} from '../../../../controller/api/mysql-cluster.ts';
import type { Server } from '../../../../controller/api/server.ts';
import { type Instant, timestamp } from '../../../../controller/base/clock.ts';
import type { Certificate, Look } from '../../../../controller/database/port.ts';
import type { Member } from '../../../../controller/kinds/mysql-cluster/decide/member.ts';
import type {
  CertificateFacts,
  CredentialFacts,
  Observed,
} from '../../../../controller/kinds/mysql-cluster/decide/plan.ts';
import type { Finding, Verdict } from '../../../../controller/supervision/port.ts';
import { acks, look, replication } from '../../supervision/signs.ts';

export const now: Instant = Date.UTC(2026, 10, 23, 3, 0, 0);
const primaryAddress = '10.77.1.1';

export type Wanted = MySQLCluster['spec']['durability'];

export function record(state: DurabilityRecord['state'], ...ackers: readonly string[]): DurabilityRecord {
  const requiredAcks = state === 'Protected' || state === 'Degrading' ? 1 : 0;
  return { state, ackers, requiredAcks, changeTime: timestamp(now - 60_000) };
}

/** A joined member; its machine and its database are well. */
export function member(name: string, changes: Partial<Member> = {}): Member {
  return {
    server: { spec: {} } as Server,
    name,
    place: 'Active',
    state: 'Operational',
    booted: true,
    instanceID: `i-${name}`,
    address: `10.77.1.${name.split('-')[1]}`,
    zone: undefined,
    createdAt: 0,
    isPrimary: name === 'db-1',
    record: { server: name, step: 'Joined' },
    lookedAt: 0,
    look: undefined,
    keptUntil: undefined,
    ...changes,
  };
}

export function primary(changes: Partial<Look['acks']> = {}, more: Partial<Look> = {}): Member {
  return member('db-1', { look: look({ acks: acks(changes), ...more }) });
}

/** A replica that follows db-1, and has none of its own. */
export function replica(
  name: string,
  changes: Partial<NonNullable<Look['replication']>> = {},
  ofItsOwn: Partial<Look['acks']> = {},
): Member {
  const following = replication({ source: primaryAddress, ...changes });
  const alone = acks({ armed: false, connected: 0, required: 0, ...ofItsOwn });
  return member(name, {
    lookedAt: 0,
    look: look({ readOnly: true, replication: following, acks: alone }),
  });
}

/** All accept what the Secret holds. */
export function settledCredentials(members: readonly Member[]): CredentialFacts {
  return {
    secret: 'shop/db-mysql',
    wanted: 'Current',
    mistake: undefined,
    isLost: false,
    accepted: new Map(members.map(({ name }) => [name, { current: true }])),
    refusal: undefined,
    moved: new Map(),
  };
}

/** Made a year ago, for ten. */
export function certificate(name: string, changes: Partial<Certificate> = {}): Certificate {
  const year = 365 * 86_400_000;
  return { fingerprint: `of ${name}`, notBefore: now - year, notAfter: now + 9 * year, ...changes };
}

/** The replicas accept that of db-1. */
export function settledCertificates(members: readonly Member[]): CertificateFacts {
  const looks = members.map(({ name }) => {
    const own = certificate(name);
    const trusted = name === 'db-1' ? [] : [certificate('db-1').fingerprint];
    return [name, { time: now, own, other: undefined, presented: own.fingerprint, trusted }] as const;
  });
  return { looks: new Map(looks), isFresh: true };
}

export function observed(changes: {
  readonly members: readonly Member[];
  readonly durability: DurabilityRecord;
  readonly wanted?: Wanted;
  readonly verdict?: Verdict;
  /** For how long, in seconds. */
  readonly held?: number;
}): Observed {
  const { members, durability, wanted = 'Balanced', verdict = 'Healthy', held = 1 } = changes;
  const finding: Finding = { verdict, epoch: 1, since: now - held * 1000, evidence: '', looks: new Map() };
  const status: MySQLClusterStatus = { primary: { server: 'db-1', epoch: 1 }, durability };
  const engine = { flavor: 'MariaDB', version: '11.8' };
  const cluster = {
    spec: { engine, durability: wanted, failover: { degradeAfterSeconds: 10 } },
  } as MySQLCluster;
  return {
    now,
    cluster,
    status,
    suspended: false,
    problem: undefined,
    members,
    zones: [],
    jobs: new Map(),
    hindrances: new Map(),
    finding,
    privileged: [],
    unsafeTables: { total: 0, tables: [] },
    disks: new Map(),
    refusal: undefined,
    credentials: settledCredentials(members),
    certificates: settledCertificates(members),
    promotions: [],
    allowance: 0,
  };
}
