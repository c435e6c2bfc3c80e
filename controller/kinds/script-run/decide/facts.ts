/** What was seen of a run and its servers, and what may be done on one of them. Types only. */
import type { ScriptRun } from '../../../api/script-run.ts';
import type { Instant, Millis } from '../../../base/clock.ts';
import type { JobState } from '../../../shell/port.ts';
import type { Result } from './record.ts';

/** One script to run, with what decides about its end. */
export interface PlannedStep {
  readonly name: string;
  readonly script: string;
  readonly timeoutSeconds: number;
  readonly retries: number;
  readonly onInterruption: 'Fail' | 'Rerun';
}

/** Nothing was learned about a job; when it is final, asking again is of no use. */
export interface OutOfSight {
  readonly state: 'unreachable';
  readonly final: boolean;
  readonly message: string;
}

/** What the host said about the job of the current step. */
export type Look = JobState | OutOfSight;

/** How the server stands with the load balancers of its array; without any, it is drained and serving at once. */
export interface ServiceFacts {
  /** The mark of this run is on it. */
  readonly isMarked: boolean;
  /** Others want it out of service as well, for good or until its generation joins. */
  readonly isLeaving: boolean;
  /** Marked by anyone, and let go of by all load balancers. */
  readonly isDrained: boolean;
  /** Some load balancer still speaks of an earlier time out of service. */
  readonly isForgetting: boolean;
  /** Every load balancer uses it. */
  readonly isServing: boolean;
  /** Without it, nobody would serve. */
  readonly isLast: boolean;
  /** How long its sessions may take to end. */
  readonly patience: Millis;
}

/** One server of the run as it is now. */
export interface TargetFacts {
  readonly server: string;
  /** The machine; undefined when the Server or its machine is gone. */
  readonly instanceID: string | undefined;
  /** Its Server is gone or being deleted: nobody waits for it. */
  readonly isGone: boolean;
  /** Only for runs that drain. */
  readonly service?: ServiceFacts;
  /** Why its steps cannot be found; they are empty then. */
  readonly problem?: { readonly message: string; readonly final: boolean };
  readonly steps: readonly PlannedStep[];
  /** Beginning of the ids of its jobs: no other run or server has it. */
  readonly jobPrefix: string;
  /** Absent when nobody looked, because the host cannot have the job yet. */
  readonly look?: Look;
}

export interface Observed {
  readonly now: Instant;
  readonly run: ScriptRun;
  readonly targets: readonly TargetFacts[];
}

/** Why everything is being stopped. */
export type Stop = 'Canceled' | 'TimedOut';

/** What happens on one server in this pass, and what is recorded after it. */
export type Move =
  | { readonly do: 'nothing'; readonly after: Result }
  /** The attempt is on record; the host starts a job id once, however often it is told. */
  | {
      readonly do: 'start';
      readonly after: Result;
      readonly step: number;
      readonly jobID: string;
      readonly timeoutSeconds: number;
    }
  | { readonly do: 'cancel'; readonly after: Result; readonly jobID: string }
  /** The log is stored before the end of the job is recorded. */
  | { readonly do: 'collect'; readonly after: Result };
