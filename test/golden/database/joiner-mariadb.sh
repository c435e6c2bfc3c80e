flavor='MariaDB'
server='mariadbd'
package='mariadb-server'
client='mariadb'
unit='mariadb'
config='/etc/mysql/mariadb.conf.d/zz-ridgeline.cnf'
cluster='4d1b0f9c-6f5e-4f0b-8f0e-2d5a3c7e9b10'
adopt='no'
donor='10.77.0.9'
epoch='4'
unlock='SET GLOBAL read_only = ON;'
lock='SET GLOBAL read_only = ON;'

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

set -- 0 0 0
socat -u -T 600 "OPENSSL:$donor:4444,retry=40,interval=1,connect-timeout=5,commonname=$donor,$tls,$lively" STDOUT 2> socat.log |
  zstd -q -d -c 2> zstd.log |
  mbstream -x -C "$data" 2> mbstream.log ||
  set -- "${PIPESTATUS[@]}"
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
