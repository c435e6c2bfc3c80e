/** The passwords of a cluster's own accounts: made once and kept in a Secret beside it, or brought by the user. */
import { randomBytes } from 'node:crypto';
import { apiVersion, keyText, type ObjectKey } from '../api/meta.ts';
import { type MySQLCluster, mySQLClusterKind } from '../api/mysql-cluster.ts';
import { type Secret, secrets } from '../api/resource.ts';
import type { Instant, Millis } from '../base/clock.ts';
import { hasCode } from '../base/errors.ts';
import type { Kube } from '../kube/port.ts';

/** Passwords of the accounts that belong to the cluster. */
export interface Credentials {
  /** Password of the account `ridgeline`. */
  readonly admin: string;
  /** Password of the account `replication`. */
  readonly replication: string;
}

/** A Secret that was changed is read again after this long; the accounts keep the passwords they were made with. */
const kept: Millis = 60_000;

/** Secrets are read again after a minute. */
export class CredentialStore {
  readonly #kube: Kube;
  readonly #known = new Map<string, { readonly at: Instant; readonly value: Credentials }>();

  constructor(kube: Kube) {
    this.#kube = kube;
  }

  /** The passwords, made when there are none yet; or what a person has to do. */
  async read(cluster: MySQLCluster, now: Instant): Promise<Credentials | { readonly problem: string }> {
    const known = this.#known.get(cluster.metadata.uid);
    if (known !== undefined && now - known.at < kept) return known.value;
    const key = secretOf(cluster);
    const { credentialsSecretRef } = cluster.spec;
    const secret = await this.#kube.get(secrets, key);
    if (secret === undefined && credentialsSecretRef !== undefined) {
      const text = 'It must hold the passwords of our own accounts under the keys admin and replication.';
      return { problem: `Secret ${keyText(key)} does not exist. ${text}` };
    }
    const found = secret ?? (await this.#create(cluster, key));
    const value = decodeCredentials(found);
    if ('missing' in value) {
      return { problem: `Secret ${keyText(key)} has no key '${value.missing}', or nothing in it.` };
    }
    this.#known.set(cluster.metadata.uid, { at: now, value });
    return value;
  }

  forget({ metadata }: MySQLCluster): void {
    this.#known.delete(metadata.uid);
  }

  async #create(cluster: MySQLCluster, key: ObjectKey): Promise<Secret | undefined> {
    const { name, uid } = cluster.metadata;
    const owner = { apiVersion, kind: mySQLClusterKind.kind, name, uid, controller: true };
    try {
      return await this.#kube.create(secrets, {
        apiVersion: 'v1',
        kind: 'Secret',
        metadata: { ...key, ownerReferences: [owner] },
        type: 'Opaque',
        data: { admin: newPassword(), replication: newPassword() },
      });
    } catch (error) {
      if (!hasCode(error, 'kube.already-exists')) throw error;
      return this.#kube.get(secrets, key);
    }
  }
}

function secretOf({ metadata, spec }: MySQLCluster): ObjectKey {
  const { namespace, name } = metadata;
  const secret = spec.credentialsSecretRef?.name ?? `${name}-mysql`;
  return namespace === undefined ? { name: secret } : { namespace, name: secret };
}

/** 32 characters, in base64 as Secrets want it: 192 bits, and nothing that needs quoting anywhere. */
function newPassword(): string {
  return Buffer.from(randomBytes(24).toString('base64url')).toString('base64');
}

function decodeCredentials(secret: Secret | undefined): Credentials | { readonly missing: string } {
  const read = (key: string) =>
    Buffer.from(secret?.data?.[key] ?? '', 'base64')
      .toString('utf8')
      .trim();
  const [admin, replication] = [read('admin'), read('replication')];
  if (admin === '') return { missing: 'admin' };
  return replication === '' ? { missing: 'replication' } : { admin, replication };
}
