/** Makes Clouds from targets and keeps them: equal targets share clients, connections and rate limits. */
import { GetCallerIdentityCommand, STSClient } from '@aws-sdk/client-sts';
import type { Registry } from 'prom-client';
import type { Clock } from '../base/clock.ts';
import { Buckets } from './buckets.ts';
import { type CallContext, Caller } from './calls.ts';
import { clientConfig } from './clients.ts';
import { Ec2Machines } from './ec2.ts';
import { createCloudMetrics } from './metrics.ts';
import type { Cloud, Clouds, CloudTarget } from './port.ts';
import { Route53Dns } from './route53.ts';
import { S3Objects } from './s3.ts';
import { Sweeper } from './sweeper.ts';

/** Clouds kept at most; rotated keys leave old ones behind. */
const keptClouds = 50;

export interface CloudsOptions {
  readonly clock: Clock;
  readonly registry: Registry;
  /** Asked before every call with an effect: whether this process still holds the lease. */
  readonly mayAct: () => boolean;
}

/** The least recently used Clouds are dropped when there are many; `close` ends the sweep worker. */
export class AwsClouds implements Clouds {
  readonly #options: CloudsOptions;
  readonly #metrics;
  readonly #sweeper: Sweeper;
  readonly #clouds = new Map<string, Cloud>();

  constructor(options: CloudsOptions) {
    this.#options = options;
    this.#sweeper = new Sweeper(options.clock);
    this.#metrics = createCloudMetrics(options.registry);
  }

  of(target: CloudTarget): Cloud {
    const key = JSON.stringify(target);
    const cloud = this.#clouds.get(key) ?? this.#open(target);
    // Used last, dropped last.
    this.#clouds.delete(key);
    this.#clouds.set(key, cloud);
    const [oldest] = this.#clouds.keys();
    if (this.#clouds.size > keptClouds && oldest !== undefined) this.#clouds.delete(oldest);
    return cloud;
  }

  /** Ends the sweep worker. */
  async close(): Promise<void> {
    await this.#sweeper.close();
  }

  #open(target: CloudTarget): Cloud {
    const { clock, mayAct } = this.#options;
    const context: CallContext = { clock, mayAct, metrics: this.#metrics, buckets: new Buckets(clock) };
    const sts = new STSClient(clientConfig(target, 'sts'));
    const calls = new Caller('sts', context);
    return {
      machines: new Ec2Machines(target, context, this.#sweeper),
      objects: new S3Objects(target, context),
      dns: new Route53Dns(target, context),
      identity: async () => {
        const answer = await calls.read('GetCallerIdentity', (options) =>
          sts.send(new GetCallerIdentityCommand({}), options),
        );
        return { accountId: answer.Account ?? '', arn: answer.Arn ?? '' };
      },
    };
  }
}
