/** Worker thread: reads one page of a large fleet. 1,000 rows of XML take 250 ms to parse; here nobody waits. */
import { type MessagePort, parentPort } from 'node:worker_threads';
import { EC2Client } from '@aws-sdk/client-ec2';
import { clientConfig } from './clients.ts';
import { type Page, readPage } from './page.ts';
import type { CloudTarget } from './port.ts';

/** What the worker is asked; `id` comes back with the answer. */
export interface PageRequest {
  readonly id: number;
  readonly target: CloudTarget;
  readonly nextToken: string | undefined;
}

/** Either a page or an error. */
export interface PageReply {
  readonly id: number;
  readonly page?: Page;
  /** The SDK's error, reduced to what survives the way between threads. */
  readonly error?: object;
}

/** EC2's largest page. */
const size = 1_000;

if (parentPort !== null) serve(parentPort);

function serve(port: MessagePort): void {
  const clients = new Map<string, EC2Client>();
  port.on('message', ({ id, target, nextToken }: PageRequest) => {
    const key = JSON.stringify(target);
    const client = clients.get(key) ?? new EC2Client(clientConfig(target, 'ec2'));
    clients.set(key, client);
    void reply(port, id, readPage(client, { installation: target.installation, size, nextToken }));
  });
}

async function reply(port: MessagePort, id: number, reading: Promise<Page>): Promise<void> {
  const message = await reading.then(
    (page): PageReply => ({ id, page }),
    (error: unknown): PageReply => ({ id, error: portableError(error) }),
  );
  port.postMessage(message, []);
}

function portableError(error: unknown): object {
  if (!(error instanceof Error)) return { message: String(error) };
  const metadata: unknown = Reflect.get(error, '$metadata');
  return {
    name: error.name,
    message: error.message,
    code: Reflect.get(error, 'code') as unknown,
    $metadata: metadata === undefined ? undefined : (JSON.parse(JSON.stringify(metadata)) as unknown),
  };
}
