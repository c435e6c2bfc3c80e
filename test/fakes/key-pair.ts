/** SSH key pairs for tests, made by the code that makes the accounts' keys: ssh2's own generator writes 1 in 200 malformed. */
import { createPrivateKey, publicLineOf } from '../../controller/kinds/cloud-account/login-key.ts';

export interface KeyPair {
  /** OpenSSH PEM. */
  readonly privateKey: string;
  /** One line for authorized_keys. */
  readonly publicKey: string;
}

/** A new ed25519 pair; the comment stands at the end of the public line. */
export function generateKeyPair(comment: string): KeyPair {
  const privateKey = createPrivateKey(comment);
  return { privateKey, publicKey: `${publicLineOf(privateKey) ?? ''} ${comment}` };
}
