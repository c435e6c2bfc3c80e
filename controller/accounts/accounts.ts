/** Opens CloudAccounts: reads their Secrets and hands out the shared cloud and machine view. */
import type { CloudAccount } from '../api/cloud-account.ts';
import type { ObjectKey } from '../api/meta.ts';
import { keyText } from '../api/meta.ts';
import { secrets } from '../api/resource.ts';
import type { Clock, Instant, Millis } from '../base/clock.ts';
import { AppError } from '../base/errors.ts';
import type { Clouds, CloudTarget, MachineViews, Subnet } from '../cloud/port.ts';
import type { Kube } from '../kube/port.ts';
import type { Accounts, Login, OpenAccount } from './port.ts';

export interface AccountsPorts {
  readonly kube: Kube;
  readonly clock: Clock;
  readonly clouds: Clouds;
  readonly views: MachineViews;
  /** This installation's tag value. */
  readonly installation: string;
  /** The controller's own namespace: where keys it made are kept. */
  readonly namespace: string;
}

type SecretData = Readonly<Record<string, string>>;

interface Kept<Value> {
  readonly value: Value;
  readonly readAt: Instant;
}

/** A rotated Secret is used after this long at the latest; without it every reconcile would read one. */
const secretsKept: Millis = 30_000;
const subnetsKept: Millis = 5 * 60_000;

/** Where the controller keeps the login key it made for an account that names none. */
export function ownKeySecret(account: CloudAccount, namespace: string): ObjectKey {
  return { namespace, name: `ridgeline-ssh-${account.metadata.name}` };
}

/** Secrets are kept for 30 s and subnets for 5 minutes; a missing or wrong Secret rejects with an AppError. */
export class KubeAccounts implements Accounts {
  readonly #ports: AccountsPorts;
  readonly #secrets = new Map<string, Kept<SecretData>>();
  readonly #subnets = new Map<string, Kept<readonly Subnet[]>>();

  constructor(ports: AccountsPorts) {
    this.#ports = ports;
  }

  async open(account: CloudAccount): Promise<OpenAccount> {
    const target = await this.target(account);
    return { cloud: this.#ports.clouds.of(target), view: this.#ports.views.of(target) };
  }

  async login(account: CloudAccount): Promise<Login> {
    const { user, port, keySecretRef } = account.spec.ssh;
    const key = keySecretRef ?? ownKeySecret(account, this.#ports.namespace);
    const privateKey = (await this.#secret(key))['ssh-privatekey'];
    if (privateKey === undefined)
      throw notReady(account, `Secret ${keyText(key)} has no key 'ssh-privatekey'`);
    return { user, port, privateKey };
  }

  async subnets(account: CloudAccount, ids: readonly string[]): Promise<readonly Subnet[]> {
    if (ids.length === 0) return [];
    const id = `${account.metadata.uid} ${ids.join()}`;
    const kept = this.#subnets.get(id);
    const now = this.#ports.clock.now();
    if (kept !== undefined && now - kept.readAt < subnetsKept) return kept.value;
    const { cloud } = await this.open(account);
    const value = await cloud.machines.subnets(ids);
    this.#subnets.set(id, { value, readAt: now });
    return value;
  }

  async target(account: CloudAccount): Promise<CloudTarget> {
    const { region, endpoints = {} } = account.spec;
    return {
      region,
      endpoints,
      credentials: await this.#credentials(account),
      installation: this.#ports.installation,
    };
  }

  async #credentials(account: CloudAccount): Promise<CloudTarget['credentials']> {
    const { type, roleARN, externalID, secretRef } = account.spec.credentials;
    if (type === 'AssumeRole' && roleARN !== undefined) {
      return { type, roleArn: roleARN, ...(externalID === undefined ? {} : { externalId: externalID }) };
    }
    if (type !== 'Secret' || secretRef === undefined) return { type: 'Ambient' };
    const { accessKeyID, secretAccessKey } = await this.#secret(secretRef);
    if (accessKeyID === undefined || secretAccessKey === undefined) {
      throw notReady(
        account,
        `Secret ${keyText(secretRef)} must have the keys accessKeyID and secretAccessKey`,
      );
    }
    return { type: 'Keys', accessKeyId: accessKeyID, secretAccessKey };
  }

  /** Decoded; empty when there is no such Secret. */
  async #secret(key: ObjectKey): Promise<SecretData> {
    const id = keyText(key);
    const kept = this.#secrets.get(id);
    const now = this.#ports.clock.now();
    if (kept !== undefined && now - kept.readAt < secretsKept) return kept.value;
    const secret = await this.#ports.kube.get(secrets, key);
    const entries = Object.entries(secret?.data ?? {}).map(([name, text]): [string, string] => [
      name,
      Buffer.from(text, 'base64').toString('utf8'),
    ]);
    const value = Object.fromEntries(entries);
    // What is missing may be put in place any moment: only what exists is kept.
    if (secret !== undefined) this.#secrets.set(id, { value, readAt: now });
    return value;
  }
}

function notReady(account: CloudAccount, what: string): AppError {
  return new AppError('cloud.account-not-ready', `CloudAccount/${account.metadata.name}: ${what}`);
}
