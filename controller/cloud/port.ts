/** The cloud in our words. Adapters translate AWS into it; every failure is an AppError of the `cloud.*` or `objects.*` codes. Types only. */
import type { Instant, Millis } from '../base/clock.ts';

/** One account and region, as a CloudAccount describes it. */
export interface Cloud {
  readonly machines: Machines;
  readonly objects: ObjectStore;
  readonly dns: Dns;
  /** Who the credentials belong to (STS GetCallerIdentity). */
  identity(): Promise<{ readonly accountId: string; readonly arn: string }>;
}

/** Finds (or makes, and keeps) the Cloud of a CloudAccount; credentials are re-read when the account changes. */
export interface Clouds {
  of(account: CloudTarget): Cloud;
}

/** What a Cloud is made from; equal targets share one Cloud. */
export interface CloudTarget {
  readonly region: string;
  readonly endpoints: {
    readonly ec2?: string;
    readonly s3?: string;
    readonly route53?: string;
    readonly sts?: string;
  };
  readonly credentials:
    | { readonly type: 'Ambient' }
    | { readonly type: 'AssumeRole'; readonly roleArn: string; readonly externalId?: string }
    | { readonly type: 'Keys'; readonly accessKeyId: string; readonly secretAccessKey: string };
  /** This installation's tag value: only machines that carry it exist for us. */
  readonly installation: string;
}

export type MachineState = 'pending' | 'running' | 'stopping' | 'stopped' | 'shutting-down' | 'terminated';

/** One EC2 instance, trimmed to what the controller reads. */
export interface Machine {
  readonly id: string;
  readonly state: MachineState;
  readonly type: string;
  readonly imageId: string;
  readonly zone: string;
  readonly subnetId?: string;
  readonly privateIp?: string;
  readonly publicIp?: string;
  readonly publicDnsName?: string;
  readonly launchTime: Instant;
  /** The ClientToken of the request that made it; set by EC2, not editable. */
  readonly clientToken?: string;
  /** Position in that request. */
  readonly launchIndex: number;
  readonly tags: Readonly<Record<string, string>>;
  /** EC2's word on why it changed state, e.g. `Client.UserInitiatedShutdown`. */
  readonly stateReason?: string;
}

/** Frozen in a LaunchBatch; sent again unchanged on every replay. */
export interface LaunchRequest {
  /** At most 64 ASCII characters. */
  readonly clientToken: string;
  readonly minCount: number;
  readonly maxCount: number;
  readonly imageId: string;
  readonly instanceType: string;
  readonly subnetId?: string;
  readonly zone?: string;
  readonly securityGroupIds: readonly string[];
  readonly instanceProfile?: string;
  readonly spot: boolean;
  readonly metadataHopLimit: number;
  readonly rootVolume?: Volume;
  readonly dataVolume?: Volume;
  /** Plain text; the adapter encodes it. Public: any process on the machine can read it. */
  readonly userData: string;
  /** On instance and volumes alike. */
  readonly tags: Readonly<Record<string, string>>;
}

export interface Volume {
  readonly sizeGiB: number;
  readonly type: string;
  readonly iops?: number;
  readonly throughputMiBps?: number;
  readonly kmsKeyId?: string;
}

