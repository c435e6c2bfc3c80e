/** What the cloud remembers: one immutable, plain-JSON record per thing, kept in named tables. Types only. */

import type { DiskCondition, Impairment } from './runtime.ts';

export type InstanceState = 'pending' | 'running' | 'shutting-down' | 'terminated' | 'stopping' | 'stopped';

/** What chaos did to the machine under an instance; EC2's state stays `running`, its status checks tell. */
export type MachineCondition = 'ok' | 'hung' | 'crashed' | 'powered-off';

export type Tags = Readonly<Record<string, string>>;

export interface BlockDevice {
  readonly device: string;
  readonly volumeId: string;
  readonly deleteOnTermination: boolean;
}

export interface Instance {
  readonly id: string;
  readonly reservationId: string;
  readonly launchIndex: number;
  readonly imageId: string;
  readonly type: string;
  readonly zone: string;
  readonly subnetId: string;
  readonly privateIp: string;
  readonly keyName?: string;
  /** The key pair's public half at launch, as the metadata service shows it. */
  readonly publicKey?: string;
  readonly securityGroupIds: readonly string[];
  readonly state: InstanceState;
  readonly stateReason?: { readonly code: string; readonly message: string };
  readonly condition: MachineCondition;
  /** What was done to its root disk; absent when nothing. */
  readonly disk?: Exclude<DiskCondition, 'ok'>;
  /** Its stop or end shall not wait for the operating system; for this stop there is no way back, as on EC2. */
  readonly skipsOsShutdown?: true;
  /** Milliseconds since the epoch; a start after a stop sets it anew, as EC2 does. */
  readonly launchTime: number;
  readonly terminatedAt?: number;
  readonly clientToken?: string;
  /** Base64, as it came. */
  readonly userData?: string;
  readonly profileArn?: string;
  readonly spot: boolean;
  readonly terminationProtected: boolean;
  readonly shutdownBehavior: 'stop' | 'terminate';
  readonly metadata: { readonly hopLimit: number; readonly tags: boolean };
  readonly blockDevices: readonly BlockDevice[];
  readonly tags: Tags;
}

/** The memory of one ClientToken, under `<zone or region it counts in>/<token>`: what was asked and what came of it. */
export interface Launch {
  /** Digest of every parameter of the request. */
  readonly fingerprint: string;
  readonly reservationId: string;
  readonly instanceIds: readonly string[];
  /** Milliseconds since the epoch; forgotten 24 h after the last instance ended. */
  readonly at: number;
}

export interface Attachment {
  readonly instanceId: string;
  readonly device: string;
  readonly at: number;
  readonly deleteOnTermination: boolean;
}

export interface Volume {
  readonly id: string;
  readonly sizeGiB: number;
  readonly type: string;
  readonly iops?: number;
  readonly throughput?: number;
  readonly zone: string;
  readonly snapshotId?: string;
  /** Root volumes live inside the machine: the runtime knows nothing of them. */
  readonly root: boolean;
  readonly state: 'creating' | 'available' | 'in-use' | 'error';
  readonly createTime: number;
  readonly attachment?: Attachment;
  readonly tags: Tags;
}

export interface Snapshot {
  readonly id: string;
  readonly volumeId: string;
  readonly sizeGiB: number;
  readonly description: string;
  readonly state: 'pending' | 'completed' | 'error';
  readonly startTime: number;
  readonly tags: Tags;
}

export interface SecurityRule {
  readonly protocol: 'tcp' | 'udp' | 'icmp' | '-1';
  /** Absent for all protocols. */
  readonly fromPort?: number;
  readonly toPort?: number;
  readonly source:
    | { readonly cidr: string; readonly description?: string }
    | { readonly groupId: string; readonly description?: string };
}

export interface SecurityGroup {
  readonly id: string;
  readonly name: string;
  readonly description: string;
  readonly vpcId: string;
  readonly ingress: readonly SecurityRule[];
  readonly egress: readonly SecurityRule[];
  readonly tags: Tags;
}

export interface KeyPair {
  readonly id: string;
  readonly name: string;
  readonly fingerprint: string;
  readonly publicKey: string;
  readonly type: 'rsa' | 'ed25519';
  readonly createTime: number;
  readonly tags: Tags;
}

export interface Address {
  readonly allocationId: string;
  readonly publicIp: string;
  readonly tags: Tags;
}

export interface Zone {
  /** `Z…` */
  readonly id: string;
  /** Lower case with the closing dot. */
  readonly name: string;
  readonly callerReference: string;
  readonly comment: string;
  /** Grows with each change batch; the SOA's serial in DNS answers. */
  readonly serial: number;
  /** By `name type`. */
  readonly records: Readonly<Record<string, RecordSet>>;
}

export interface RecordSet {
  /** Lower case with the closing dot. */
  readonly name: string;
  readonly type: string;
  readonly ttl: number;
  readonly values: readonly string[];
}

export interface DnsChange {
  readonly id: string;
  readonly zoneId: string;
  readonly submittedAt: number;
  /** When GetChange turns from PENDING to INSYNC; the name server starts to answer with it at the same time. */
  readonly inSyncAt: number;
  readonly comment: string;
}

/** A misbehavior that is switched on; see faults.ts for what each does. */
export type FaultRule =
  | { readonly kind: 'throttle'; readonly scale: number }
  | { readonly kind: 'no-capacity'; readonly type: string; readonly zone: string; readonly left: number }
  | { readonly kind: 'stale-reads'; readonly p50Ms: number; readonly p99Ms: number; readonly seed: number }
  | { readonly kind: 'zone-outage'; readonly zone: string }
  | { readonly kind: 'slow'; readonly action: string; readonly delayMs: number; readonly times?: number }
  | {
      readonly kind: 'refuse';
      readonly action: string;
      readonly code: string;
      readonly status: number;
      readonly times?: number;
    }
  | { readonly kind: 'drop-answer'; readonly action: string; readonly times?: number }
  | { readonly kind: 'fail-after-commit'; readonly action: string; readonly times?: number };

export type Fault = FaultRule & { readonly id: string };

/** A one-way cut between two addresses, see runtime.ts. */
export interface StoredCut {
  readonly from: string;
  readonly to: string;
}

/** Every table and the type of its records. */
export interface Tables {
  readonly instances: Instance;
  readonly launches: Launch;
  readonly volumes: Volume;
  readonly snapshots: Snapshot;
  readonly securityGroups: SecurityGroup;
  readonly keyPairs: KeyPair;
  readonly addresses: Address;
  readonly zones: Zone;
  readonly dnsChanges: DnsChange;
  readonly faults: Fault;
  readonly cuts: StoredCut;
  /** By `from>to`. */
  readonly impairments: Impairment;
  /** Last number given out, by what it counts. */
  readonly counters: number;
}
export type TableName = keyof Tables;

/** Fixed for the life of a lab: the part of an account that nobody creates through the API. */
export interface Region {
  readonly name: string;
  readonly accountId: string;
  readonly vpcId: string;
  readonly vpcCidr: string;
  readonly gateway: string;
  readonly nameServer: string;
  readonly subnets: readonly Subnet[];
  readonly images: readonly Image[];
}

export interface Subnet {
  readonly id: string;
  readonly zone: string;
  readonly cidr: string;
}

export interface Image {
  readonly id: string;
  readonly name: string;
  /** RFC 3339; the newest of a family wins. */
  readonly creationDate: string;
  readonly ownerId: string;
  readonly ownerAlias: string;
}
