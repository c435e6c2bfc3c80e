/** What a Server's decision is made from and what it may be. Types, and nothing but data. */

import type { CloudAccount } from '../../../api/cloud-account.ts';
import type { ConditionOf, ConditionTypeOf } from '../../../api/conditions.ts';
import type { EventNote } from '../../../api/event-notes.ts';
import type { LaunchBatch } from '../../../api/launch-batch.ts';
import type { Protector } from '../../../api/ownership.ts';
import type { ScriptRun } from '../../../api/script-run.ts';
import type { Server, ServerStatus } from '../../../api/server.ts';
import type { TemplateRevision } from '../../../api/template-revision.ts';
import type { Instant, Millis } from '../../../base/clock.ts';
import type { Ending, Machine } from '../../../cloud/port.ts';
import type { InputOutcome } from '../../../inputs/server-inputs.ts';

export interface Observed {
  readonly now: Instant;
  readonly server: Server;
  readonly status: ServerStatus;
  /** The paused annotation, or the Deployment's `suspend`: change nothing. */
  readonly suspended: boolean;
  /** The cluster or array it belongs to. */
  readonly owner: Owner | undefined;
  /** Being deleted while load balancers still use it, and they still have time to let go. */
  readonly draining: boolean;
  /** What a machine would be launched from; read only while there is none. */
  readonly basis: Basis | undefined;
  /** The machine it is to take over; read only until it has. */
  readonly adoption: Adoption | undefined;
  readonly account: CloudAccount | undefined;
  /** The batch that answers the launch request. */
  readonly batch: LaunchBatch | undefined;
  /** What this machine was launched from. */
  readonly revision: TemplateRevision | undefined;
  readonly machine: MachineFacts;
  /** Read only while no host key is pinned. */
  readonly attestation: Attestation | undefined;
  /** Tried only until the boot run exists. */
  readonly shell: ShellFacts | undefined;
  readonly bootRun: ScriptRun | undefined;
  readonly decommissionRun: ScriptRun | undefined;
  /** Checked only on booted machines. */
  readonly health: HealthFacts | undefined;
}

/** Whoever owns the Server, and whether it still counts on it: as a primary, or as one that acknowledges. */
export interface Owner {
  readonly object: Protector;
  readonly counts: boolean;
}

/** One way to get a machine. */
export interface Offering {
  readonly instanceType: string;
  readonly subnetID?: string | undefined;
  readonly zone?: string | undefined;
}

export type Basis =
  | { readonly ready: false; readonly message: string }
  | {
      readonly ready: true;
      readonly accountName: string;
      readonly template: string;
      readonly revision: string;
      readonly inputs: InputOutcome;
      /** In order of preference; empty when no subnet lies in the wanted zone. */
      readonly offerings: readonly Offering[];
      /** Offerings that EC2 called sold out a moment ago, to anybody. */
      readonly soldOut: readonly Offering[];
      /** Machines the account may still launch. */
      readonly room: number;
      readonly maxServers: number;
    };

/** How a machine stands that is to be adopted. */
export type Adoption =
  | { readonly state: 'waiting'; readonly message: string }
  | { readonly state: 'refused'; readonly message: string }
  | {
      readonly state: 'ready';
      readonly machine: Machine;
      readonly accountName: string;
      readonly template: string;
      readonly revision: string;
      readonly sshHostKeys: readonly string[];
    };

export type MachineFacts =
  | { readonly state: 'none' }
  | { readonly state: 'present'; readonly machine: Machine }
  /** Not listed, which proves nothing. */
  | { readonly state: 'unseen' }
  /** Seen terminated, or missing for so long and so often that it is gone. */
  | { readonly state: 'gone'; readonly because: string }
  | { readonly state: 'unknown'; readonly message: string };

export type Attestation =
  | { readonly state: 'absent' }
  | { readonly state: 'conflict' }
  | { readonly state: 'present'; readonly pins: readonly string[] }
  | { readonly state: 'unreadable'; readonly message: string };

export type ShellFacts =
  | { readonly state: 'verified' }
  | { readonly state: 'mismatch' | 'refused' | 'unreachable' | 'conflict'; readonly message: string };

/** What the last health check found; `nextCheck` is how long from now the next is due. */
export interface HealthFacts {
  readonly result: 'passed' | 'failed' | 'unreachable' | 'mismatch' | 'none';
  /** Failures in a row, this one included. */
  readonly failures: number;
  readonly message: string;
  readonly nextCheck: Millis;
}

export type Action =
  | { readonly do: 'add-finalizer' }
  | { readonly do: 'create-run'; readonly run: RunWish }
  | { readonly do: 'cancel-run'; readonly run: ScriptRun }
  | { readonly do: 'start'; readonly instanceID: string }
  | ({ readonly do: 'stop'; readonly instanceID: string } & Ending)
  | ({ readonly do: 'terminate'; readonly instanceID: string } & Ending)
  /** Marks the instance as this Server's. */
  | { readonly do: 'claim'; readonly instanceID: string; readonly tags: Readonly<Record<string, string>> }
  /** Marks the instance so that nobody takes it for an orphan, and remembers by which keys it is known. */
  | { readonly do: 'retain'; readonly instanceID: string }
  | { readonly do: 'remove-finalizer' };

/** A ScriptRun to be made, under the name that is in status already. */
export interface RunWish {
  readonly name: string;
  readonly phase: 'Boot' | 'Decommission';
  readonly timeoutSeconds?: number;
}

type ConditionType = Exclude<ConditionTypeOf<'Server'>, 'Ready'>;

/** The summary; `progress` says whether the controller works on it, is done, or waits for a person. */
export interface Summary extends ConditionOf<'Server', 'Ready'> {
  readonly progress: 'working' | 'settled' | 'stalled';
}

export interface Plan {
  readonly ready: Summary;
  /** Why its deletion, which was asked for, waits for a person. */
  readonly hold?: string;
  /** Conditions this stage knows better than the facts alone. */
  readonly conditions?: { readonly [Type in ConditionType]?: ConditionOf<'Server', Type> };
  /** Written before the action; `undefined` removes a field. */
  readonly record?: ServerStatus;
  readonly action?: Action;
  readonly events?: readonly EventNote[];
  readonly recheckAfter?: Millis;
}
