/** The machine runtime: what the cloud asks of whatever really runs its instances. Types only. */

/** Everything a machine needs to boot; the rest (user data, keys, tags) it reads from the metadata service. */
export interface MachineSpec {
  /** `i-…`; unique for ever, also the machine's directory name. */
  readonly instanceId: string;
  readonly imageId: string;
  readonly instanceType: string;
  /** Address on the lab's network; fixed for the machine's life. */
  readonly privateIp: string;
  /** Length of the network's prefix, e.g. 16. */
  readonly prefixLength: number;
  /** Default route. */
  readonly gateway: string;
  /** Name server and the search domain. */
  readonly nameServer: string;
  readonly searchDomain: string;
  /** Fully qualified private name, e.g. `ip-10-77-64-10.ec2.internal`. */
  readonly hostname: string;
  /** Data volumes to attach before the machine boots, e.g. `/dev/xvdf`. They exist already. */
  readonly volumes: readonly { readonly volumeId: string; readonly device: string }[];
}

/** `graceful` lets the init system shut down (bounded), `force` is a power cut of the machine; both keep the disk. */
export type StopMode = 'graceful' | 'force';

/** Packets from `from` to `to` are lost in silence. Both are IPv4 addresses; one direction only, so a full cut is two. */
export interface Cut {
  readonly from: string;
  readonly to: string;
}

/** A port range open to some sources; `protocol` `-1` means every protocol (ports are then 0 to 65535). */
export interface FirewallRule {
  readonly protocol: 'tcp' | 'udp' | 'icmp' | '-1';
  readonly fromPort: number;
  readonly toPort: number;
  /** IPv4 CIDR blocks; members of a source group are listed as /32. */
  readonly sources: readonly string[];
}

/** Inbound rules of one machine, all its groups merged; what no rule allows is dropped (answers to its own traffic pass). */
export interface MachineFirewall {
  readonly instanceId: string;
  readonly privateIp: string;
  readonly ingress: readonly FirewallRule[];
}

/** Told when a machine powers itself off from inside (`systemctl poweroff`); never for stops we asked for or chaos. */
export type ExitListener = (instanceId: string) => void;

/**
 * Every method is idempotent and safe to repeat after a restart of the API process. A rejected promise is a failure of
 * the machine: its message is shown in the instance's state reason. Calls for one machine never overlap; calls for
 * different machines do, and the runtime may queue them.
 */
export interface MachineRuntime {
  /** Boots a new, stopped, crashed or powered-off machine; resolves when its init process runs. Keeps an existing disk. */
  start(spec: MachineSpec): Promise<void>;
  stop(instanceId: string, mode: StopMode): Promise<void>;
  /** Restarts the operating system on the same disk. */
  reboot(spec: MachineSpec): Promise<void>;
  /** Stops the machine and deletes its root disk and addresses. Unknown ids are fine. */
  destroy(instanceId: string): Promise<void>;

  /** All processes die at once; peers see their connections closed. The disk stays; `start` or `reboot` revives it. */
  crash(instanceId: string): Promise<void>;
  /** The network goes silent first, then all processes die: peers see nothing. */
  powerOff(instanceId: string): Promise<void>;
  /** A hang: the kernel still accepts TCP, no process answers. */
  freeze(instanceId: string): Promise<void>;
  thaw(instanceId: string): Promise<void>;
  /** Sets the load averages the machine sees, e.g. 3.5. */
  setLoad(instanceId: string, load: number): Promise<void>;

  /** Replaces the whole set of cuts; an empty list heals everything. */
  setCuts(cuts: readonly Cut[]): Promise<void>;
  /** Replaces the inbound rules of all machines. Called before a machine starts and whenever rules or members change. */
  applySecurityGroups(machines: readonly MachineFirewall[]): Promise<void>;

  /** Creates an empty volume, or a copy of a snapshot. */
  createVolume(volume: {
    readonly volumeId: string;
    readonly sizeGiB: number;
    readonly snapshotId?: string;
  }): Promise<void>;
  /** Makes the volume appear as `device` in a running machine. */
  attachVolume(volumeId: string, instanceId: string, device: string): Promise<void>;
  detachVolume(volumeId: string, instanceId: string): Promise<void>;
  deleteVolume(volumeId: string): Promise<void>;
  /** A crash-consistent copy at this moment. Only data volumes: root disks cannot be copied. */
  createSnapshot(snapshotId: string, volumeId: string): Promise<void>;
  deleteSnapshot(snapshotId: string): Promise<void>;

  /** The machine's console text, newest 64 KiB; empty when there is none. */
  consoleOutput(instanceId: string): Promise<string>;
  /** Ids of the machines whose init process runs now (frozen ones included). Asked once, when the API starts. */
  running(): Promise<ReadonlySet<string>>;
  onExit(listener: ExitListener): void;
}
