/** Load, memory and CPU of a host in one cheap command, and what its answer means. Pure. */
import type { Millis } from '../../base/clock.ts';

/** Counters and figures of one moment; what a host does not offer is absent. */
export interface Sample {
  readonly load?: number;
  /** Percent in use. */
  readonly memory?: number;
  /** CPU time used since boot, over all CPUs. */
  readonly cpuTime?: Millis;
  readonly cpus?: number;
  readonly uptime?: Millis;
}

/** The cgroup's own figures come last and win: in a container /proc shows the whole machine. */
export const sampleCommand = [
  'echo load $(cat /proc/loadavg)',
  'echo cpus $(nproc)',
  'echo uptime $(cat /proc/uptime)',
  'echo proc $(head -n 1 /proc/stat)',
  "echo meminfo $(awk '/^MemTotal:/{t=$2} /^MemAvailable:/{a=$2} END{print t, a}' /proc/meminfo)",
  "echo usage $(awk '/^usage_usec/{print $2}' /sys/fs/cgroup/cpu.stat 2>/dev/null)",
  'echo cgroup $(cat /sys/fs/cgroup/memory.current /sys/fs/cgroup/memory.max 2>/dev/null)',
].join('; ');

/** Linux counts CPU time in hundredths of a second. */
const tick: Millis = 10;

/** What the command printed; figures that are missing or no numbers are absent. */
export function parseSample(text: string): Sample {
  const lines = new Map(
    text.split('\n').map((line) => {
      const [name = '', ...words] = line.trim().split(/\s+/);
      return [name, words] as const;
    }),
  );
  const number = (name: string, index = 0) => numberOf(lines.get(name)?.[index]);
  const uptime = number('uptime');
  return definedOnly({
    load: number('load'),
    cpus: number('cpus'),
    uptime: uptime === undefined ? undefined : uptime * 1_000,
    cpuTime: cpuTimeOf(number('usage'), lines.get('proc')),
    memory: memoryOf(lines),
  });
}

/** Percent of all CPUs used between two samples; undefined when they cannot be compared. */
export function cpuBetween(before: Sample, after: Sample): number | undefined {
  const { cpuTime, cpus, uptime } = after;
  if (cpuTime === undefined || cpus === undefined || uptime === undefined) return undefined;
  if (before.cpuTime === undefined || before.uptime === undefined) return undefined;
  const span = uptime - before.uptime;
  const used = cpuTime - before.cpuTime;
  // Counters start over when a host restarts.
  return span <= 0 || used < 0 ? undefined : (used / (span * cpus)) * 100;
}

function cpuTimeOf(usage: number | undefined, stat: readonly string[] | undefined): Millis | undefined {
  if (usage !== undefined) return usage / 1_000;
  const [user, nice, system, , , irq, softirq] = (stat ?? []).slice(1).map(numberOf);
  const parts = [user, nice, system, irq, softirq];
  return parts.some((part) => part === undefined)
    ? undefined
    : parts.reduce<number>((sum, part) => sum + (part ?? 0), 0) * tick;
}

function memoryOf(lines: ReadonlyMap<string, readonly string[]>): number | undefined {
  const [current, max] = (lines.get('cgroup') ?? []).map(numberOf);
  if (current !== undefined && max !== undefined && max > 0) return (current / max) * 100;
  const [total, free] = (lines.get('meminfo') ?? []).map(numberOf);
  return total === undefined || free === undefined || total === 0
    ? undefined
    : ((total - free) / total) * 100;
}

function numberOf(word: string | undefined): number | undefined {
  const value = word === undefined || word === '' ? Number.NaN : Number(word);
  return Number.isFinite(value) ? value : undefined;
}

function definedOnly(sample: { readonly [Key in keyof Sample]: Sample[Key] | undefined }): Sample {
  return Object.fromEntries(Object.entries(sample).filter(([, value]) => value !== undefined));
}
