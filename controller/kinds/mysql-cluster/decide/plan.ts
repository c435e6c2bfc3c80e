/** What a cluster's decision is made from and what it may be. Types, and nothing but data. */

import type { ConditionTypeOf } from '../../../api/conditions.ts';
import type { EventNote } from '../../../api/event-notes.ts';
import type { MySQLCluster, MySQLClusterStatus } from '../../../api/mysql-cluster.ts';
import type { Promotion } from '../../../api/promotion.ts';
import type { Reason } from '../../../api/reasons.ts';
import type { Server } from '../../../api/server.ts';
import type { Instant, Millis } from '../../../base/clock.ts';
import type { CredentialsMistake } from '../../../cluster-access/credentials.ts';
import type { JobLook } from '../../../cluster-access/job-polls.ts';
import type {
  CertificateLook,
  PrivilegedAccount,
  ServerVariable,
  UnsafeTables,
} from '../../../database/port.ts';
import type { Finding } from '../../../supervision/port.ts';
import type { Member } from './member.ts';

/** A mistake, or something missing, that only a person can put right. */
export interface Problem {
  readonly reason: Reason<'MySQLCluster', 'Stalled'> | 'TemplateNotReady';
  readonly message: string;
}

/** How the jobs stand that bring a member in. */
export interface JobFacts {
  /** The job on the member itself. */
  readonly own: JobLook;
  /** The donor's job while it hands over its data. */
  readonly donor?: JobLook;
  /** Last line of the log of whichever failed; of a job about settings or a dump in any case. */
  readonly lastLine?: string;
}

/** What is known of passwords; not one of them is here. */
export interface CredentialFacts {
  /** The Secret that people edit, as messages name it. */
  readonly secret: string;
  /** How what it holds compares with what servers accept, and with what is on its way to them. */
  readonly wanted: 'Current' | 'Other' | 'New' | 'Unknown';
  readonly mistake: CredentialsMistake | undefined;
  /** Nobody can tell any more what servers accept. */
  readonly isLost: boolean;
  /** By server: whether it accepts them; absent until it was tried. */
  readonly accepted: ReadonlyMap<string, Acceptance>;
  /** What the primary said when it was last told the passwords that are on record now, and would not have them. */
  readonly refusal: string | undefined;
  /** By server: number of the passwords with which it was last told to follow. */
  readonly moved: ReadonlyMap<string, number>;
}

/** Whether a server lets in who comes with the passwords in use, and with the others of a change. */
export interface Acceptance {
  readonly current: boolean;
  readonly other?: boolean;
}

export interface CertificateFacts {
  /** By server; absent until its host has answered. */
  readonly looks: ReadonlyMap<string, CertificateLook>;
  /** Hosts were asked in this very pass. */
  readonly isFresh: boolean;
}

export interface Observed {
  readonly now: Instant;
  readonly cluster: MySQLCluster;
  readonly status: MySQLClusterStatus;
  /** The paused annotation, or `suspend` of the cluster or its Deployment: change nothing. */
  readonly suspended: boolean;
  /** Why no server can be made or set up. */
  readonly problem: Problem | undefined;
  readonly members: readonly Member[];
  /** Zones to spread over; empty = let each server choose. */
  readonly zones: readonly string[];
  /** Jobs of members on their way in, by server. */
  readonly jobs: ReadonlyMap<string, JobFacts>;
  /** By server: why what was last tried on it did not work. */
  readonly hindrances: ReadonlyMap<string, string>;
  readonly finding: Finding | undefined;
  /** Accounts that may write to a read-only server; undefined while no primary was asked. */
  readonly privileged: readonly PrivilegedAccount[] | undefined;
  /** Tables that a failover or a restart would not keep; undefined while no primary was asked. */
  readonly unsafeTables: UnsafeTables | undefined;
  /** By server: what its data disk is like where that keeps it from leading; goes on after its name. */
  readonly disks: ReadonlyMap<string, string>;
  /** Why the API server would not let a change of primary be written down; undefined = it would. */
  readonly refusal: string | undefined;
  readonly credentials: CredentialFacts;
  readonly certificates: CertificateFacts;
  /** All of this cluster, oldest first. */
  readonly promotions: readonly Promotion[];
  /** Servers the breaker lets go now without a person having asked. */
  readonly allowance: number;
}

