flavor='MariaDB'
server='mariadbd'
package='mariadb-server'
client='mariadb'
unit='mariadb'
config='/etc/mysql/mariadb.conf.d/zz-ridgeline.cnf'
cluster='4d1b0f9c-6f5e-4f0b-8f0e-2d5a3c7e9b10'
adopt='no'
series='11.8'
oldest='11.8.3'
address='10.77.0.9'
rewrite='yes'
stamp=''
initialise='yes'
admin_port='3307'
session='SET SESSION autocommit = ON, SESSION completion_type = NO_CHAIN, SESSION sql_mode = '\'''\'', SESSION sql_select_limit = 18446744073709551615, SESSION sql_big_selects = ON, SESSION sql_safe_updates = OFF, SESSION group_concat_max_len = 1048576, SESSION lock_wait_timeout = 5, SESSION innodb_lock_wait_timeout = 5, SESSION wait_timeout = 28800, SESSION interactive_timeout = 28800, SESSION max_statement_time = 0, SESSION sql_log_bin = 0, SESSION enforce_storage_engine = InnoDB'
database=''
missing_definers='SELECT JSON_ARRAYAGG(definer) FROM (SELECT DISTINCT definer FROM (
    SELECT definer FROM information_schema.routines WHERE routine_schema NOT IN ('\''sys'\'', '\''mysql'\'')
    UNION SELECT definer FROM information_schema.views WHERE table_schema NOT IN ('\''sys'\'', '\''mysql'\'')
    UNION SELECT definer FROM information_schema.triggers WHERE trigger_schema NOT IN ('\''sys'\'', '\''mysql'\'')
    UNION SELECT definer FROM information_schema.events) AS named
  WHERE definer NOT IN (SELECT CONCAT(user, '\''@'\'', host) FROM mysql.user) ORDER BY definer LIMIT 20) AS missing'
node_script='/usr/local/sbin/ridgeline-node'
unlock='SET GLOBAL read_only = ON;'
accounts='
SET SESSION sql_log_bin = 0, sql_mode = '\'''\'';
CREATE DATABASE IF NOT EXISTS ridgeline;
DROP TABLE IF EXISTS ridgeline.heartbeat;
CREATE TABLE ridgeline.heartbeat (id TINYINT UNSIGNED PRIMARY KEY, epoch INT UNSIGNED NOT NULL, ts DATETIME(6) NOT NULL) ENGINE = InnoDB;
FLUSH PRIVILEGES;
CREATE USER IF NOT EXISTS '\''root'\''@'\''localhost'\'';
ALTER USER '\''root'\''@'\''localhost'\'' IDENTIFIED VIA unix_socket WITH MAX_USER_CONNECTIONS 1000 PASSWORD EXPIRE NEVER ACCOUNT UNLOCK;
GRANT ALL PRIVILEGES ON *.* TO '\''root'\''@'\''localhost'\'' WITH GRANT OPTION;
DROP USER IF EXISTS '\''ridgeline'\''@'\''127.0.0.1'\'', '\''replication'\''@'\''%%'\'';
CREATE USER '\''ridgeline'\''@'\''127.0.0.1'\'' IDENTIFIED BY %s WITH MAX_USER_CONNECTIONS 1000 PASSWORD EXPIRE NEVER ACCOUNT UNLOCK;
GRANT PROCESS, BINLOG MONITOR, REPLICA MONITOR ON *.* TO '\''ridgeline'\''@'\''127.0.0.1'\'';
GRANT SELECT, INSERT, UPDATE, DELETE ON ridgeline.* TO '\''ridgeline'\''@'\''127.0.0.1'\'';
CREATE USER '\''replication'\''@'\''%%'\'' IDENTIFIED BY %s REQUIRE SSL WITH MAX_USER_CONNECTIONS 1000 PASSWORD EXPIRE NEVER ACCOUNT UNLOCK;
GRANT REPLICATION SLAVE ON *.* TO '\''replication'\''@'\''%%'\'';
'
forget='RESET SLAVE ALL; RESET MASTER; SET GLOBAL gtid_slave_pos = '\'''\'';'
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
contents() { :; }

admin_password=$RL_ADMIN_PASSWORD replication_password=$RL_REPLICATION_PASSWORD
unset RL_ADMIN_PASSWORD RL_REPLICATION_PASSWORD

need() {
  command -v "$1" > /dev/null || lacking+=" $1" packages+=" $2"
}

# Sets 'version'.
check_software() {
  local installed found=$flavor lacking='' packages=''
  installed=$({ mariadbd --version || mysqld --version; } 2> /dev/null || true)
  version=$(sed -n 's/.*Ver \([0-9][0-9.]*[0-9]\).*/\1/p' <<< "$installed")
  case $installed in
    '') ;;
    *MariaDB*) found=MariaDB ;;
    *) found=MySQL ;;
  esac
  [ "$found" = "$flavor" ] ||
    fail 10 "the image has $found $version and no $package; use another, or set spec.engine.flavor of a new cluster"
  need "$server" "$package"
  [ "$flavor" != MariaDB ] || need mariadb-backup mariadb-backup
  need openssl openssl
  need socat socat
  need zstd zstd
  need curl curl
  [ -z "$lacking" ] ||
    fail 10 "the image has no$lacking; use another, or list the packages$packages in spec.packages of a boot script of the ServerTemplate"
  case $version in
    "$series".*) ;;
    *) fail 11 "the image has $flavor $version, spec.engine.version wants $series" ;;
  esac
  [ "$(printf '%s\n' "$oldest" "$version" | sort -V | head -n 1)" = "$oldest" ] ||
    fail 11 "the image has $flavor $version; failover needs $oldest or newer"
}

# Replaces a file when it differs.
put() {
  ! cmp -s "$2" "$3" || return 0
  mkdir -p "$(dirname "$3")"
  install -m "$1" "$2" "$3.new"
  sync "$3.new"
  mv "$3.new" "$3"
  changed+="$3 "
}

# The key is made here and never leaves.
make_certificate() {
  if [ -s "$certificate" ] && openssl x509 -in "$certificate" -noout -checkip "$address" | grep -q 'does match'; then return; fi
  install -d -m 755 "$(dirname "$certificate")"
  attempt openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 3650 -subj "/CN=$address" \
    -addext "subjectAltName=IP:$address" -keyout "$key.new" -out "$certificate.new"
  chown mysql:mysql "$key.new"
  chmod 400 "$key.new"
  chmod 644 "$certificate.new"
  sync "$key.new" "$certificate.new"
  mv "$key.new" "$key"
  mv "$certificate.new" "$certificate"
}

check_settings() {
  local said
  if [ "$flavor" = MariaDB ]; then set -- --help --verbose; else set -- --validate-config; fi
  said=$("$server" --defaults-file="$ATTACH_DIR/settings.cnf" --user=mysql "$@" 2>&1 > /dev/null) ||
    fail 13 "$flavor $version does not accept the settings: $(errors_in <<< "$said")"
  put 644 "$ATTACH_DIR/settings.cnf" "$config"
}

configure() {
  local said
  if [ "$rewrite" = yes ] || [ ! -e "$config" ]; then check_settings; fi
  said=$(tail -n 1 "$config" | tr -d ' ')
  case $("$server" --print-defaults) in
    *"--$said" | *"--$said ") ;;
    *) fail 13 "another option file is read after $config; remove it from the image" ;;
  esac
  put 644 "$ATTACH_DIR/unit.conf" "/etc/systemd/system/$unit.service.d/ridgeline.conf"
  put 755 "$ATTACH_DIR/ridgeline-node" "$node_script"
  attempt systemctl daemon-reload
  # After a boot the controller decides when to start it.
  ! systemctl is-enabled --quiet "$unit" 2> /dev/null || attempt systemctl --quiet disable "$unit"
}

# A session of ours runs without sql_mode, so that this is how texts are quoted.
literal() { printf "'%s'" "$(printf %s "$1" | sed "s/['\\\\]/\\\\&/g")"; }

# Whether the controller gets in as it does all the time, whatever the settings say; sets 'said'.
enters() {
  if [ "$flavor" = MariaDB ]; then set -- --ssl --disable-ssl-verify-server-cert; else set -- --ssl-mode=PREFERRED; fi
  said=$(MYSQL_PWD=$admin_password "$client" --no-defaults --protocol=tcp --host=127.0.0.1 --port="$admin_port" \
    --user=ridgeline --connect-timeout=10 "$@" --execute 'SELECT epoch FROM ridgeline.heartbeat' 2>&1)
}

# History begins after all this: replicas are copies.
initialize() {
  local said
  empty_data
  if [ "$flavor" = MariaDB ]; then
    attempt mariadb-install-db --user=mysql --skip-test-db --skip-name-resolve --auth-root-authentication-method=socket \
      --auth-root-socket-user=root
  else
    attempt mysqld --initialize-insecure --user=mysql
  fi
  start_server
  attempt sql --execute "$unlock"
  set --
  if [ -n "$database" ]; then
    attempt sql --execute "CREATE DATABASE IF NOT EXISTS \`$database\`"
    set -- --database="$database"
  fi
  { contents && printf "$accounts" "$(literal "$admin_password")" "$(literal "$replication_password")"; } 2> trouble |
    sql --init-command="$session" "$@" > /dev/null 2> refused || {
    systemctl stop "$unit"
    ! grep -q '^ERROR 1046 ' refused ||
      fail 14 "the dump names no database: make the cluster again with its name in spec.bootstrap.dump.database"
    # The cause, not what follows from it: half a statement is an error too.
    grep -q 'gzip: stdin' trouble || ! grep '^ERROR' refused > trouble.sql || mv trouble.sql trouble
    fail 1 "the first data: $(last_words 2 < trouble)"
  }
  attempt sql --execute "$forget $lock"
  enters || fail 13 "the operator cannot log in with these settings: $(last_words 1 <<< "$said")"
  definers=$(sql --execute "$missing_definers")
  [ "$definers" != NULL ] || definers=null
  set_mark whole
  holding=whole
}

# What a replica lacks of its primary nobody here knows, so that only a primary is adopted.
check_primary() {
  local source
  if [ "$flavor" = MariaDB ]; then set -- 'SHOW ALL SLAVES STATUS'; else set -- 'SHOW REPLICA STATUS'; fi
  source=$(sql --execute "$1") || fail 1 "does not tell whether it is a replica"
  [ -z "$source" ] || fail 12 'it was a replica of its former cluster; adopt the machine of the primary (tag ridgeline:member)'
}

# The data becomes this cluster's as it is, its history included; nobody is told, for replicas are copies.
take_over() {
  stop_server
  start_server
  check_primary
  attempt sql --execute "$unlock"
  printf "$accounts" "$(literal "$admin_password")" "$(literal "$replication_password")" |
    sql --init-command="SET SESSION sql_log_bin = 0" > /dev/null 2> refused || {
    systemctl stop "$unit"
    fail 1 "the accounts: $(last_words 2 < refused)"
  }
  attempt sql --execute "$lock"
  set_mark whole
}

# What differs by name, for people.
differing() { { diff "$1" "$2" || true; } | sed -n 's/^[<>] \([a-z][a-z0-9_]*\) = .*/\1/p' | sort -u | paste -s -d ' '; }

# Its host has seen nothing later than the order to restart, so that it has not been made the primary since.
restart_replica() {
  local said names entered=yes
  enters || entered=no
  said=$("$node_script" "$stamp" sql 5 2>&1 <<< 'DO 0;') || fail 1 "is not restarted: $(last_words 1 <<< "$said")"
  [ "$(sql --execute "SELECT @@GLOBAL.read_only NOT IN ('0', 'OFF')")" = 1 ] || fail 1 "takes writes and is not restarted"
  cp "$running_config" former.cnf
  names=$(differing former.cnf "$config")
  stop_server
  if ! (start_server && { [ $entered = no ] || enters || fail 1 "lets the operator in no more: $(last_words 1 <<< "$said")"; }) 2> refused; then
    systemctl stop "$unit" || true
    put 644 former.cnf "$config"
    start_server
    fail 13 "does not start with the changed $names: $(last_words 1 < refused). It runs with its former settings again"
  fi
}

claim
changed= definers=null
check_software
look_at_data
[ "$adopt" = no ] || [ "$holding" = whole ] || fail 12 "$data holds no data of a cluster"
if [ "$adopt" = look ] && is_running; then check_primary; fi
make_certificate
configure
if [ "$holding" != whole ] && [ "$initialise" = yes ]; then initialize; fi
if [ "$adopt" = take ]; then take_over; fi
if [ "$holding" != whole ]; then
  # The package may have started it.
  stop_server
elif ! is_running; then
  start_server
  if [ "$adopt" = look ]; then check_primary; fi
elif [ -n "$stamp" ] && ! cmp -s "$config" "$running_config"; then
  restart_replica
fi
running=false pending=false epoch=0
[ ! -e /var/lib/ridgeline/stamp ] || IFS=. read -r epoch _ < /var/lib/ridgeline/stamp
if is_running; then
  running=true
  cmp -s "$ATTACH_DIR/settings.cnf" "$running_config" || pending=true
fi
[ -z "$changed" ] || echo "wrote $changed"
printf 'ridgeline-facts {"version":"%s","holding":"%s","running":%s,"restartPending":%s,"missingDefiners":%s,"epoch":%s}\n' \
  "$version" "$holding" "$running" "$pending" "$definers" "$epoch"
