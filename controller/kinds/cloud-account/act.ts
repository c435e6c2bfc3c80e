/** Makes the login key of an account once, or reads the one that a person provides. */
import { ownKeySecret } from '../../accounts/accounts.ts';
import type { CloudAccount } from '../../api/cloud-account.ts';
import { keyText, type ObjectKey } from '../../api/meta.ts';
import { type Secret, secrets } from '../../api/resource.ts';
import { hasCode } from '../../base/errors.ts';
import type { Kube } from '../../kube/port.ts';
import { createPrivateKey, publicLineOf } from './login-key.ts';

/** The public half, or why there is none. */
export type LoginKey = { readonly publicKey: string } | { readonly problem: string };

const field = 'ssh-privatekey';

/** A key that exists is never replaced: servers that run already accept only that one. */
export async function ensureLoginKey(
  kube: Kube,
  account: CloudAccount,
  controllerNamespace: string,
): Promise<LoginKey> {
  const { keySecretRef } = account.spec.ssh;
  const key = keySecretRef ?? ownKeySecret(account, controllerNamespace);
  const existing = await kube.get(secrets, key);
  if (existing !== undefined) return readKey(key, existing);
  if (keySecretRef !== undefined) return { problem: `Secret ${keyText(key)} does not exist.` };
  return readKey(key, await createKey(kube, key, account));
}

/** Create is the claim: when another process was faster, its key is the one. */
async function createKey(kube: Kube, key: ObjectKey, account: CloudAccount): Promise<Secret | undefined> {
  const text = createPrivateKey(`ridgeline ${account.metadata.name}`);
  try {
    return await kube.create(secrets, {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: key,
      type: 'kubernetes.io/ssh-auth',
      data: { [field]: Buffer.from(text).toString('base64') },
    });
  } catch (error) {
    if (!hasCode(error, 'kube.already-exists')) throw error;
    return kube.get(secrets, key);
  }
}

function readKey(key: ObjectKey, secret: Secret | undefined): LoginKey {
  const text = Buffer.from(secret?.data?.[field] ?? '', 'base64').toString();
  const publicKey = publicLineOf(text);
  if (publicKey !== undefined) return { publicKey };
  const hint = 'must be an OpenSSH private key without passphrase; make one with ssh-keygen -t ed25519';
  return { problem: `Secret ${keyText(key)}: '${field}' ${hint}.` };
}
