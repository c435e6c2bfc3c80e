/** One command that reads all a pass needs from a host's files and HAProxy's master process. */
import {
  type FileFacts,
  parseFile,
  parseMaintenance,
  parseOldWorkers,
  parseStrangers,
  type Stranger,
} from './parse.ts';

export interface Look {
  readonly fileDigest: string;
  readonly file: FileFacts;
  /** What the file of flags says. */
  readonly maintenance: boolean;
  readonly isRunning: boolean;
  /** Pids of the workers that reloads left behind, and `show stat` of each. */
  readonly workers: readonly number[];
  readonly old: readonly string[];
  readonly strangers: readonly Stranger[];
}

/**
 * Arguments: configuration file, map of flags, master socket, and the unit whose ports nobody else should listen on
 * (empty = do not look). The kernel deals connections out to all who bind a port with SO_REUSEPORT, as every HAProxy
 * does, so a second one takes its share in silence. The file comes last: it may contain anything.
 */
export const lookScript = String.raw`config=$1 flags=$2 master=$3 unit=$4
ask() { printf '%s\n' "$1" | timeout 1 socat -t1 - "UNIX-CONNECT:$master" 2>/dev/null; }
workers=$(ask 'show proc')
printf '%s\n' "$workers"
pids=
case $workers in *'# old workers'*)
  pids=$(printf '%s\n' "$workers" | sed -n '/^# old workers/,/^# programs/s/^\([0-9][0-9]*\)[[:space:]].*/\1/p') ;;
esac
for pid in $pids; do
  echo '--- old'
  # A worker that is just ending may never answer; one that is gone has no sessions.
  for _ in 1 2 3; do
    ask "@!$pid show stat" && break
    kill -0 "$pid" 2>/dev/null || break
  done
done
echo '--- ports'
[ -z "$unit" ] || [ ! -e "$config" ] || ss -Hltnp 2>/dev/null | awk '
  NR == FNR { if ($1 == "bind") { sub(/.*:/, "", $2); ours[$2] = 1 } next }
  { sub(/.*:/, "", $4); if (!($4 in ours)) next
    while (match($0, /pid=[0-9]+/)) { print $4, substr($0, RSTART + 4, RLENGTH - 4); $0 = substr($0, RSTART + RLENGTH) " " } }
' "$config" - | sort -u | while read -r port pid; do
  of=$(sed -n 's|.*/||p' "/proc/$pid/cgroup" 2>/dev/null | tail -1)
  [ "$of" = "$unit.service" ] || [ ! -e "/proc/$pid" ] || echo "$port $pid $of $(cat "/proc/$pid/comm")"
done
echo '--- flags'
cat "$flags" 2>/dev/null
echo '--- file'
[ ! -e "$config" ] || { sha256sum < "$config"; cat "$config"; }`;

/** Parses what the command of this file printed; whatever is missing reads as absent. */
export function readLook(text: string): Look {
  const at = text.indexOf('--- file\n');
  const [answers = '', flags = ''] = text.slice(0, at).split('--- flags\n');
  const [processes = '', ports = ''] = answers.split('--- ports\n');
  const [proc = '', ...old] = processes.split('--- old\n');
  const content = text.slice(at + '--- file\n'.length);
  const end = content.indexOf('\n');
  return {
    fileDigest: content.slice(0, Math.max(end, 0)).replace(/ .*/, ''),
    file: parseFile(content.slice(end + 1)),
    maintenance: parseMaintenance(flags),
    // Without a master nothing answers on the admin socket either.
    isRunning: /^\d+\s+master\b/m.test(proc) && parseWorker(proc),
    workers: parseOldWorkers(proc),
    old,
    strangers: parseStrangers(ports),
  };
}

/** While a worker is being replaced or has died there is a master only. */
function parseWorker(proc: string): boolean {
  return /^\d+\s+worker\b/m.test(proc.split('# old workers')[0] ?? '');
}
