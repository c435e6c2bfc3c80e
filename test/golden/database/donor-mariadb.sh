flavor='MariaDB'
server='mariadbd'
package='mariadb-server'
client='mariadb'
unit='mariadb'
config='/etc/mysql/mariadb.conf.d/zz-ridgeline.cnf'
cluster='4d1b0f9c-6f5e-4f0b-8f0e-2d5a3c7e9b10'
adopt='no'
address='10.77.0.9'

set -euo pipefail
umask 022
export LC_ALL=C PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
data=/var/lib/mysql mark=/var/lib/mysql/.ridgeline running_config=/run/ridgeline-database.cnf
certificate=/etc/mysql/ridgeline/server-cert.pem key=/etc/mysql/ridgeline/server-key.pem
trap 'echo "line $LINENO of the job failed: $BASH_COMMAND" >&2' ERR

# Ends the job; this line is what people will read.
fail() { printf '%s\n' "$2" >&2; exit "$1"; }

# The last lines of a text that say something, as one line.
last_words() { { grep -v '^[[:space:]]*$' || true; } | tail -n "$1" | sed -z 's/[[:space:]]*$//; s/\n/; /g'; }

# What a text of the server says of errors, without its times.
errors_in() { { grep -i '\[error\]' || true; } | grep -v Aborting | sed 's/^.*\[error\] *//I' | last_words 2; }

# Runs a command whose words matter only when it fails.
attempt() {
  local said
  said=$("$@" 2>&1) || fail 1 "$1 failed: $(last_words 3 <<< "$said")"
}

# One job at a time changes the server's files.
claim() {
  exec 9> /run/ridgeline-database.lock
  flock -w 60 9 || fail 1 'another job has been at work on this database for 60 s'
}

sql() {
  "$client" --no-defaults --protocol=socket --user=root --socket=/run/mysqld/mysqld.sock --batch --raw --skip-column-names \
    --binary-mode --default-character-set=utf8mb4 "$@"
}

is_running() { systemctl is-active --quiet "$unit"; }

# In good order: what a job stops takes no writes, so no commit waits on it. The unit itself ends MySQL with SIGKILL.
stop_server() {
  local tenths
  systemctl kill --signal=TERM --kill-whom=main "$unit" 2> /dev/null || true
  for (( tenths = 0; tenths < 600; tenths++ )); do
    is_running || break
    sleep 0.1
  done
  attempt systemctl stop "$unit"
}

# What the server said last, where it logs errors.
why() {
  { journalctl -u "$unit" -n 40 -o cat; tail -n 40 /var/log/mysql/error.log; } 2> /dev/null | errors_in
}

# It may have to recover first. It must come up read-only, whatever is in its files.
start_server() {
  local said
  systemctl reset-failed "$unit" 2> /dev/null || true
  said=$(systemctl start "$unit" 2>&1) || fail 1 "$unit does not start: $(why) ($(head -n 1 <<< "$said"))"
  said=$(sql --execute "SELECT @@GLOBAL.read_only NOT IN ('0', 'OFF')" 2>&1) || fail 1 "$unit does not answer root on its socket: $said"
  [ "$said" = 1 ] || { systemctl kill --signal=KILL "$unit"; fail 1 "$unit came up writable and was killed"; }
}

# Sets 'holding': whole, unfinished, or nothing. What a package put there counts as nothing.
look_at_data() {
  local owner strangers
  holding=nothing
  if [ -e "$mark" ]; then
    read -r owner holding < "$mark"
    [ "$owner" = "$cluster" ] || [ "$adopt" != no ] ||
      fail 12 "$data holds data of another cluster (uid $owner); replace this server by a fresh one"
    return
  fi
  strangers=$(find "$data" -mindepth 1 -maxdepth 1 -type d ! -name mysql ! -name performance_schema ! -name sys ! -name test \
    ! -name lost+found ! -name '#*' -printf '%f ' 2> /dev/null) || true
  [ -z "$strangers" ] ||
    fail 12 "$data holds databases of somebody else: $strangers(boot scripts must not create any; use a ScriptRun on the primary)"
}

set_mark() {
  printf '%s %s\n' "$cluster" "$1" > "$mark.new"
  sync "$mark.new"
  mv "$mark.new" "$mark"
  sync "$data"
}

empty_data() {
  [ "$holding" != whole ] || fail 1 "$data is in use and is not emptied"
  stop_server
  install -d -o mysql -g mysql -m 750 "$data"
  set_mark unfinished
  find "$data" -mindepth 1 ! -path "$mark" -delete
}

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

applies() { [ "$(sql --execute "SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE COMMAND = 'Slave_SQL'")" != 0 ]; }
is_held() { [ "$(sql --execute "SELECT IS_USED_LOCK('ridgeline.hold') IS NOT NULL")" = 1 ]; }

keep_applier_stopped() {
  systemd-run --quiet --collect --unit="ridgeline-hold-$BASHPID" "$client" --no-defaults --protocol=socket --user=root \
    --socket=/run/mysqld/mysqld.sock --delimiter='|' --execute "SET SESSION lock_wait_timeout = 5 |
    SELECT GET_LOCK('ridgeline.hold', 1) | STOP SLAVE SQL_THREAD | SELECT GET_LOCK('ridgeline.copy', 10) |
    BEGIN NOT ATOMIC
      IF EXISTS (SELECT 1 FROM information_schema.PROCESSLIST WHERE USER = 'system user' AND COMMAND IN ('Slave_IO', 'Connect'))
      THEN START SLAVE SQL_THREAD; END IF;
    END"
}

# The copy waits meanwhile: what it reads next has to be of a replica that stands still.
hold_applier() {
  local tenths
  applies || return 0
  coproc copying { sql --unbuffered; }
  echo "SELECT GET_LOCK('ridgeline.copy', 1);" >&"${copying[1]}"
  read -r -t 5 -u "${copying[0]}" _ && kill -STOP "$(< backup.pid)" || return 1
  keep_applier_stopped || true
  for (( tenths = 0; tenths < 50; tenths++ )); do
    ! is_held || applies || break
    sleep 0.1
  done
  kill -CONT "$(< backup.pid)"
}

# Its end is the end of the hold.
let_applier_go() {
  [ -n "${copying_PID:-}" ] || return 0
  is_held && ! applies || echo 'the applier did not stand still to the end; the copy may not start (MDEV-36025)'
  kill "$copying_PID"
}

watch_stages() {
  local line
  while IFS= read -r line; do
    printf '%s\n' "$line" >> backup.log
    case $line in
      *'Starting BACKUP STAGE FLUSH'*) hold_applier || echo 'the applier cannot be held; the copy may not start (MDEV-36025)' ;;
      *'All tables unlocked'*) let_applier_go || true ;;
    esac
  done
}

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
  socat -u STDIN "OPENSSL-LISTEN:4444,bind=$address,reuseaddr,accept-timeout=50,$tls,$lively" 2> socat.log ||
  set -- "${PIPESTATUS[@]}"
wait "$watcher" || true
[ "$3" = 0 ] || blame 'the copy did not get through to the joiner' "$3" socat.log
! is_broken_pipe "$2" || fail 1 'no joiner came within 50 s'
[ "$1" = 0 ] || blame 'mariadb-backup failed' "$1" backup.log
[ "$2" = 0 ] || blame 'zstd failed' "$2" zstd.log
echo 'the copy is handed over'
