/** Where a server's sshd is and which keys it must show. Pure. */
import type { CloudAccount } from '../api/cloud-account.ts';
import type { Server } from '../api/server.ts';
import type { Host } from '../shell/port.ts';
import type { Login } from './port.ts';

/** Undefined while the server has no address or no pinned key: without a pin nothing is ever connected to. */
export function hostOf(server: Server, account: CloudAccount, login: Login): Host | undefined {
  const { privateIP, publicIP, sshHostKeys = [] } = server.status ?? {};
  const address = account.spec.network.sshAddress === 'Public' ? publicIP : privateIP;
  if (address === undefined || sshHostKeys.length === 0) return undefined;
  return { address, port: login.port, user: login.user, privateKey: login.privateKey, hostKeys: sshHostKeys };
}
