/** One command that reads all a pass needs from a host's files and HAProxy's master process. */
import { parseFile, parseMaintenance, parseOldWorkers, type FileFacts } from './parse.ts';

export interface Look {
  readonly fileDigest: string;
  readonly file: FileFacts;
  /** What the file of flags says. */
  readonly maintenance: boolean;
  readonly isRunning: boolean;
  /** Pids of the workers that reloads left behind, and `show stat` of each. */
  readonly workers: readonly number[];
  readonly old: readonly string[];
}

/** Arguments: configuration file, map of flags, master socket. The file comes last: it may contain anything. */
export const lookScript = String.raw`config=$1 flags=$2 master=$3
ask() { printf '%s\n' "$1" | timeout 1 socat -t1 - "UNIX-CONNECT:$master" 2>/dev/null; }
workers=$(ask 'show proc')
printf '%s\n' "$workers"
for pid in $(printf '%s\n' "$workers" | sed -n '/^# old workers/,/^# programs/s/^\([0-9][0-9]*\)[[:space:]].*/\1/p'); do
  echo '--- old'
  # A worker that is just ending may never answer; one that is gone has no sessions.
  for _ in 1 2 3; do
    ask "@!$pid show stat" && break
    kill -0 "$pid" 2>/dev/null || break
  done
done
echo '--- flags'
cat "$flags" 2>/dev/null
echo '--- file'
[ ! -e "$config" ] || { sha256sum < "$config" | cut -d' ' -f1; cat "$config"; }`;

export function readLook(text: string): Look {
  const at = text.indexOf('--- file\n');
  const [processes = '', flags = ''] = text.slice(0, at).split('--- flags\n');
  const [proc = '', ...old] = processes.split('--- old\n');
  const content = text.slice(at + '--- file\n'.length);
  const end = content.indexOf('\n');
  return {
    fileDigest: content.slice(0, Math.max(end, 0)),
    file: parseFile(content.slice(end + 1)),
    maintenance: parseMaintenance(flags),
    // Without a master nothing answers on the admin socket either.
    isRunning: /^\d+\s+master\b/m.test(proc) && parseWorker(proc),
    workers: parseOldWorkers(proc),
    old,
  };
}

/** While a worker is being replaced or has died there is a master only. */
function parseWorker(proc: string): boolean {
  return /^\d+\s+worker\b/m.test(proc.split('# old workers')[0] ?? '');
}
