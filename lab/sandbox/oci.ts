/** The OCI configuration crun boots a machine from: systemd as pid 1 on an overlay, as much of a host as a container can be. Pure, but for `readMachineLimits`. */
import { readFileSync } from 'node:fs';

/** What this kernel lets the lab hand on; asking crun for more than that makes it fail. */
export interface Limits {
  /** Without the prefix `CAP_`; the bounding set of this process. */
  readonly capabilities: readonly string[];
  /** Hard limit of open files. */
  readonly openFiles: number;
}

/** A block device made in the machine's /dev. */
export interface Device {
  readonly path: string;
  readonly major: number;
  readonly minor: number;
}

/** Everything that differs from one machine to the next. */
export interface OciInput {
  readonly hostname: string;
  /** Mounted root file system. */
  readonly root: string;
  readonly networkNamespace: string;
  readonly cgroup: string;
  readonly devices: readonly Device[];
  /** Files of the lab over paths of the machine, e.g. its own load average. */
  readonly binds: readonly {
    readonly source: string;
    readonly destination: string;
    readonly writable: boolean;
  }[];
}

/** Names by bit number, as in linux/capability.h. */
const capabilityNames = [
  'CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE NET_BIND_SERVICE',
  'NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO SYS_CHROOT SYS_PTRACE SYS_PACCT SYS_ADMIN',
  'SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD LEASE AUDIT_WRITE AUDIT_CONTROL SETFCAP',
].flatMap((line) => line.split(' '));

/** These reach the whole computer (its clock, its modules, its audit log), so no machine gets them. */
const withheld = new Set([
  'LINUX_IMMUTABLE',
  'SYS_MODULE',
  'SYS_RAWIO',
  'SYS_PACCT',
  'SYS_TIME',
  'AUDIT_CONTROL',
]);

/** Reads the limits out of /proc/self/status and /proc/self/limits as given. Throws on text that is neither. */
export function parseLimits(status: string, limits: string): Limits {
  const bounding = /^CapBnd:\s*([0-9a-f]+)$/m.exec(status)?.[1];
  const files = /^Max open files\s+\S+\s+(\S+)/m.exec(limits)?.[1];
  if (bounding === undefined || files === undefined)
    throw new Error('cannot read the limits of this process in /proc/self');
  const bits = BigInt(`0x${bounding}`);
  return {
    capabilities: capabilityNames.filter(
      (name, bit) => ((bits >> BigInt(bit)) & 1n) === 1n && !withheld.has(name),
    ),
    openFiles: files === 'unlimited' ? 1_048_576 : Number(files),
  };
}

/** The limits of this process. */
export function readLimits(): Limits {
  return parseLimits(readFileSync('/proc/self/status', 'utf8'), readFileSync('/proc/self/limits', 'utf8'));
}

const fileSystems = [
  { destination: '/proc', type: 'proc', source: 'proc' },
  { destination: '/dev', type: 'tmpfs', source: 'tmpfs', options: ['nosuid', 'mode=755', 'size=1m'] },
  {
    destination: '/dev/pts',
    type: 'devpts',
    source: 'devpts',
    options: ['nosuid', 'noexec', 'newinstance', 'ptmxmode=0666', 'mode=0620', 'gid=5'],
  },
  { destination: '/dev/shm', type: 'tmpfs', source: 'shm', options: ['nosuid', 'nodev', 'mode=1777'] },
  { destination: '/dev/mqueue', type: 'mqueue', source: 'mqueue' },
  { destination: '/sys', type: 'sysfs', source: 'sysfs', options: ['nosuid', 'noexec', 'nodev', 'ro'] },
  { destination: '/run', type: 'tmpfs', source: 'tmpfs', options: ['nosuid', 'nodev', 'mode=755'] },
  {
    destination: '/sys/fs/cgroup',
    type: 'cgroup',
    source: 'cgroup',
    options: ['nosuid', 'noexec', 'nodev', 'rw'],
  },
];

/** The contents of `config.json`. */
export function ociConfig(input: OciInput, limits: Limits): object {
  const capabilities = limits.capabilities.map((name) => `CAP_${name}`);
  return {
    ociVersion: '1.0.0',
    hostname: input.hostname,
    root: { path: input.root },
    process: {
      terminal: false,
      user: { uid: 0, gid: 0 },
      args: ['/sbin/init', 'systemd.log_target=journal'],
      cwd: '/',
      env: [
        'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
        'container=oci',
        'LANG=C.UTF-8',
      ],
      capabilities: { bounding: capabilities, effective: capabilities, permitted: capabilities },
      rlimits: [{ type: 'RLIMIT_NOFILE', hard: limits.openFiles, soft: Math.min(limits.openFiles, 1024) }],
    },
    mounts: [
      ...fileSystems,
      ...input.binds.map(({ source, destination, writable }) => ({
        destination,
        type: 'bind',
        source,
        options: ['bind', writable ? 'rw' : 'ro'],
      })),
    ],
    linux: {
      namespaces: [
        ...['pid', 'ipc', 'uts', 'mount', 'cgroup'].map((type) => ({ type })),
        { type: 'network', path: input.networkNamespace },
      ],
      cgroupsPath: input.cgroup,
      // What Debian's kernel package sets: anybody may ping.
      sysctl: { 'net.ipv4.ping_group_range': '0 2147483647' },
      devices: input.devices.map((device) => ({ ...device, type: 'b', fileMode: 0o660, uid: 0, gid: 0 })),
      resources: { devices: [{ allow: true, access: 'rwm' }] },
      maskedPaths: ['/proc/kcore', '/proc/keys', '/proc/timer_list'],
      readonlyPaths: ['/proc/sys/kernel', '/proc/sys/vm', '/proc/sys/fs', '/proc/sysrq-trigger'],
    },
  };
}