export interface Machines {
  /**
   * RunInstances, one attempt, no retries: `cloud.ambiguous` means the same request must be replayed.
   * Never blocks longer than 30 s. Waits for its place in the client-side rate limit first.
   */
  launch(request: LaunchRequest): Promise<readonly Machine[]>;
  /** Whether the request would be allowed and valid (DryRun); undefined = yes, else the error. */
  preflight(request: LaunchRequest): Promise<Error | undefined>;
  /** All machines of this installation, every page. The only full read; see `observer`. */
  sweep(): Promise<readonly Machine[]>;
  /** By id with a filter, so unknown ids are simply absent. Coalesced over about a second of callers. */
  find(ids: readonly string[]): Promise<readonly Machine[]>;
  /** Every machine one launch request made, terminated ones included while EC2 still lists them. */
  findByToken(clientToken: string): Promise<readonly Machine[]>;
  /** Accepted, not finished. Coalesced per zone. An id EC2 does not know fails with `cloud.not-found`. */
  terminate(id: string, options?: Ending): Promise<void>;
  /** Accepted, not finished. Also for a machine that is stopping in an orderly way: its power can be cut even then. */
  stop(id: string, options: Ending): Promise<void>;
  start(id: string): Promise<void>;
  tag(id: string, tags: Readonly<Record<string, string>>): Promise<void>;
  /** The machine's console text, newest part; empty until EC2 has some. */
  consoleOutput(id: string): Promise<string>;
  /** The image with this id; undefined when there is none or it was deregistered. */
  image(id: string): Promise<Image | undefined>;
  /** Newest image of `owner` whose name matches the pattern (`*` and `?`). */
  newestImage(namePattern: string, owner: string): Promise<Image | undefined>;
  /** Those that exist. */
  subnets(ids: readonly string[]): Promise<readonly Subnet[]>;
}

/** How a machine ends. */
export interface Ending {
  /**
   * A power cut: no process of the machine is told, so none can finish what it has begun. EC2's `Force` is not that: it
   * tries an orderly shutdown first.
   */
  readonly skipOsShutdown: boolean;
}

export interface Image {
  readonly id: string;
  readonly name: string;
  readonly available: boolean;
}

export interface Subnet {
  readonly id: string;
  readonly zone: string;
}

/** S3. Keys are whole keys; prefixes are the caller's business. */
export interface ObjectStore {
  /** undefined when there is no such object. */
  get(bucket: string, key: string): Promise<Uint8Array | undefined>;
  put(bucket: string, key: string, body: string | Uint8Array): Promise<void>;
  /** Keys under a prefix, sorted; every page. */
  list(bucket: string, prefix: string): Promise<readonly string[]>;
  /** A URL that accepts one PUT to `key` while there is no object (`If-None-Match: *` must be sent) until it expires. */
  presignFirstPut(bucket: string, key: string, expires: Millis): Promise<string>;
  /** A URL that answers GET with the object until it expires. */
  presignGet(bucket: string, key: string, expires: Millis): Promise<string>;
  /** Fails with the reason when the bucket is missing or may not be read. */
  check(bucket: string): Promise<void>;
}

export interface DnsRecord {
  /** Lower case, no trailing dot. */
  readonly name: string;
  readonly type: 'A' | 'CNAME' | 'TXT';
  readonly ttlSeconds: number;
  /** As Route 53 writes them: the values of TXT stand in double quotes. */
  readonly values: readonly string[];
}

export interface Dns {
  /** Creates or replaces; resolves with the change id when accepted, not when visible. */
  upsert(zoneId: string, records: readonly DnsRecord[]): Promise<string>;
  /** Deletes exactly these; already gone counts as success. */
  remove(zoneId: string, records: readonly DnsRecord[]): Promise<void>;
  records(zoneId: string): Promise<readonly DnsRecord[]>;
  /** Whether all name servers answer with the change. */
  inSync(changeId: string): Promise<boolean>;
}

/**
 * The last known picture of one Cloud's machines, kept fresh by an observer; reads cost nothing.
 * "Absent" here is a hint, never evidence that a machine is gone (EC2 is eventually consistent).
 */
export interface MachineView {
  get(id: string): Machine | undefined;
  all(): readonly Machine[];
  /** When the newest complete sweep began; undefined before the first. */
  readonly sweptAt: Instant | undefined;
  /** How many complete sweeps in a row, since this instant, did not contain the id. */
  missing(id: string): { readonly sweeps: number; readonly since: Instant | undefined };
  /** Adds what a launch answered, until a sweep confirms it. */
  learn(machines: readonly Machine[]): void;
}

/** Finds (or starts to observe, and keeps) the view of a CloudAccount's machines. */
export interface MachineViews {
  of(account: CloudTarget): MachineView;
}
