/** EC2's DescribeInstances over HTTP: as many machines as asked for, in pages. For tests of what speaks the wire format. */
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { promisify } from 'node:util';
import type { CloudTarget } from '../../controller/cloud/port.ts';

export class Ec2Api implements AsyncDisposable {
  /** How many machines there are. */
  count = 0;
  /** MaxResults of every call, oldest first. */
  readonly asked: number[] = [];
  readonly #server: Server;

  private constructor() {
    this.#server = createServer((request, response) => {
      void text(request).then((body) => response.end(this.#page(new URLSearchParams(body))));
    });
  }

  static async listen(): Promise<Ec2Api> {
    const api = new Ec2Api();
    api.#server.listen(0, '127.0.0.1');
    await once(api.#server, 'listening');
    return api;
  }

  get target(): CloudTarget {
    const { port } = this.#server.address() as AddressInfo;
    return {
      region: 'us-east-1',
      installation: 'shop',
      endpoints: { ec2: `http://127.0.0.1:${port}` },
      credentials: { type: 'Keys', accessKeyId: 'AKIA', secretAccessKey: 'secret' },
    };
  }

  /** Connections that clients keep open. */
  async connections(): Promise<number> {
    return await promisify(this.#server.getConnections.bind(this.#server))();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.close();
    this.#server.closeAllConnections();
    await once(this.#server, 'close');
  }

  #page(query: URLSearchParams): string {
    const size = Number(query.get('MaxResults'));
    const start = Number(query.get('NextToken') ?? 0);
    const end = Math.min(start + size, this.count);
    this.asked.push(size);
    const rows = Array.from({ length: end - start }, (_, index) => rowOf(start + index)).join('');
    const next = end < this.count ? `<nextToken>${end}</nextToken>` : '';
    return `<DescribeInstancesResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"><requestId>r</requestId>
<reservationSet>${rows}</reservationSet>${next}</DescribeInstancesResponse>`;
  }
}

/** One running machine; every other one is being stopped. */
function rowOf(index: number): string {
  const state =
    index % 2 === 0 ? '<code>16</code><name>running</name>' : '<code>64</code><name>stopping</name>';
  return `<item><reservationId>r-${index}</reservationId><instancesSet><item><instanceId>i-${index}</instanceId>
<imageId>ami-1</imageId><instanceState>${state}</instanceState><amiLaunchIndex>${index}</amiLaunchIndex>
<instanceType>t3.micro</instanceType><launchTime>2026-01-01T00:00:00.000Z</launchTime>
<placement><availabilityZone>us-east-1a</availabilityZone></placement><subnetId>subnet-1</subnetId>
<privateIpAddress>10.0.0.4</privateIpAddress><ipAddress>192.0.2.4</ipAddress><clientToken>rl1-${index}</clientToken>
<stateReason><code>Client.UserInitiatedShutdown</code><message>by hand</message></stateReason>
<tagSet><item><key>Name</key><value>web &amp; more</value></item></tagSet></item></instancesSet></item>`;
}
