/** The on-host runner: a bash script that keeps jobs alive without us and finds them again. Installed on first use. */
import { createHash } from 'node:crypto';

/**
 * Verbs `start` (job as tar on stdin), `poll`, `log`, `cancel`, `forget` are called over SSH as root; `work` and
 * `script` by systemd. Exit 70 with a sentence on stderr is the host's fault. A job's durable part is its folder in
 * /var/lib; what may be secret lives on tmpfs and ends with the job. Starting is decided by the durable folder, so a
 * job never runs twice; a job without exit record whose unit is gone was interrupted.
 */
export const runner = String.raw`#!/bin/bash
# Ridgeline's job runner; installed and called by the controller.
verb=$1 id=$2
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
jobs=/var/lib/ridgeline/jobs volatile=/run/ridgeline
job=$jobs/$id now=$volatile/$id unit=ridgeline-job-$id.service
log_limit=67108864
umask 077

fail() { echo "$1" >&2; exit 70; }

# One verb at a time per job: poll must not look between a start's record and its unit.
lock() {
  mkdir -p "$volatile/locks" && chmod 711 "$volatile" && exec 9>"$volatile/locks/$id" || fail "cannot lock the job in $volatile"
  flock -w 30 9 || fail 'another call holds the job for 30 s'
}

start() {
  local incoming=$volatile/.incoming.$$
  trap 'rm -rf "$incoming"' EXIT
  rm -rf "$incoming"
  mkdir -p "$jobs" "$incoming/work/files" || fail "cannot make $jobs or $incoming"
  tar -xf - -C "$incoming" --no-same-owner || fail "cannot unpack the job into $volatile"
  [ -e "$incoming/complete" ] || fail 'the job arrived incomplete'
  lock
  [ -d "$job" ] && exit 0
  mkdir "$job" && date > "$job/accepted" && : > "$job/log" && sync "$job/accepted" "$job" "$jobs" ||
    { rm -rf "$job"; fail "cannot store the job in $jobs"; }
  rm -rf "$now"
  mv "$incoming" "$now" && chmod 711 "$now" &&
    systemd-run --quiet --collect --unit="$unit" --description="Ridgeline job $id" \
      -p KillMode=process -p TimeoutStopSec=20 -p OOMPolicy=continue \
      -p RuntimeMaxSec="$(( $(cat "$now/timeout") + 60 ))" \
      -p StandardInput=null -p StandardOutput=null -p StandardError=null \
      /bin/bash "$0" work "$id" 9>&- ||
    { rm -rf "$job" "$now"; fail 'systemd did not take the job'; }
}

# Prints the exit record; it is on tmpfs when the disk was full.
ended() { cat "$job/exit" 2>/dev/null || cat "$now/exit" 2>/dev/null; }

size() { cat "$job/log" "$now/note" 2>/dev/null | wc -c; }

poll() {
  local state
  lock
  [ -d "$job" ] || { echo unknown; exit; }
  state=$(ended) || {
    case $(systemctl show -p ActiveState --value "$unit") in
      active | activating | deactivating) state=running ;;
      # The record may have been written since.
      *) state=$(ended) || { bury; state=$(ended) || state=interrupted; } ;;
    esac
  }
  echo "$state $(size)"
}

# The runner was killed: its script must not go on beside the next attempt. Stopped too early to say so, it was canceled.
bury() {
  local group=/sys/fs/cgroup/system.slice/$unit
  [ ! -e "$group/cgroup.kill" ] || echo 1 > "$group/cgroup.kill"
  if [ -e "$now/canceled" ]; then record 143 0 1; else rm -rf "$now"; fi
}

# Writes the exit code and removes what may be secret. On a full disk the record stays on tmpfs.
record() {
  rm -rf "$now/work" "$now/environment"
  echo "exited $*" > "$now/.exit" && mv "$now/.exit" "$now/exit"
  cp "$now/exit" "$job/.exit" && sync "$job/.exit" "$job/log" && mv "$job/.exit" "$job/exit" && sync "$job" || return
  [ -e "$now/note" ] || rm -rf "$now"
}

log() { cat "$job/log" "$now/note" 2>/dev/null | tail -c "+$(( $1 + 1 ))" | head -c "$2"; }

cancel() {
  lock
  [ -d "$now" ] && [ ! -e "$now/exit" ] || exit 0
  touch "$now/canceled" || fail "cannot write in $now"
  systemctl stop --no-block "$unit"
}

forget() {
  lock
  systemctl stop "$unit" 2>/dev/null
  rm -rf "$job" "$now" "$volatile/locks/$id"
}

# Every process of the job but the runner's own; none when this is not the job's own control group.
others() {
  local pid group=$(sed -n 's/^0:://p' /proc/self/cgroup)
  case $group in */"$unit") ;; *) return ;; esac
  while read -r pid; do
    case " $$ $writer " in *" $pid "*) ;; *) echo "$pid" ;; esac
  done < "/sys/fs/cgroup$group/cgroup.procs"
}

# The script's session first, so that a host without control groups stops at least that.
signal_others() {
  local pid
  for pid in "-$child" $(others); do kill -s "$1" -- "$pid" 2>/dev/null; done
}

stop_others() {
  local tenths
  signal_others TERM
  for (( tenths = 0; tenths < 100; tenths++ )); do
    kill -0 "$child" 2>/dev/null || break
    sleep 0.1
  done
  signal_others KILL
  wait "$child"
}

work() {
  local child watchdog writer ended code timed_out=0 canceled=0
  [ -d "$job" ] || exit 0
  trap : TERM
  exec 3> >(exec perl -e "$writer_program" "$job/log" "$now/note" "$log_limit")
  writer=$!
  setsid /bin/bash "$0" script "$id" < /dev/null >&3 2>&1 3>&- & child=$!
  sleep "$(cat "$now/timeout")" 3>&- & watchdog=$!
  exec 3>&-
  wait -n -p ended "$child" "$watchdog"
  code=$?
  if [ "$ended" = "$child" ]; then
    kill "$watchdog" 2>/dev/null
  else
    stop_others
    code=143
    if [ "$ended" = "$watchdog" ]; then timed_out=1
    elif [ -e "$now/canceled" ]; then canceled=1
    # The host goes down, or somebody stopped the unit: how the script would have ended is unknown.
    else rm -rf "$now"; exit 0
    fi
  fi
  finish
}

finish() {
  local tenths
  # Background processes may hold the log open for good; two seconds are enough for what is in the pipe.
  for (( tenths = 0; tenths < 20; tenths++ )); do
    kill -0 "$writer" 2>/dev/null || break
    sleep 0.1
  done
  # Success without its log would be a lie.
  [ -e "$now/note" ] && [ "$code" = 0 ] && code=74
  record "$code" "$timed_out" "$canceled"
}

# Reads stdin, writes each line with its time, up to the limit; says in the note when the disk is full.
writer_program='
use strict; use POSIX qw(strftime);
$SIG{TERM} = "IGNORE";
my ($path, $note, $limit) = @ARGV;
my $log;
open($log, ">>", $path) or undef $log;
my ($size, $ended, $rest) = (0, 0, "");
sub stamped { strftime("%Y-%m-%dT%H:%M:%SZ ", gmtime) . shift() . "\n" }
sub put {
  return if $ended;
  my $line = stamped(shift);
  if ($size + length $line > $limit) {
    $line = stamped("ridgeline: the log ends here, it reached its limit of $limit bytes");
    $ended = 1;
  }
  my $written = $log ? syswrite($log, $line) : undef;
  $size += length $line;
  return if defined $written && $written == length $line;
  my $why = $! || "No space left on device";
  $ended = 1;
  open(my $out, ">", $note) or return;
  syswrite($out, ($written ? "\n" : "") . stamped("ridgeline: the log is incomplete: $why"));
}
while (sysread(STDIN, my $chunk, 65536)) {
  my @lines = split(/\n/, $rest . $chunk, -1);
  $rest = pop @lines;
  put($_) for @lines;
  if (length $rest > 65536) { put($rest); $rest = ""; }
}
put($rest) if length $rest;
'

install_packages() {
  local name
  set --
  while read -r name; do
    dpkg -s "$name" 2>/dev/null | grep -q '^Status: .* installed$' || set -- "$@" "$name"
  done < "$now/packages"
  [ $# -gt 0 ] || return 0
  echo "ridgeline: installing $*"
  export DEBIAN_FRONTEND=noninteractive
  set -- apt-get -o DPkg::Lock::Timeout=300 -q -y --no-install-recommends install -- "$@"
  "$@" || { apt-get -o DPkg::Lock::Timeout=300 -q update && "$@"; }
}

# Becomes the script: output is the log, the environment comes from a file that is gone before the script starts.
script() {
  local user uid gid home login
  install_packages || exit
  user=$(cat "$now/run-as")
  IFS=: read -r _ _ uid gid _ home login < <(getent passwd "$user") ||
    { echo "ridgeline: there is no user '$user' on this host"; exit 67; }
  chown -R "$uid:$gid" "$now/work" && cd "$now/work" || exit 70
  export HOME=$home USER=$user LOGNAME=$user SHELL=$login LANG=C.UTF-8
  set -- /usr/bin/setpriv --reuid "$uid" --regid "$gid" --init-groups -- "$(cat "$now/interpreter")" "$now/work/script"
  exec 8< "$now/environment" && rm "$now/environment" || exit 70
  umask 022
  while IFS= read -r -d '' -u 8 ridgeline_pair; do export "$ridgeline_pair" || exit 78; done
  exec 8<&-
  exec "$@"
}

case $verb in
  start | poll | log | cancel | forget | work | script) shift 2; "$verb" "$@" ;;
  *) fail "unknown verb '$verb'" ;;
esac
`;

/** SHA-256 of the runner, hexadecimal; part of its file name, so that versions never mix. */
export const runnerDigest = createHash('sha256').update(runner).digest('hex');
/** Where it is installed. */
export const runnerPath = `/var/lib/ridgeline/bin/runner-${runnerDigest.slice(0, 12)}`;
