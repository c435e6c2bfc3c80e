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
  /** Of the root disk. */
  readonly rootSizeGiB: number;
  /** Data volumes to attach before the machine boots, e.g. `/dev/xvdf`. They exist already. */
  readonly volumes: readonly { readonly volumeId: string; readonly device: string }[];
}

/** How a stop waits for the operating system. */
export interface Patience {
  /** Milliseconds the init system has to shut down in good order before the power is cut; 0 cuts it at once. */
  readonly orderly: number;
  /** Ends the wait: somebody wants the power cut now. */
  readonly over?: AbortSignal;
}

/** Packets from `from` to `to` are lost in silence. Both are IPv4 addresses; one direction only, so a full cut is two. */
export interface Cut {
  readonly from: string;
  readonly to: string;
}

/** What the network does to packets from one address to another. */
export interface Impairment {
  /** IPv4 addresses; `*` is anybody, on one side only. A rule that names both goes before one that does not. */
  readonly from: string;
  readonly to: string;
  /** Milliseconds added to every packet. */
  readonly delayMs?: number;
  /** Up to so many milliseconds more, other ones for each packet; their order stays. */
  readonly jitterMs?: number;
  /** Percent of the packets that are lost, … */
  readonly loss?: number;
  /** … that arrive after some of those behind them, … */
  readonly reorder?: number;
  /** … that arrive twice. */
  readonly duplicate?: number;
  /** Packets above this rate wait, for a second at most, and are lost then. */
  readonly bitsPerSecond?: number;
}

/** One machine's part of the impaired network: what its own end of the cable does. */
export interface MachineLink {
  readonly instanceId: string;
  readonly privateIp: string;
  /** Rules for what it sends and what it gets; no rule, no detour. */
  readonly rules: readonly Impairment[];
}

/** `full`: not a byte can be added; `read-only`: the kernel gave the file system up after an error, until the next boot. */
export type DiskCondition = 'ok' | 'full' | 'read-only';

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

/**
 * Told when a machine ends from inside: `systemctl reboot` or `systemctl poweroff`; never for stops we asked for or chaos.
 * Its disk and its cable stay as they are.
 */
export type ExitListener = (instanceId: string, wish: 'reboot' | 'power-off') => void;

/**
 * Every method is idempotent and safe to repeat after a restart of the API process. A rejected promise is a failure of
 * the machine: its message is shown in the instance's state reason. Calls for one machine never overlap; calls for
 * different machines do, and the runtime may queue them.
 */
export interface MachineRuntime {
  /** Boots a new, stopped, crashed or powered-off machine; resolves when its init process runs. Keeps an existing disk. */
  start(spec: MachineSpec): Promise<void>;
  /** Ends it in good order, or by a power cut when its patience is over; the disk stays. */
  stop(instanceId: string, patience: Patience): Promise<void>;
  /** Restarts the operating system on the same disk: in good order, or hard when the patience is over. */
  reboot(spec: MachineSpec, patience: Patience): Promise<void>;
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

  /** Replaces the impairments of all machines; those that are not named have none. */
  setLinks(links: readonly MachineLink[]): Promise<void>;
  /** Does this to the root disk of a running machine. `ok` after `read-only` is what a boot does, not this. */
  setDisk(instanceId: string, condition: DiskCondition): Promise<void>;
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
