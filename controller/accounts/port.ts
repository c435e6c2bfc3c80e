/** What a CloudAccount opens: its cloud, the picture of its machines, and the login of its servers. Types only. */
import type { CloudAccount } from '../api/cloud-account.ts';
import type { Cloud, CloudTarget, MachineView, Subnet } from '../cloud/port.ts';

/** Each call fails with `cloud.account-not-ready` when a Secret it needs is missing or incomplete. */
export interface Accounts {
  /** The account's cloud and machine view; equal accounts share both. */
  open(account: CloudAccount): Promise<OpenAccount>;
  /** How to log in to the account's servers. */
  login(account: CloudAccount): Promise<Login>;
  /** The zones of these subnets, in the given order; a moment old. */
  subnets(account: CloudAccount, ids: readonly string[]): Promise<readonly Subnet[]>;
  /** What its cloud is made from. */
  target(account: CloudAccount): Promise<CloudTarget>;
}

/** What an account opens: its calls, and the view of its machines, which other accounts may share. */
export interface OpenAccount {
  readonly cloud: Cloud;
  readonly view: MachineView;
}

export interface Login {
  readonly user: string;
  readonly port: number;
  /** OpenSSH PEM. */
  readonly privateKey: string;
}
