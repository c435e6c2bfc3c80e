/** A replica's applier stands still while a copy of it comes to its end (MariaDB): by whom, and how everybody else knows. Texts only. */

/** While a session has this user lock, the applier is stopped on purpose. It ends with its session, so with the process, too. */
export const holdLock = 'ridgeline.hold';
/** The job has this one for as long as it needs the applier to stand still, and as long as it lives. */
const copyLock = 'ridgeline.copy';

/** Nobody waits longer for what a replica applies; the end of a copy takes a second. */
const holdSeconds = 10;

/**
 * bash, for a job that runs `mariadb-backup`, whose words `watch_stages` reads and keeps. A copy of a replica that applies in
 * parallel may have a transaction that is prepared and not committed, and does not start then (MDEV-36025).
 *
 * Who stops the applier starts it again: one session outside of the job's own processes. It waits for a lock that the
 * job's session gives back when the copy has ended, or when the job dies in whatever way, and never waits longer than 10 s. A
 * server that has been restarted has no such session and is left to the controller, as is one whose receiver was stopped
 * meanwhile: an applier that starts alone would throw away what was received (MDEV-4698).
 */
export const applierHold = String.raw`
applies() { [ "$(sql --execute "SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE COMMAND = 'Slave_SQL'")" != 0 ]; }
is_held() { [ "$(sql --execute "SELECT IS_USED_LOCK('${holdLock}') IS NOT NULL")" = 1 ]; }

keep_applier_stopped() {
  systemd-run --quiet --collect --unit="ridgeline-hold-$BASHPID" "$client" --no-defaults --protocol=socket --user=root \
    --socket=/run/mysqld/mysqld.sock --delimiter='|' --execute "SET SESSION lock_wait_timeout = 5 |
    SELECT GET_LOCK('${holdLock}', 1) | STOP SLAVE SQL_THREAD | SELECT GET_LOCK('${copyLock}', ${holdSeconds}) |
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
  echo "SELECT GET_LOCK('${copyLock}', 1);" >&"${'${copying[1]}'}"
  read -r -t 5 -u "${'${copying[0]}'}" _ && kill -STOP "$(< backup.pid)" || return 1
  keep_applier_stopped || true
  for (( tenths = 0; tenths < 50; tenths++ )); do
    ! is_held || applies || break
    sleep 0.1
  done
  kill -CONT "$(< backup.pid)"
}

# Its end is the end of the hold.
let_applier_go() {
  [ -n "${'${copying_PID:-}'}" ] || return 0
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
`;
