/** What an array's decision is made from and what it may be. Types, and nothing but data. */

import type { ConditionContent, ConditionOf, ConditionTypeOf } from '../../../api/conditions.ts';
import type { EventNote } from '../../../api/event-notes.ts';
import type { ServerArray, ServerArrayStatus } from '../../../api/server-array.ts';
import type { Instant, Millis } from '../../../base/clock.ts';
import type { Answers } from '../../../load-reports/load-reports.ts';
import type { Member } from './member.ts';

/** One server's newest figures by source; each with the time it was taken. */
export type Figures = Partial<Record<FigureSource, { readonly at: Instant; readonly value: number }>>;
export type FigureSource = 'CPU' | 'Load' | 'Memory' | 'ProxyQueue' | 'ProxySessions' | `Script/${string}`;

/** A server in service that votes. */
export interface VotingServer {
  readonly server: string;
  readonly figures: Figures;
  /** Why figures are missing, by source. */
  readonly problems: Partial<Record<FigureSource, string>>;
  /** A load balancer sends it requests, or should. */
  readonly balanced: boolean;
}

export interface Observed {
  readonly now: Instant;
  readonly array: ServerArray;
  readonly status: ServerArrayStatus;
  /** The paused annotation, or `suspend` of the array or its Deployment: change nothing. */
  readonly suspended: boolean;
  /** The template's newest revision, whether or not the template is sound now. */
  readonly templateRevision: string | undefined;
  readonly members: readonly Member[];
  /** Zones to spread over; empty = let each server choose. */
  readonly zones: readonly string[];
  readonly voters: readonly VotingServer[];
  /** Answers of voters are still awaited, for seconds at most. */
  readonly measuring: boolean;
  /** Scripts that cannot measure anywhere, and why. */
  readonly unusableScripts: Readonly<Record<string, string>>;
  /** By name of the server: what was answered since `status.update.watch` was counted; none while nothing is watched. */
  readonly answers: ReadonlyMap<string, Answers>;
  /** Until when `answers` are counted. */
  readonly answersUntil: Instant;
  /** Who else writes `spec.replicas`; known only when it was asked for. */
  readonly otherWriter: string | undefined;
  /** Servers the breaker lets go now without a person having asked. */
  readonly allowance: number;
}

/** A server to make. */
export interface Wish {
  readonly revision: string;
  readonly zone: string | undefined;
  /** It gets no requests until its generation joins. */
  readonly candidate: boolean;
}

export type RemovalCause = 'Scale' | 'Votes' | 'Repair' | 'Update' | 'Rollback';

export interface Removal {
  readonly member: Member;
  readonly cause: RemovalCause;
  /** Kept out of service until then instead of deleted. */
  readonly keepUntil?: Instant;
}

/** A server that comes (back) into service, or joins the generation that will. */
export interface Admission {
  readonly member: Member;
  readonly as: 'Active' | 'Candidate';
}

/** What to change of the servers, in the order of the fields. */
export interface Changes {
  readonly create: readonly Wish[];
  readonly admit: readonly Admission[];
  readonly remove: readonly Removal[];
  /** Kept servers to switch off. */
  readonly stop: readonly Member[];
  readonly delete: readonly Member[];
}

/** The summary; `progress` says whether the controller works on it, is done, or waits for a person. */
export interface Summary extends ConditionOf<'ServerArray', 'Ready'> {
  readonly progress: 'working' | 'settled' | 'stalled';
}

export type ConditionType = Exclude<ConditionTypeOf<'ServerArray'>, 'Ready'>;

export interface Plan {
  readonly ready: Summary;
  readonly conditions: Partial<Record<ConditionType, ConditionContent>>;
  /** Written before anything is changed; `undefined` removes a field. */
  readonly record: ServerArrayStatus;
  /** The number to write to `spec.replicas`. */
  readonly scaleTo?: number;
  readonly changes: Changes;
  readonly finalizer?: 'add' | 'remove';
  /** Servers to leave behind when the array goes. */
  readonly release?: readonly Member[];
  readonly events: readonly EventNote[];
  readonly recheckAfter?: Millis;
}

export const noChanges: Changes = { create: [], admit: [], remove: [], stop: [], delete: [] };
