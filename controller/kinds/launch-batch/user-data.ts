/** The boot script of a new machine: lets the controller in and reports the host keys, once. Pure. */
import { conflictMarker } from '../../api/launch-batch.ts';

export interface UserDataInput {
  /** The login that receives the key; made when the image lacks it. */
  readonly user: string;
  /** One `authorized_keys` line. */
  readonly publicKey: string;
  /** Write-once upload addresses, one per launch index. */
  readonly attestationUrls: readonly string[];
}

/** EC2's limit is 16,384 bytes before base64. */
export const userDataLimit = 16_000;

/**
 * The same text for every machine of a batch; each picks its address by its launch index. It is public (every process
 * on the machine can read it), so it holds no secrets but addresses that accept one upload and expire within the hour.
 */
export function renderUserData(input: UserDataInput): string {
  const { user, publicKey, attestationUrls } = input;
  return `#!/bin/bash
# Written by Ridgeline: lets its controller log in and reports this machine's public host keys, once.
user=${quote(user)}
key=${quote(publicKey)}
urls=(
${attestationUrls.map(quote).join('\n')}
)
${script}`;
}

/** How many of these addresses fit into one machine's user data, the rest of the script included. */
export function addressesThatFit(input: UserDataInput): number {
  const { attestationUrls } = input;
  let count = attestationUrls.length;
  while (
    count > 0 &&
    sizeOf({ ...input, attestationUrls: attestationUrls.slice(0, count) }) > userDataLimit
  ) {
    count -= 1;
  }
  return count;
}

// An answer lost on the way makes our own second try look like a conflict, so only a 412 to the first upload counts
// as one. Whoever else may have written, the controller trusts nothing but the key that is stored there.
const script = String.raw`
say() { printf '%s\n' "$*" | tee /dev/console 2>/dev/null; }
metadata() { curl -sf --max-time 5 -H "X-aws-ec2-metadata-token: $token" "http://169.254.169.254/latest/meta-data/$1"; }
upload() { curl -sS --max-time 20 -o /dev/null -w '%{http_code}' -T "$keys" -H 'If-None-Match: *' "$1" 2>/dev/null; }

id -u "$user" >/dev/null 2>&1 || useradd --create-home --shell /bin/bash "$user"
home=$(getent passwd "$user" | cut -d: -f6)
install -d -m 700 -o "$user" -g "$(id -gn "$user")" "$home/.ssh"
grep -qxF "$key" "$home/.ssh/authorized_keys" 2>/dev/null || printf '%s\n' "$key" >>"$home/.ssh/authorized_keys"
chown "$user:" "$home/.ssh/authorized_keys"
chmod 600 "$home/.ssh/authorized_keys"

[ -s /etc/ssh/ssh_host_ed25519_key.pub ] || ssh-keygen -A >/dev/null
keys=$(mktemp)
cut -d' ' -f1,2 /etc/ssh/ssh_host_*_key.pub >"$keys"

index=
for try in $(seq 60); do
  token=$(curl -sf --max-time 5 -X PUT -H 'X-aws-ec2-metadata-token-ttl-seconds: 60' http://169.254.169.254/latest/api/token)
  index=$(metadata ami-launch-index) && [ -n "$index" ] && break
  sleep 1
done

doubt=no
for try in $(seq 150); do
  code=$(upload "${'$'}{urls[$index]}")
  case $code in
    2??) say "ridgeline: host keys reported"; break ;;
    403) say "ridgeline: upload address refused: expired or not allowed"; break ;;
    412)
      if [ "$doubt" = yes ]; then say "ridgeline: host keys were reported already"; break; fi
      systemctl stop ssh.socket ssh.service sshd.service 2>/dev/null
      say "${conflictMarker}: somebody else used this upload address first; sshd is stopped"
      break ;;
    *) doubt=yes; sleep 2 ;;
  esac
done
rm -f "$keys"
`;

function sizeOf(input: UserDataInput): number {
  return Buffer.byteLength(renderUserData(input));
}

/** A single-quoted shell word. */
function quote(text: string): string {
  return `'${text.replaceAll("'", String.raw`'\''`)}'`;
}
