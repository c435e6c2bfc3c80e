/** Two jobs that copy a running server to another host, physically and through verified TLS: the donor's and the joiner's. */
import type { Job } from '../shell/port.ts';
import { applierHold } from './applier-hold.ts';
import { databaseJob, type Owner, textFile } from './job-script.ts';
import { firstStatements } from './preparation-accounts.ts';
import { databasePort } from './tcp-port.ts';

/** Members of a cluster must reach each other at this port while one is copied. */
const copyPort = 4444;

/** A large database over a slow disk; what hangs ends much sooner. */
const timeoutSeconds = 24 * 3_600;

/** The job of the donor: it serves one copy to one joiner. */
export interface Donation extends Owner {
  /** Of the donor itself. */
  readonly privateAddress: string;
  /** PEM; the only one that may fetch the copy. */
  readonly joinerCertificate: string;
}

/** The job of the joiner: it fetches the copy from its donor. */
export interface Copy extends Owner {
  readonly series: string;
  readonly donorAddress: string;
  /** PEM; the only one that is believed to be the donor. */
  readonly donorCertificate: string;
  /** Of the account `ridgeline`; MySQL's servers copy with it. */
  readonly adminPassword: string;
  /** The cluster's. A host that has seen a higher one does not let its data go. */
  readonly epoch: number;
}

/**
 * Hands the server's data to one joiner while it goes on serving; ends when that is done, or within a minute after the
 * joiner is gone. Starts first, but the order does not matter.
 */
export function donorJob(id: string, donation: Donation): Job {
  const { flavor, privateAddress, joinerCertificate } = donation;
  return databaseJob(
    {
      id,
      script: shared + (flavor === 'MariaDB' ? mariaDBDonor : mySQLDonor),
      environment: {},
      attachments: [textFile('peer.pem', joinerCertificate)],
      timeoutSeconds,
    },
    donation,
    { address: privateAddress },
  );
}

/**
 * Replaces whatever the server holds by a copy and starts it: read-only, following nobody, at the donor's GTIDs. Never
 * touches a server that takes writes, nor one that has seen a higher epoch. When it fails the data is marked unfinished.
 */
export function joinerJob(id: string, copy: Copy): Job {
  const { flavor, donorAddress, donorCertificate, adminPassword, epoch } = copy;
  const { unlock, lock } = firstStatements(flavor);
  return databaseJob(
    {
      id,
      script: shared + joiner + (flavor === 'MariaDB' ? mariaDBJoiner : mySQLJoiner),
      environment: { RL_ADMIN_PASSWORD: adminPassword },
      attachments: [textFile('peer.pem', donorCertificate)],
      timeoutSeconds,
    },
    copy,
    { donor: donorAddress, epoch: String(epoch), unlock, lock },
  );
}

/** A peer that vanished is noticed within 45 s: by keepalive in silence, by TCP_USER_TIMEOUT while data is under way. */
const shared = String.raw`
tls="cert=$certificate,key=$key,cafile=$ATTACH_DIR/peer.pem,verify=1"
lively=keepalive,keepidle=15,keepintvl=5,keepcnt=6,setsockopt=6:18:45000

# Ends the job with what a log says of the failure, or else with the exit code.
blame() {
  local words
  words=$({ grep -iE ' E |error|fail|unexpected' "$3" || true; } | last_words 1 | sed 's/^.* socat\[[0-9]*\] E //')
  [ -n "$words" ] || words="exit code $2"
  fail 1 "$1: $words"
}

# zstd says so when what it writes to has gone.
is_broken_pipe() { [ "$1" = 70 ] || [ "$1" = 141 ]; }
`;

const mariaDBDonor = String.raw`${applierHold}
look_at_data
[ "$holding" = whole ] || fail 1 'this server has no whole data to copy'
is_running || fail 1 "$unit does not run and cannot be copied"
set -- 0 0 0
rm -f stages
mkfifo stages
: > backup.log
watch_stages < stages & watcher=$!
{ echo "$BASHPID" > backup.pid; exec nice -n 10 mariadb-backup --backup --stream=mbstream --user=root --socket=/run/mysqld/mysqld.sock --target-dir="$PWD/backup" 2> stages; } |
  zstd -q -1 -c 2> zstd.log |
  socat -u STDIN "OPENSSL-LISTEN:${copyPort},bind=$address,reuseaddr,accept-timeout=50,$tls,$lively" 2> socat.log ||
  set -- ${'"${PIPESTATUS[@]}"'}
wait "$watcher" || true
[ "$3" = 0 ] || blame 'the copy did not get through to the joiner' "$3" socat.log
! is_broken_pipe "$2" || fail 1 'no joiner came within 50 s'
[ "$1" = 0 ] || blame 'mariadb-backup failed' "$1" backup.log
[ "$2" = 0 ] || blame 'zstd failed' "$2" zstd.log
echo 'the copy is handed over'
`;