/** A change of one server's object. */
export type ServerAction =
  | { readonly do: 'create'; readonly zone: string | undefined; readonly adopt?: Server['spec']['adopt'] }
  | { readonly do: 'label'; readonly member: Member; readonly role: Role }
  /** Labeled as an old primary, marked as kept `until` then, and switched off. */
  | { readonly do: 'fence'; readonly member: Member; readonly until: string }
  /** An old primary is switched on again, to be examined; it stays shut out. */
  | { readonly do: 'start'; readonly member: Member }
  /** It follows: it is a replica like the others, and its machine may end in good order again. */
  | { readonly do: 'readmit'; readonly member: Member }
  /** It is switched off again, by a power cut, and kept for as long as its Server says. */
  | { readonly do: 'shut'; readonly member: Member }
  /** Its deletion waits for the cluster, for this reason; without one it may go. */
  | { readonly do: 'hold'; readonly member: Member; readonly why: string | undefined }
  /** Switched off, which proves that it acknowledges nothing more. */
  | { readonly do: 'stop'; readonly member: Member }
  /** Left behind when the cluster goes. */
  | { readonly do: 'release'; readonly member: Member }
  | { readonly do: 'delete'; readonly member: Member };

/** Values of the label `ridgeline.dev/role`. */
export type Role = 'primary' | 'replica' | 'joining' | 'fenced';

/** Something to do on the hosts of one member on its way in; all of it may be repeated. */
export type HostAction =
  | { readonly do: 'start'; readonly member: Member; readonly job: JobKind; readonly donor?: Member }
  | { readonly do: 'cancel'; readonly member: Member; readonly donor?: Member }
  /** `anew`: with passwords of this number, though it may follow already. */
  | { readonly do: 'follow'; readonly member: Member; readonly anew?: number }
  /** What the guarantee rests on is as it was. */
  | { readonly do: 'restore'; readonly member: Member; readonly variables: readonly ServerVariable[] }
  /** Its database is to be started again; `since` tells one trouble from the next. */
  | { readonly do: 'revive'; readonly member: Member; readonly since: Instant }
  /** Its host gets our files, and tells which settings its server runs with. */
  | { readonly do: 'check'; readonly member: Member; readonly since: Instant }
  /** It applies what it has received, and starts again with the settings that are wanted. */
  | { readonly do: 'restart'; readonly member: Member; readonly since: Instant }
  | CertificateAction;

/** A step of the renewal of a certificate. */
export type CertificateAction =
  /** Makes another pair, once for each mark. */
  | { readonly do: 'certify'; readonly member: Member; readonly mark: string }
  /** Accepts what `of` shows and will show, besides what it accepts already or alone. */
  | { readonly do: 'trust'; readonly member: Member; readonly of: Member; readonly keep: 'Former' | 'None' }
  | { readonly do: 'present'; readonly member: Member; readonly fingerprint: string }
  /** The pair beside that one is removed. */
  | { readonly do: 'discard'; readonly member: Member; readonly fingerprint: string };

/** What a job is for; one script each. */
export type JobKind = 'Preparing' | 'Loading' | 'Cloning';

/** Conditions that are always present. */
export type ConditionType = Exclude<ConditionTypeOf<'MySQLCluster'>, 'Stalled'>;

export interface Plan {
  /** Written before anything is done; `undefined` removes a field. */
  readonly record: MySQLClusterStatus;
  readonly servers: readonly ServerAction[];
  readonly joins: readonly HostAction[];
  /** Servers removed by nobody in person: the breaker counts them. */
  readonly automaticRemovals: number;
  readonly events: readonly EventNote[];
  readonly recheckAfter: Millis;
}
