/** What the jobs on a database host share: how they fail, talk to the server, start it and mark whose data it holds. */
import type { Attachment, Job } from '../shell/port.ts';
import { quote } from '../shell/quoting.ts';
import { ownCertificate, ownKey } from './host-certificates.ts';
import type { Flavor } from './port.ts';

/** Exit codes with a meaning of their own. Whatever the code, the last line of the log says what happened. */
export const jobExit = {
  done: 0,
  /** The image lacks the server or a tool; the last line says what to add to the template. */
  lacksServer: 10,
  /** The server is of another series than the cluster wants, or too old a release of it. */
  unsupportedVersion: 11,
  /** The data directory holds what this cluster did not make; nothing was touched. */
  foreignData: 12,
  /** The server does not accept the settings; what runs was not touched. */
  refusedSettings: 13,
  /** The dump names no database, and nobody else has. */
  lacksDatabase: 14,
} as const;

/** Whose job it is; the cluster's uid is written into the data directory. */
export interface Owner {
  readonly flavor: Flavor;
  readonly clusterUID: string;
}

/** A job that runs `script` as root, after the shared functions and with these variables. */
export function databaseJob(
  job: Pick<Job, 'id' | 'script' | 'environment' | 'attachments' | 'timeoutSeconds'>,
  { flavor, clusterUID }: Owner,
  variables: Readonly<Record<string, string>>,
): Job {
  const all = { ...hostNames[flavor], cluster: clusterUID, adopt: 'no', ...variables };
  const assignments = Object.entries(all).map(([name, value]) => `${name}=${quote(value)}\n`);
  return {
    ...job,
    interpreter: '/bin/bash',
    script: `${assignments.join('')}${functions}${job.script}`,
    packages: [],
    runAs: 'root',
  };
}

/** The settings the server was started with. */
export const runningConfig = '/run/ridgeline-database.cnf';

/** A text as an attachment of a job. */
export function textFile(name: string, text: string): Attachment {
  return { name, content: Buffer.from(text).toString('base64'), secret: false };
}

/** What the packages of Debian and Ubuntu call things. */
export const hostNames = {
  MariaDB: {
    flavor: 'MariaDB',
    server: 'mariadbd',
    package: 'mariadb-server',
    client: 'mariadb',
    unit: 'mariadb',
    config: '/etc/mysql/mariadb.conf.d/zz-ridgeline.cnf',
  },
  MySQL: {
    flavor: 'MySQL',
    server: 'mysqld',
    package: 'mysql-server',
    client: 'mysql',
    unit: 'mysql',
    config: '/etc/mysql/mysql.conf.d/zz-ridgeline.cnf',
  },
} as const satisfies Record<Flavor, Readonly<Record<string, string>>>;

/**
 * The mark `.ridgeline` in the data directory says whose data it is and whether it is `whole`; it becomes so last of
 * all. Until then a job may empty the directory, afterwards none does.
 */
const functions = String.raw`
set -euo pipefail
umask 022
export LC_ALL=C PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
data=/var/lib/mysql mark=/var/lib/mysql/.ridgeline running_config=${runningConfig}
certificate=${ownCertificate} key=${ownKey}
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
      fail ${jobExit.foreignData} "$data holds data of another cluster (uid $owner); replace this server by a fresh one"
    return
  fi
  strangers=$(find "$data" -mindepth 1 -maxdepth 1 -type d ! -name mysql ! -name performance_schema ! -name sys ! -name test \
    ! -name lost+found ! -name '#*' -printf '%f ' 2> /dev/null) || true
  [ -z "$strangers" ] ||
    fail ${jobExit.foreignData} "$data holds databases of somebody else: $strangers(boot scripts must not create any; use a ScriptRun on the primary)"
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
`;
