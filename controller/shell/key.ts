/** Makes the SSH key pair of an account. */
import ssh2 from 'ssh2';

export interface KeyPair {
  /** OpenSSH PEM. */
  readonly privateKey: string;
  /** One line for authorized_keys. */
  readonly publicKey: string;
}

/** A new ed25519 pair; the comment stands at the end of the public line. */
export function generateKeyPair(comment: string): KeyPair {
  const pair = ssh2.utils.generateKeyPairSync('ed25519', { comment });
  return { privateKey: pair.private, publicKey: pair.public };
}
