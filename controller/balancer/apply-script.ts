/** The script that replaces HAProxy's file on a host. Sent over SSH each time, so versions never skew. */

/** Exit codes of the script; anything else is a failure of the host. */
export const applyExit = {
  applied: 0,
  drifted: 10,
  rejected: 11,
  unbindable: 12,
  rolledBack: 13,
  stale: 14,
} as const;

/**
 * Arguments: unit, configuration file, directory, admin socket, master socket, state file, expected digest (empty = no
 * file), base hash, `reload` or `keep`, `aside` or `replace`. Stdin: a tar with `haproxy.cfg`, `unit` and `side/`.
 * Runs as root. Its order is what makes it safe: lock, compare, check, probe, keep health, rename, reload, confirm by
 * hash, roll back.
 *
 * - A file with a lower term than the present one is refused: whoever sends it has slept through a change.
 * - Side files have names of their own for every content, so writing them changes nothing that runs.
 * - New binds are probed in a process of their own: a configuration that passes `haproxy -c` and cannot bind stops the
 *   running service for 2 s.
 * - The state file carries health over the reload, but not weights and admin states: those come from the file.
 */
export const applyScript = String.raw`set -u
unit=$1 config=$2 directory=$3 admin=$4 master=$5 state=$6 expected=$7 base=$8 mode=$9 old=${'${10}'}
umask 027
incoming=$directory/.incoming
say() { printf '%s\n' "$1" >&2; }
ask() { printf '%s\n' "$2" | timeout 10 socat -t10 - "UNIX-CONNECT:$1" 2>/dev/null; }
digest() { [ ! -e "$config" ] || sha256sum < "$config" | cut -d' ' -f1; }
term() { sed -n 's/^ *# rl term \([^ ]*\) \([0-9]*\)$/\1 \2/p' "$1" 2>/dev/null | head -1; }
binds() { awk '$1 == "bind" {print $2}' "$1" 2>/dev/null | sort -u; }
alerts() { grep -E 'ALERT|error' "$1" | grep -vE 'Error\(s\) found|Fatal errors|config: *$' | head -3 >&2; }

for program in haproxy socat; do
  command -v "$program" > /dev/null || {
    say "$program is not installed; add it to spec.packages of a Script that the template boots with"
    exit 11
  }
done
mkdir -p "$directory" "$(dirname "$config")" "$(dirname "$state")" || exit 1
chmod 750 "$directory"
exec 9>"$directory/.lock"
flock -w 10 9 || { say 'another change is under way'; exit 20; }
rm -rf "$incoming" && mkdir "$incoming" && tar -xf - -C "$incoming" --no-same-owner || { say "cannot unpack into $directory"; exit 1; }
trap 'rm -rf "$incoming"' EXIT
next=$incoming/haproxy.cfg

[ "$(digest)" = "$expected" ] || { say "$config is not as it was seen"; exit 10; }
read -r owner number <<< "$(term "$next")"
read -r old_owner old_number <<< "$(term "$config")"
if [ -n "$owner" ] && [ "$owner" = "$old_owner" ] && [ "$number" -lt "$old_number" ]; then
  say "$config follows number $old_number already; a file of number $number is refused"
  exit 14
fi
[ -e "$state" ] || echo 1 > "$state"
[ -e "$directory/flags.map" ] || echo 'maintenance off' > "$directory/flags.map"
if [ -d "$incoming/side" ]; then
  chmod 600 "$incoming"/side/* && mv -f "$incoming"/side/* "$directory/" || { say "cannot write to $directory"; exit 1; }
fi
if [ -e "$incoming/unit" ] && ! cmp -s "$incoming/unit" "/etc/systemd/system/$unit.service"; then
  install -m 644 "$incoming/unit" "/etc/systemd/system/$unit.service" && systemctl daemon-reload && systemctl -q enable "$unit" || exit 1
fi

haproxy -c -f "$next" > "$incoming/check" 2>&1 || { alerts "$incoming/check"; exit 11; }

added=$(comm -13 <(binds "$config") <(binds "$next"))
if [ -n "$added" ] && systemctl is-active --quiet "$unit"; then
  {
    printf 'global\n maxconn 10\ndefaults\n mode tcp\n timeout client 1s\n timeout connect 1s\n timeout server 1s\nfrontend probe\n'
    printf ' bind %s\n' $added
    printf ' tcp-request connection reject\n'
  } > "$incoming/probe.cfg"
  timeout 0.3 haproxy -db -f "$incoming/probe.cfg" > "$incoming/check" 2>&1
  [ $? -eq 124 ] || { alerts "$incoming/check"; exit 12; }
fi

if [ "$mode" = reload ]; then
  ask "$admin" 'show servers state' |
    awk 'NR == 1 || /^#/ {print; next} NF > 10 {$7 = 0; $8 = $9; print}' > "$incoming/state"
  [ ! -s "$incoming/state" ] || cp "$incoming/state" "$state"
fi
[ ! -e "$config" ] || cp -p "$config" "$directory/haproxy.cfg.previous"
if [ "$old" = aside ] && [ -e "$config" ]; then
  cp -p "$config" "$directory/haproxy.cfg.hand.$(date +%s)"
  ls -1t "$directory"/haproxy.cfg.hand.* 2>/dev/null | tail -n +6 | xargs -r rm -f
fi
chmod 640 "$next" && sync "$next" && mv "$next" "$config" || { say "cannot replace $config"; exit 1; }
[ "$mode" = reload ] || exit 0

roll_back() {
  [ ! -e "$directory/haproxy.cfg.previous" ] || mv "$directory/haproxy.cfg.previous" "$config"
  say "$1"
  exit 13
}
tidy() {
  for file in "$directory"/maintenance-*.html "$directory"/certificate-*.pem; do
    [ ! -e "$file" ] || grep -qF "$file" "$config" || rm -f "$file"
  done
}
if systemctl is-active --quiet "$unit"; then
  # The master socket refuses connections for some milliseconds at a reload.
  for _ in $(seq 200); do answer=$(ask "$master" reload) && break; sleep 0.02; done
  case ${'${answer:-}'} in *Success=0*) roll_back "$(printf '%s' "$answer" | tail -n +2 | head -3)" ;; esac
else
  systemctl restart "$unit" 2>/dev/null || roll_back "$unit does not start: $(journalctl -u "$unit" -n 3 -o cat 2>/dev/null | tr '\n' ' ')"
fi
for _ in $(seq 250); do
  ask "$admin" 'show info' | grep -qx "description: rl=$base" && { tidy; exit 0; }
  sleep 0.02
done
roll_back "$unit does not run the new configuration after 5 s"
`;
