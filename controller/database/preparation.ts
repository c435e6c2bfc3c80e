/** The job that makes a host a database server of its cluster: checked, configured, read-only, with data or ready for it. */
import { digest } from '../base/digest.ts';
import type { Job } from '../shell/port.ts';
import { makePair } from './host-certificates.ts';
import { databaseJob, hostNames, jobExit, type Owner, runningConfig, textFile } from './job-script.ts';
import { nodeScript, nodeScriptPath, stampWord } from './node-script.ts';
import type { Flavor, Passwords, Stamp } from './port.ts';
import { firstStatements, missingDefiners } from './preparation-accounts.ts';
import { sessionAssignments } from './session-settings.ts';
import { adminPorts, renderSettings, type ServerSettings } from './settings.ts';
import { oldestRelease } from './settings-refusals.ts';

/** Crash recovery of a large database takes its time. */
const timeoutSeconds = 1_800;

export interface Preparation extends ServerSettings, Owner {
  readonly passwords: Passwords;
  /** Write the settings over those that are there; else a server keeps what it has, and only the facts tell. */
  readonly rewrite: boolean;
  /**
   * Restart a replica that runs with other settings than it should, unless its host has seen a later stamp. It must have
   * applied all that it received. Where it does not start with them it gets its former settings back.
   */
  readonly restart?: Stamp;
  /** Whether data of another cluster is looked at, or made this one's: with our passwords, and no copy of anybody. */
  readonly adopt: 'no' | 'look' | 'take';
  /** Make the cluster's first data where there is none. Of one server of a cluster, ever. */
  readonly initialise: boolean;
}

/** What the job prints at its end. */
export interface PreparationFacts {
  /** E.g. `11.8.6`. */
  readonly version: string;
  /** `whole`: the cluster's data; `unfinished`: a first filling or copy that was cut short. */
  readonly holding: 'whole' | 'unfinished' | 'nothing';
  readonly running: boolean;
  /** It runs with other settings than this job brought. */
  readonly restartPending: boolean;
  /** Of a dump that was loaded: as whom parts of it run though they do not exist, `name@host`; some of them. */
  readonly missingDefiners?: readonly string[] | null;
  /** The latest epoch that its host has had orders of; 0 when none. */
  readonly epoch: number;
}

/**
 * Checks the server's release, writes unit, certificate, node script and configuration, and starts a server that holds
 * data of its cluster. One without data stays stopped, unless it is to make the first. Repeating it changes nothing.
 * Exit codes: `jobExit`.
 */
export function preparationJob(id: string, preparation: Preparation): Job {
  return fillingJob(id, preparation, {
    contents: 'contents() { :; }',
    database: '',
    environment: {},
    timeoutSeconds,
  });
}

/** A server that is not open yet would make what a dump asks for. */
const makesOnlyInnoDB = { MariaDB: ', SESSION enforce_storage_engine = InnoDB', MySQL: '' };

/** Preparation in which the bash function `contents` prints the SQL of the first data. */
export function fillingJob(
  id: string,
  preparation: Preparation,
  filling: {
    readonly contents: string;
    /** Where its statements begin; empty = nowhere. */
    readonly database: string;
    readonly environment: Job['environment'];
    readonly timeoutSeconds: number;
  },
): Job {
  const { flavor, series, privateAddress, passwords, rewrite, restart, initialise, adopt } = preparation;
  return databaseJob(
    {
      id,
      script: `${filling.contents}\n${script}`,
      environment: {
        RL_ADMIN_PASSWORD: passwords.admin,
        RL_REPLICATION_PASSWORD: passwords.replication,
        ...filling.environment,
      },
      attachments: [
        textFile('settings.cnf', renderSettings(preparation)),
        textFile('unit.conf', unitChanges(flavor)),
        textFile('ridgeline-node', nodeScript),
      ],
      timeoutSeconds: filling.timeoutSeconds,
    },
    preparation,
    {
      series,
      oldest: oldestRelease(flavor, series) ?? series,
      address: privateAddress,
      rewrite: rewrite ? 'yes' : 'no',
      stamp: restart === undefined ? '' : stampWord(restart),
      initialise: initialise ? 'yes' : 'no',
      adopt,
      admin_port: String(adminPorts[flavor]),
      session: `SET ${sessionAssignments(flavor)}, SESSION sql_log_bin = 0${makesOnlyInnoDB[flavor]}`,
      database: filling.database,
      missing_definers: missingDefiners,
      node_script: nodeScriptPath,
      ...firstStatements(flavor),
    },
  );
}

