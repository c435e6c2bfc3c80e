/** Where a host keeps its certificate and the one it trusts, and the part of the script on the host that changes them. */
import { databasePort } from './tcp-port.ts';

const folder = '/etc/mysql/ridgeline';
/** The certificate this server made for itself. */
export const ownCertificate = `${folder}/server-cert.pem`;
/** Key of `ownCertificate`; it never leaves the host. */
export const ownKey = `${folder}/server-key.pem`;
/** The certificates of the server it follows, two while one takes the place of the other; it accepts no others. */
export const sourceCertificate = `${folder}/source-cert.pem`;

/** Makes a key and its certificate for `$address`; where they go is to follow. */
export const makePair =
  'openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 3650 -subj "/CN=$address" \\\n' +
  '    -addext "subjectAltName=IP:$address"';

/** Prints the certificate in use, and the one that is to take its place or had it; needs no script of ours. */
export const printCertificates = `cd ${folder} && cat server-cert.pem
for one in pair.[ab]/cert.pem; do [ ! -f "$one" ] || [ "$one" -ef server-cert.pem ] || cat "$one"; done`;

/**
 * The pair in use is in the folder that `pair` points to, pair.a or pair.b, so that one rename changes key and certificate.
 * The other folder is there only while one pair takes the place of the other. Servers that were prepared by an earlier
 * release, and those whose files somebody has replaced, get there by `arrange`.
 */
export const certificateVerbs = String.raw`
tls=${folder} own_certificate=${ownCertificate} own_key=${ownKey}

spare() { if [ "$(readlink "$tls/pair")" = pair.a ]; then echo pair.b; else echo pair.a; fi; }

point_to() { ln -sfn "$1" "$tls/.$2" && mv -T "$tls/.$2" "$tls/$2" && sync "$tls" || fail "cannot store $tls/$2"; }

fingerprint_of() { openssl x509 -in "$1" -noout -fingerprint -sha256 2> /dev/null | cut -d = -f 2; }

# What it shows to whoever comes.
presented() { timeout 1 openssl s_client -starttls mysql -connect 127.0.0.1:${databasePort} < /dev/null 2> /dev/null | openssl x509 2> /dev/null; }

# Without a moment in which a name leads nowhere.
arrange() {
  local kind
  [ -d "$tls/pair/" ] || { rm -rf "$tls/pair.a" && install -d -m 755 "$tls/pair.a" && point_to pair.a pair; } || fail "cannot make $tls/pair"
  for kind in key cert; do
    [ "$(readlink "$tls/server-$kind.pem")" != "pair/$kind.pem" ] || continue
    if [ -f "$tls/server-$kind.pem" ]; then
      cp -pL "$tls/server-$kind.pem" "$tls/pair/.$kind" && mv -T "$tls/pair/.$kind" "$tls/pair/$kind.pem" && sync "$tls/pair/$kind.pem" || fail "cannot keep $tls/server-$kind.pem"
    fi
    point_to "pair/$kind.pem" "server-$kind.pem"
  done
}

# Once for each mark.
certify() {
  local mark=$1 address=$2 new=$tls/pair.new slot said
  arrange
  slot=$tls/$(spare)
  [ "$(cat "$slot/mark" 2> /dev/null)" != "$mark" ] || return 0
  rm -rf "$new" && install -d -m 755 "$new" || fail "cannot make $new"
  said=$(${makePair} -keyout "$new/key.pem" -out "$new/cert.pem" 2>&1) || fail "openssl: $said"
  chown mysql:mysql "$new/key.pem" && chmod 400 "$new/key.pem" && chmod 644 "$new/cert.pem" && echo "$mark" > "$new/mark" &&
    sync "$new"/* "$new" && rm -rf "$slot" && mv -T "$new" "$slot" && sync "$tls" || fail "cannot store $slot"
}

# What the server does not load it shall not find at its next start either. root may have to come with the pair it has loaded.
present() {
  local wanted=$1 reload='ALTER INSTANCE RELOAD TLS;' former
  arrange
  if [ "$(fingerprint_of "$tls/pair/cert.pem")" = "$wanted" ]; then
    [ "$(presented | fingerprint_of /dev/stdin)" != "$wanted" ] || return 0
  else
    [ "$(fingerprint_of "$tls/$(spare)/cert.pem")" = "$wanted" ] || fail "no certificate $wanted is here"
    point_to "$(spare)" pair
  fi
  former=$(spare)
  if [ -f "$tls/$former/key.pem" ]; then own_certificate=$tls/$former/cert.pem own_key=$tls/$former/key.pem; fi
  [ "$client" = mysql ] || reload='FLUSH LOCAL SSL;'
  (sql 2 <<< "$reload") || { [ ! -f "$tls/$former/key.pem" ] || point_to "$former" pair; exit 70; }
}

# Removes the pair beside the one that is to stay.
discard() {
  [ "$(fingerprint_of "$tls/pair/cert.pem")" = "$1" ] || fail "another certificate than $1 is in use"
  rm -rf "$tls/$(spare)" "$tls/pair.new" && sync "$tls" || fail "cannot remove $tls/$(spare)"
}

# The two files may be of any sort: somebody may have put them there.
certificates() {
  local other=$tls/$(spare)
  echo "== time $(date +%s)"
  echo '== own'; cat "$tls/server-cert.pem"
  echo '== own-key'; openssl pkey -in "$tls/server-key.pem" -pubout
  echo "== mark $(cat "$other/mark")"
  echo '== other'; cat "$other/cert.pem"
  echo '== other-key'; openssl pkey -in "$other/key.pem" -pubout
  echo '== presented'; presented
  echo '== trusted'; cat "$trusted"
} 2> /dev/null
`;
