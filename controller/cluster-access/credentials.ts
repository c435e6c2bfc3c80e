/**
 * The passwords of a cluster's own accounts: those a person wants, and those its servers accept.
 *
 * What is wanted is in a Secret that was made once, or is the user's, and may be edited. What servers accept was copied to
 * a Secret of ours before they were told, so that an edit, a mistake in it or the end of that Secret locks nobody out.
 */
import { randomBytes } from 'node:crypto';
import {
  apiVersion,
  finalizer,
  keyText,
  type ObjectKey,
  withFinalizer,
  withoutFinalizer,
} from '../api/meta.ts';
import { type MySQLCluster, mySQLClusterKind } from '../api/mysql-cluster.ts';
import { type Secret, secrets } from '../api/resource.ts';
import type { Instant, Millis } from '../base/clock.ts';
import { hasCode } from '../base/errors.ts';
import type { Passwords } from '../database/port.ts';
import type { Kube, NewObject } from '../kube/port.ts';

/** What is wanted, and what is in use. */
export interface Credentials {
  /** What the Secret says that people edit; undefined when it says nothing usable. */
  readonly wanted: Passwords | undefined;
  /** Why not. */
  readonly mistake: CredentialsMistake | undefined;
  /** What all servers accept; before any was made, what is wanted. */
  readonly current: Passwords | undefined;
  /** Ours that holds `current` is gone, so that nobody can be sure. */
  readonly isLost: boolean;
  /** The other passwords of a change under way: the new ones, or later on the former ones. */
  readonly other: Passwords | undefined;
}

/** Nothing is asked for. */
export const noCredentials: Credentials = {
  wanted: undefined,
  mistake: undefined,
  current: undefined,
  isLost: false,
  other: undefined,
};

/** Why a Secret cannot be used, and what to do about it. */
export interface CredentialsMistake {
  readonly reason: 'SecretMissing' | 'SecretInvalid';
  readonly message: string;
}

/** An edited Secret is noticed after so long. */
const kept: Millis = 10_000;
/** What a replica of MySQL can be told to come with. */
const longestReplication = 32;

/** Reads Secrets; those of ours never change, and are read once. */
export class CredentialStore {
  readonly #kube: Kube;
  readonly #wanted = new Map<
    string,
    { readonly at: Instant; readonly value: Passwords | CredentialsMistake }
  >();
  readonly #pinned = new Map<string, ReadonlyMap<number, Passwords>>();

  constructor(kube: Kube) {
    this.#kube = kube;
  }

  /** Makes the Secret that people edit when there is none and the user has named none. */
  async read(cluster: MySQLCluster, now: Instant): Promise<Credentials> {
    const value = await this.#readWanted(cluster, now);
    const [wanted, mistake] = 'reason' in value ? [undefined, value] : [value, undefined];
    const { serial, rotation } = cluster.status?.credentials ?? {};
    const pinned = serial === undefined ? undefined : await this.#readPinned(cluster, serial);
    const other =
      rotation?.serial === undefined ? undefined : await this.#readPinned(cluster, rotation.serial);
    const isLost = serial !== undefined && pinned === undefined;
    return { wanted, mistake, current: pinned ?? wanted, isLost, other };
  }

  /** Keeps these passwords under this number for good; where there are others already, those count. */
  async pin(cluster: MySQLCluster, serial: number, passwords: Passwords): Promise<void> {
    const { metadata, ...frame } = frameOf(cluster, pinnedKey(cluster, serial));
    await this.#createUnlessThere(cluster, {
      ...frame,
      metadata: { ...metadata, finalizers: [finalizer] },
      immutable: true,
      data: { admin: encode(passwords.admin), replication: encode(passwords.replication) },
    });
  }

  /** Lets go of the Secrets of ours: the cluster is gone. */
  async release(cluster: MySQLCluster): Promise<void> {
    const { uid } = cluster.metadata;
    this.#wanted.delete(uid);
    this.#pinned.delete(uid);
    const { newest = 0 } = cluster.status?.credentials ?? {};
    for (let serial = 1; serial <= newest; serial += 1) {
      const secret = await this.#kube.get(secrets, pinnedKey(cluster, serial));
      if (secret !== undefined && isOurs(cluster, secret))
        await this.#kube.setFinalizers(secrets, secret, withoutFinalizer(secret));
    }
  }

  /** One of ours that somebody deletes, alone or with its namespace, stays as long as servers accept what it says. */
  async #hold(cluster: MySQLCluster, secret: Secret): Promise<void> {
    if (isOurs(cluster, secret) && secret.metadata.deletionTimestamp === undefined)
      await this.#kube.setFinalizers(secrets, secret, withFinalizer(secret));
  }

  async #readWanted(cluster: MySQLCluster, now: Instant): Promise<Passwords | CredentialsMistake> {
    const { uid } = cluster.metadata;
    const known = this.#wanted.get(uid);
    if (known !== undefined && now - known.at < kept) return known.value;
    const key = secretKey(cluster);
    const found = await this.#kube.get(secrets, key);
    const isOfPerson = cluster.spec.credentialsSecretRef !== undefined;
    const isGood = found !== undefined && (isOfPerson || !isOfFormer(cluster, found));
    const secret = isGood ? found : await this.#make(cluster, key);
    const value = secret === undefined ? missing(cluster) : decode(cluster, secret);
    this.#wanted.set(uid, { at: now, value });
    return value;
  }

  async #readPinned(cluster: MySQLCluster, serial: number): Promise<Passwords | undefined> {
    const known = this.#pinned.get(cluster.metadata.uid) ?? new Map<number, Passwords>();
    const found = known.get(serial);
    if (found !== undefined) return found;
    const secret = await this.#kube.get(secrets, pinnedKey(cluster, serial));
    if (secret === undefined || isOfFormer(cluster, secret)) return undefined;
    await this.#hold(cluster, secret);
    const passwords = { admin: read(secret, 'admin'), replication: read(secret, 'replication') };
    this.#pinned.set(cluster.metadata.uid, new Map([...known, [serial, passwords]]));
    return passwords;
  }

  async #make(cluster: MySQLCluster, key: ObjectKey): Promise<Secret | undefined> {
    if (cluster.spec.credentialsSecretRef !== undefined) return undefined;
    try {
      return await this.#createUnlessThere(cluster, {
        ...frameOf(cluster, key),
        data: { admin: encode(newPassword()), replication: encode(newPassword()) },
      });
    } catch (error) {
      // Nothing can be made in a namespace that is being deleted; what servers accept is known all the same.
      if (!hasCode(error, 'kube.forbidden')) throw error;
      return undefined;
    }
  }

  /** Fails while one is there that goes with a former cluster of the same name: what it says is gone in a moment. */
  async #createUnlessThere(cluster: MySQLCluster, secret: NewObject<Secret>): Promise<Secret | undefined> {
    try {
      return await this.#kube.create(secrets, secret);
    } catch (error) {
      if (!hasCode(error, 'kube.already-exists')) throw error;
      const { namespace, name = '' } = secret.metadata;
      const found = await this.#kube.get(secrets, keyOf(namespace, name));
      if (found !== undefined && isOfFormer(cluster, found)) throw error;
      return found;
    }
  }
}

