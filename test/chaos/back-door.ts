/** Sessions through the local proxy of a host that no packet reaches: the lab carries them into the machine. */
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { Duplex, type Readable, type Writable } from 'node:stream';
import { entry } from '../../lab/cli/life.ts';
import { type Account, ProxyClient } from './proxy-client.ts';

/** The machine needs `socat`. */
export function clientInside(instanceID: string, account: Account, port = 3306): ProxyClient {
  const children = new Set<ChildProcessByStdio<Writable, Readable, null>>();
  const open = async (): Promise<Duplex> => {
    const order = entry([instanceID, 'socat', 'STDIO', `TCP:127.0.0.1:${port}`]);
    const child = spawn('nsenter', order, { stdio: ['pipe', 'pipe', 'ignore'] });
    children.add(child);
    child.once('close', () => children.delete(child));
    child.stdin.on('error', () => undefined);
    const stream = Duplex.from({ readable: child.stdout, writable: child.stdin });
    return stream.once('close', () => child.kill());
  };
  const close = () => {
    for (const child of children) child.kill('SIGKILL');
  };
  return new ProxyClient({ open, close }, account);
}
