/** The script through which a database host is changed: it knows the latest stamp and refuses whoever has an earlier one. */
import { certificateVerbs, sourceCertificate } from './host-certificates.ts';
import type { Stamp } from './port.ts';
import { databasePort } from './tcp-port.ts';

/** Where preparation installs `nodeScript`, owned by root, mode 755. */
export const nodeScriptPath = '/usr/local/sbin/ridgeline-node';
/** root's account at the port for administrators (MySQL); whoever can read the server's own key is let in. */
export const adminRoot = 'ridgeline_root';

/** Exit codes that are the script's own; others are those of the database's client. */
export const nodeExit = {
  hostFailed: 70,
  lockBusy: 75,
  staleEpoch: 77,
  timedOut: 124,
} as const;

/** A stamp as the script compares it. */
export function stampWord({ epoch, serial }: Stamp): string {
  return `${epoch}.${serial}`;
}

/**
 * `ridgeline-node <epoch>.<serial> <verb>`; this stamp is remembered before anything is done, `-` stands for whatever it
 * is. A call holds the lock until it ends, so a late call of an old controller is over before a later stamp is admitted.
 * `sql <seconds>` runs stdin as root and ends at the first error, `try <seconds>` goes on; both print rows without
 * column names. `hush <seconds> <address>` runs SQL that stops to listen to the database there: connections to it that are
 * still there after 50 ms are cut, because a silent host keeps the server waiting for seconds. `trust` stores the certificates on
 * stdin, `trust-also` besides those that are there. `certify <mark> <address>` makes a pair for TLS beside the one in use,
 * `present <fingerprint>` changes to it, `discard <fingerprint>` removes the one beside that; `certificates` prints what there is. `kill` ends the server for good. `set-aside <basename> <folder>` copies the files of that name; a folder that exists is
 * complete. `inspect` prints whether a process runs (0/1), the data disk's use in percent, and whether it is read-only (0/1).
 * `read <seconds>` asks as root what may take long, without the lock: no change of the server waits for it.
 */
export const nodeScript = String.raw`#!/bin/bash
# Ridgeline's hand on a database server; installed and called by the controller.
stamp=$1 verb=$2
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
state=/var/lib/ridgeline data=/var/lib/mysql trusted=${sourceCertificate}
if [ -x /usr/sbin/mariadbd ]; then client=mariadb unit=mariadb.service; else client=mysql unit=mysql.service; fi
umask 077

fail() { echo "$1" >&2; exit 70; }

lock() {
  mkdir -p "$state" && exec 9> "$state/node.lock" || fail "cannot lock $state"
  flock -w 2 9 || { echo 'another call holds the lock for 2 s' >&2; exit 75; }
}

# Refuses an earlier stamp than was ever seen here, and remembers a later one for good.
admit() {
  local epoch serial seen=0 last=0
  IFS=. read -r epoch serial <<< "$stamp"
  [ ! -e "$state/stamp" ] || IFS=. read -r seen last < "$state/stamp" || fail "cannot read $state/stamp"
  (( epoch > seen || (epoch == seen && serial >= last) )) ||
    { echo "this host has seen orders of epoch $seen, serial $last, not $stamp" >&2; exit 77; }
  (( epoch > seen || serial > last )) || return 0
  echo "$stamp" > "$state/.stamp" && sync "$state/.stamp" &&
    mv "$state/.stamp" "$state/stamp" && sync "$state" || fail "cannot store the stamp in $state"
}

# The time limit is for the client: a session that waits for replicas must not hold the lock.
ask() {
  local seconds=$1
  shift
  printf '%s\n' "$statements" | timeout --signal=KILL "$seconds" "$client" --no-defaults --batch --raw \
    --skip-column-names --binary-mode "$@" 9>&-
}

# Whoever looks through MySQL's admin port takes root's spare session from a full server; then root comes that way, too.
sql() {
  local seconds=$1 statements said code
  shift
  statements=$(cat)
  exec 3>&1
  said=$(ask "$seconds" --protocol=socket --socket=/run/mysqld/mysqld.sock --user=root "$@" 2>&1 >&3)
  code=$?
  if [ "$client" = mysql ] && [[ $said == *'ERROR 1040 '* ]]; then
    said=$(ask "$seconds" --protocol=tcp --host=127.0.0.1 --port=33062 --user=${adminRoot} --ssl-mode=REQUIRED \
      --ssl-cert="$own_certificate" --ssl-key="$own_key" "$@" 2>&1 >&3)
    code=$?
  fi
  [ -z "$said" ] || printf '%s\n' "$said" >&2
  [ "$code" = 137 ] && exit 124
  exit "$code"
}

# Where the kernel cannot cut connections it only takes longer.
hush() {
  local cutter
  { sleep 0.05; while :; do ss --kill "dst = $2 and dport = ${databasePort}"; sleep 0.1; done; } > /dev/null 2>&1 9>&- & cutter=$!
  trap 'kill "$cutter"' EXIT
  sql "$1"
}

# Prints "new" when it was something else before. Whoever is connected stays; the next connection reads it anew.
trust() {
  umask 022
  mkdir -p "$(dirname "$trusted")" && cat "$@" > "$trusted.new" && sync "$trusted.new" || fail "cannot store $trusted"
  cmp -s "$trusted.new" "$trusted" || echo new
  mv "$trusted.new" "$trusted" || fail "cannot store $trusted"
}

${certificateVerbs}
processes() { pidof mariadbd mysqld; }

answers() { (exec 3<> "/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

kill_server() {
  local tenths
  systemctl mask --runtime --quiet "$unit" || fail "cannot mask $unit"
  for (( tenths = 0; tenths < 20; tenths++ )); do
    # shellcheck disable=SC2046 # one word for each process
    kill -s KILL $(processes) 2>/dev/null
    [ -n "$(processes)" ] || answers ${databasePort} || return 0
    sleep 0.1
  done
  fail "$unit survived SIGKILL for 2 s"
}

# As they are on disk; the receiver stands still.
set_aside() {
  [ ! -d "$2" ] || return 0
  rm -rf "$2.new" && mkdir -p "$2.new" || fail "cannot make $2.new"
  cp --preserve --reflink=auto -- "$1".* "$2.new/" || fail "cannot copy $1.* to $2"
  sync "$2.new"/* && mv "$2.new" "$2" && sync "$(dirname "$2")" || fail "cannot store $2"
}

inspect() {
  local running=0 used read_only=0
  [ -z "$(processes)" ] || running=1
  used=$(df --output=pcent "$data" | tr -dc 0-9) || fail "cannot tell how full $data is"
  findmnt --noheadings --output VFS-OPTIONS,FS-OPTIONS --target "$data" | grep -qE '(^|[ ,])ro(,| |$)' && read_only=1
  echo "$running $used $read_only"
}

[ "$verb" != inspect ] || { inspect; exit; }
[ "$verb" != read ] || sql "$3"
[ "$verb" != certificates ] || { certificates; exit 0; }
lock
[ "$stamp" = - ] || admit
case $verb in
  sql) sql "$3" ;;
  try) sql "$3" --force ;;
  hush) hush "$3" "$4" ;;
  trust) trust - ;;
  # Somebody may have deleted or spoiled it.
  trust-also) trust <(cat "$trusted" 2> /dev/null; echo) - ;;
  certify) certify "$3" "$4" ;;
  present) present "$3" ;;
  discard) discard "$3" ;;
  set-aside) set_aside "$3" "$4" ;;
  kill) kill_server ;;
  *) fail "unknown verb '$verb'" ;;
esac
`;