/** The Secret that people edit. */
export function secretKey({ metadata: { namespace, name }, spec }: MySQLCluster): ObjectKey {
  return keyOf(namespace, spec.credentialsSecretRef?.name ?? `${name}-mysql`);
}

function pinnedKey({ metadata: { namespace, name } }: MySQLCluster, serial: number): ObjectKey {
  return keyOf(namespace, `${name}-credentials-${serial}`);
}

function keyOf(namespace: string | undefined, name: string): ObjectKey {
  return namespace === undefined ? { name } : { namespace, name };
}

function isOurs({ metadata: { uid } }: MySQLCluster, { metadata }: Secret): boolean {
  return metadata.ownerReferences?.some((owner) => owner.uid === uid) === true;
}

/** Made for a cluster of the same name that was deleted; Kubernetes removes it soon. */
function isOfFormer({ metadata: { name, uid } }: MySQLCluster, { metadata }: Secret): boolean {
  const { kind } = mySQLClusterKind;
  return (
    metadata.ownerReferences?.some(
      (owner) => owner.kind === kind && owner.name === name && owner.uid !== uid,
    ) === true
  );
}

/** It goes with its cluster. */
function frameOf({ metadata: { name, uid } }: MySQLCluster, key: ObjectKey) {
  const owner = { apiVersion, kind: mySQLClusterKind.kind, name, uid, controller: true };
  return {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { ...key, ownerReferences: [owner] },
    type: 'Opaque',
  } as const;
}

/** 28 characters, 144 bits; with one of each sort that rules for passwords ask for, and nothing that needs quoting. */
function newPassword(): string {
  return `rL1-${randomBytes(18).toString('base64url')}`;
}

function encode(text: string): string {
  return Buffer.from(text).toString('base64');
}

function read(secret: Secret, key: string): string {
  return Buffer.from(secret.data?.[key] ?? '', 'base64')
    .toString('utf8')
    .trim();
}

function missing(cluster: MySQLCluster): CredentialsMistake {
  return sayMistake('SecretMissing', cluster, 'does not exist');
}

function decode(cluster: MySQLCluster, secret: Secret): Passwords | CredentialsMistake {
  const passwords = { admin: read(secret, 'admin'), replication: read(secret, 'replication') };
  for (const key of ['admin', 'replication'] as const) {
    const why = whyUnusable(passwords[key]);
    if (why !== undefined) return sayMistake('SecretInvalid', cluster, `${why} under the key '${key}'`);
  }
  return passwords.replication.length > longestReplication
    ? sayMistake(
        'SecretInvalid',
        cluster,
        `has more than ${longestReplication} characters under the key 'replication', which replicas cannot use`,
      )
    : passwords;
}

function whyUnusable(password: string): string | undefined {
  if (password === '') return 'has nothing';
  return /[\p{Cc}\u{FFFD}]/u.test(password) ? 'has control characters, or what is no UTF-8,' : undefined;
}

function sayMistake(
  reason: CredentialsMistake['reason'],
  cluster: MySQLCluster,
  what: string,
): CredentialsMistake {
  const key = secretKey(cluster);
  const need = 'It must hold the passwords of our own accounts under the keys admin and replication';
  const how = `kubectl -n ${key.namespace ?? 'default'} create secret generic ${key.name} --from-literal=admin=… --from-literal=replication=… --dry-run=client -o yaml | kubectl apply -f -`;
  return { reason, message: `Secret ${keyText(key)} ${what}. ${need}: ${how}` };
}