/** Ends when there were connections and are none. Whether the copy is good is for the joiner to say. */
const mySQLDonor = String.raw`
look_at_data
[ "$holding" = whole ] || fail 1 'this server has no whole data to copy'
is_running || fail 1 "$unit does not run and cannot be copied"
socat "OPENSSL-LISTEN:${copyPort},bind=$address,reuseaddr,fork,$tls,$lively" "TCP:127.0.0.1:${databasePort},$lively" 2> socat.log & listener=$!
trap 'kill $listener' EXIT
connections() { ss -Htn state established "sport = :${copyPort}" | wc -l; }
came=no
# A small copy is over within a second.
for (( tenths = 0; tenths < 600; tenths++ )); do
  sleep 0.1
  kill -0 "$listener" 2> /dev/null || fail 1 "cannot listen for the joiner: $(last_words 1 < socat.log)"
  # Ten quiet seconds after the last connection; a copy opens and closes several.
  if [ "$(connections)" -gt 0 ]; then came=yes tenths=500; fi
done
[ "$came" = yes ] || fail 1 'no joiner came within 60 s'
echo 'the joiner is gone'
`;

/** The lock and the epoch are those of \`ridgeline-node\`: nothing can promote this server while it is emptied. */
const joiner = String.raw`
admin_password=$RL_ADMIN_PASSWORD
unset RL_ADMIN_PASSWORD

give_up_data() {
  local seen=0
  install -d -m 700 /var/lib/ridgeline
  exec 8> /var/lib/ridgeline/node.lock
  flock -w 10 8 || fail 1 'a change of this server is under way'
  [ ! -e /var/lib/ridgeline/stamp ] || IFS=. read -r seen _ < /var/lib/ridgeline/stamp
  [ "$epoch" -ge "$seen" ] || fail 1 "this host has seen epoch $seen, not $epoch: its data is not given up"
  if is_running && [ "$(sql --execute "SELECT @@GLOBAL.read_only IN ('0', 'OFF')")" != 0 ]; then
    fail 1 'this server takes writes: its data is not given up'
  fi
  stop_server
  [ "$holding" = nothing ] || set_mark unfinished
  holding=unfinished
  exec 8>&-
}

claim
look_at_data
give_up_data
empty_data
begun=$SECONDS
`;

const mariaDBJoiner = String.raw`
set -- 0 0 0
socat -u -T 600 "OPENSSL:$donor:${copyPort},retry=40,interval=1,connect-timeout=5,commonname=$donor,$tls,$lively" STDOUT 2> socat.log |
  zstd -q -d -c 2> zstd.log |
  mbstream -x -C "$data" 2> mbstream.log ||
  set -- ${'"${PIPESTATUS[@]}"'}
! is_broken_pipe "$2" || blame "the copy cannot be stored (disk $(df --output=pcent "$data" | tail -n 1 | tr -d ' ') full)" "$3" mbstream.log
[ "$1" = 0 ] || blame "no copy from $donor" "$1" socat.log
[ "$2" = 0 ] || blame "the copy from $donor ended early" "$2" zstd.log
[ "$3" = 0 ] || blame "the copy from $donor ended early" "$3" mbstream.log
about() { find "$data" -maxdepth 1 -name "*_$1"; }
[ -n "$(about checkpoints)" ] || fail 1 "the copy from $donor ended early: the last part is missing"
mariadb-backup --prepare --target-dir="$data" 2> prepare.log || blame 'the copy cannot be used' "$?" prepare.log
position=$(awk '{print $3}' "$(about binlog_info)")
find "$data" -maxdepth 1 \( -name 'xtrabackup_*' -o -name 'mariadb_backup_*' -o -name backup-my.cnf \) -delete
chown -R mysql:mysql "$data"
size=$(du -sm "$data" | cut -f 1)
start_server
# What it has must count as its own: a replica of it may ask for exactly this position.
attempt sql --execute "$unlock RESET MASTER; SET GLOBAL gtid_binlog_state = '$position'; SET GLOBAL gtid_slave_pos = '$position'; $lock"
set_mark whole
echo "copied $size MB in $(( SECONDS - begun )) s; it goes on after '$position'"
`;

const mySQLJoiner = String.raw`
attempt mysqld --initialize-insecure --user=mysql
start_server
socat "TCP-LISTEN:${copyPort},bind=127.0.0.1,reuseaddr,fork" \
  "OPENSSL:$donor:${copyPort},retry=40,interval=1,connect-timeout=5,commonname=$donor,$tls,$lively" 2> socat.log & tunnel=$!
trap 'kill $tunnel' EXIT
literal() { printf "'%s'" "$(printf %s "$1" | sed "s/['\\\\]/\\\\&/g")"; }
# The server ends itself when the copy is complete; nobody but us starts it again.
printf "%s SET SESSION sql_mode = ''; SET GLOBAL clone_valid_donor_list = '127.0.0.1:${copyPort}'; CLONE INSTANCE FROM 'ridgeline'@'127.0.0.1':${copyPort} IDENTIFIED BY %s;" \
  "$unlock" "$(literal "$admin_password")" | sql > /dev/null 2> refused || grep -qE 'ERROR (3707|2013)' refused || {
  attempt systemctl stop "$unit"
  cat socat.log >> refused
  blame "no copy from $donor" 1 refused
}
for (( tenths = 0; tenths < 600; tenths++ )); do
  is_running || break
  sleep 0.1
done
start_server
said=$(sql --execute "SELECT CONCAT(state, ' ', error_no, ' ', error_message) FROM performance_schema.clone_status")
case $said in
  'Completed '*) ;;
  *)
    attempt systemctl stop "$unit"
    fail 1 "the copy from $donor is not complete: $said"
    ;;
esac
set_mark whole
echo "copied $(du -sm "$data" | cut -f 1) MB in $(( SECONDS - begun )) s; it goes on after '$(sql --execute 'SELECT @@GLOBAL.gtid_executed')'"
`;