/** Digests of what a host is prepared with; that they differ is all there is to know. */
export interface PreparationDigests {
  /** Of its settings file. A change takes effect when the server starts again. */
  readonly settings: string;
  /** Of our own files beside it; replaced while it runs. */
  readonly tools: string;
}

const toolsDigests: Readonly<Record<Flavor, string>> = {
  MariaDB: digest(nodeScript + unitChanges('MariaDB')),
  MySQL: digest(nodeScript + unitChanges('MySQL')),
};

/** Equal digests mean that the host has these settings and tools already. */
export function preparationDigests(server: ServerSettings): PreparationDigests {
  return {
    settings: digest(renderSettings(server)),
    tools: toolsDigests[server.flavor],
  };
}

/** The facts in a job's log; undefined when it did not come that far. */
export function preparationFacts(log: string): PreparationFacts | undefined {
  const [, text] = /^(?:\S+Z )?ridgeline-facts (\{.*\})$/m.exec(log) ?? [];
  return text === undefined ? undefined : (JSON.parse(text) as PreparationFacts);
}

/**
 * A server that crashed stays down until the controller has decided who leads. The package's own hook would change
 * tables after each start. A copy of the settings it started with tells later whether a restart is due.
 *
 * MySQL that hears SIGTERM tells commits that wait for a replica that all is well, which nobody but itself then knows; so
 * whatever ends the unit, a host that shuts down too, kills it. MariaDB breaks their connections.
 */
function unitChanges(flavor: Flavor): string {
  return `# Written by Ridgeline.
[Service]
Restart=no
${flavor === 'MySQL' ? 'KillSignal=SIGKILL\n' : ''}ExecStartPre=+/bin/cp ${hostNames[flavor].config} ${runningConfig}
ExecStartPost=
`;
}

const script = String.raw`
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
    fail ${jobExit.lacksServer} "the image has $found $version and no $package; use another, or set spec.engine.flavor of a new cluster"
  need "$server" "$package"
  [ "$flavor" != MariaDB ] || need mariadb-backup mariadb-backup
  need openssl openssl
  need socat socat
  need zstd zstd
  need curl curl
  [ -z "$lacking" ] ||
    fail ${jobExit.lacksServer} "the image has no$lacking; use another, or list the packages$packages in spec.packages of a boot script of the ServerTemplate"
  case $version in
    "$series".*) ;;
    *) fail ${jobExit.unsupportedVersion} "the image has $flavor $version, spec.engine.version wants $series" ;;
  esac
  [ "$(printf '%s\n' "$oldest" "$version" | sort -V | head -n 1)" = "$oldest" ] ||
    fail ${jobExit.unsupportedVersion} "the image has $flavor $version; failover needs $oldest or newer"
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
  attempt ${makePair} -keyout "$key.new" -out "$certificate.new"
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
    fail ${jobExit.refusedSettings} "$flavor $version does not accept the settings: $(errors_in <<< "$said")"
  put 644 "$ATTACH_DIR/settings.cnf" "$config"
}

configure() {
  local said
  if [ "$rewrite" = yes ] || [ ! -e "$config" ]; then check_settings; fi
  said=$(tail -n 1 "$config" | tr -d ' ')
  case $("$server" --print-defaults) in
    *"--$said" | *"--$said ") ;;
    *) fail ${jobExit.refusedSettings} "another option file is read after $config; remove it from the image" ;;
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
      fail ${jobExit.lacksDatabase} "the dump names no database: make the cluster again with its name in spec.bootstrap.dump.database"
    # The cause, not what follows from it: half a statement is an error too.
    grep -q 'gzip: stdin' trouble || ! grep '^ERROR' refused > trouble.sql || mv trouble.sql trouble
    fail 1 "the first data: $(last_words 2 < trouble)"
  }
  attempt sql --execute "$forget $lock"
  enters || fail ${jobExit.refusedSettings} "the operator cannot log in with these settings: $(last_words 1 <<< "$said")"
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
  [ -z "$source" ] || fail ${jobExit.foreignData} 'it was a replica of its former cluster; adopt the machine of the primary (tag ridgeline:member)'
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
    fail ${jobExit.refusedSettings} "does not start with the changed $names: $(last_words 1 < refused). It runs with its former settings again"
  fi
}

claim
changed= definers=null
check_software
look_at_data
[ "$adopt" = no ] || [ "$holding" = whole ] || fail ${jobExit.foreignData} "$data holds no data of a cluster"
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
`;
