/** Who may talk to the lab's API server: keys, bearer tokens and kubeconfig files, made once per control plane. */
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { stringify } from 'yaml';

/** Static users. The controller gets exactly the rights its service account has in the manifests. */
const users = {
  admin: { name: 'lab-admin', groups: ['system:masters'] },
  controller: {
    name: 'system:serviceaccount:ridgeline-system:ridgeline-controller',
    groups: ['system:serviceaccounts', 'system:serviceaccounts:ridgeline-system'],
  },
} as const;

export type User = keyof typeof users;

/** File names inside the control plane's folder. */
export const files = {
  tokens: 'tokens.csv',
  serviceAccountKey: 'service-account.key',
  /** Written by the API server itself; holds its own authority too. */
  certificate: path.join('certificates', 'apiserver.crt'),
} as const;

/** Writes tokens and the service account key unless they are there: they must survive a restart. */
export function ensureCredentials(dir: string): void {
  mkdirSync(path.join(dir, 'certificates'), { recursive: true, mode: 0o700 });
  const tokens = path.join(dir, files.tokens);
  if (!existsSync(tokens)) {
    const lines = Object.values(users).map(
      (user) => `${randomBytes(24).toString('hex')},${user.name},${user.name},"${user.groups.join(',')}"`,
    );
    writeFileSync(tokens, `${lines.join('\n')}\n`, { mode: 0o600 });
  }
  const key = path.join(dir, files.serviceAccountKey);
  if (!existsSync(key)) {
    const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
    writeFileSync(key, privateKey.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600 });
  }
}

/** The bearer token of a user, as `ensureCredentials` made it. */
export function tokenOf(dir: string, user: User): string {
  const line = readFileSync(path.join(dir, files.tokens), 'utf8')
    .split('\n')
    .find((candidate) => candidate.split(',')[1] === users[user].name);
  if (line === undefined) throw new Error(`${dir}/${files.tokens} has no token of ${users[user].name}`);
  return line.split(',')[0]!;
}

/** Where it is, or will be, for a control plane in `dir`. */
export function kubeconfigPath(dir: string, user: User): string {
  return path.join(dir, `${user}.kubeconfig`);
}

/** Writes one kubeconfig per user; to be called when the API server's certificate exists. */
export function writeKubeconfigs(dir: string, server: string): void {
  const authority = readFileSync(path.join(dir, files.certificate)).toString('base64');
  for (const user of Object.keys(users) as User[]) {
    const config = {
      apiVersion: 'v1',
      kind: 'Config',
      clusters: [{ name: 'lab', cluster: { server, 'certificate-authority-data': authority } }],
      users: [{ name: user, user: { token: tokenOf(dir, user) } }],
      contexts: [{ name: 'lab', context: { cluster: 'lab', user } }],
      'current-context': 'lab',
    };
    writeFileSync(kubeconfigPath(dir, user), stringify(config), { mode: 0o600 });
  }
}
