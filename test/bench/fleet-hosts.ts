/** Stands in for the machines of a cloud without hosts: hands in a host key for each and lets the controller log in. */
import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import ssh2 from 'ssh2';
import { attestationKey } from '../../controller/api/launch-batch.ts';
import type { Server } from '../../controller/api/server.ts';
import { stateBucket } from '../../lab/config.ts';
import { labAccess } from '../../lab/demo/controller.ts';
import { generateKeyPair } from '../fakes/key-pair.ts';

/** Uploads at a time. */
const parallel = 16;

/** One sshd for all: every address of 127.0.0.0/8 leads to it. It runs no command. */
export class FleetHosts {
  readonly #key = generateKeyPair('host');
  readonly #sockets = new Set<Socket>();
  readonly #sshd = new ssh2.Server({ hostKeys: [this.#key.privateKey] }, (client) => this.#serve(client));
  readonly #net = createServer((socket) => this.#accept(socket));

  /** Listens; answers the port. */
  async open(): Promise<number> {
    this.#net.listen(0);
    await once(this.#net, 'listening');
    return (this.#net.address() as AddressInfo).port;
  }

  /** What user data does on a real machine, for all of them: the host key goes to where the controller looks. */
  async handIn(aws: NodeJS.ProcessEnv, servers: readonly Server[]): Promise<void> {
    const s3 = new S3Client({ ...labAccess(aws), forcePathStyle: true });
    const left = servers.map(({ status }) =>
      attestationKey('', status?.launchBatchRef?.name ?? '', status?.launchIndex ?? 0),
    );
    const upload = async () => {
      for (let Key = left.pop(); Key !== undefined; Key = left.pop()) {
        await s3.send(new PutObjectCommand({ Bucket: stateBucket, Key, Body: this.#key.publicKey }));
      }
    };
    await Promise.all(Array.from({ length: parallel }, upload));
    s3.destroy();
  }

  close(): void {
    for (const socket of this.#sockets) socket.destroy();
    this.#net.close();
  }

  #accept(socket: Socket): void {
    if (!/^(::ffff:)?127\./.test(socket.remoteAddress ?? '')) {
      socket.destroy();
      return;
    }
    this.#sockets.add(socket);
    socket.on('close', () => this.#sockets.delete(socket));
    this.#sshd.injectSocket(socket);
  }

  #serve(client: ssh2.Connection): void {
    client.on('error', () => undefined);
    client.on('authentication', (attempt) => {
      if (attempt.method === 'publickey') attempt.accept();
      else attempt.reject(['publickey']);
    });
  }
}
