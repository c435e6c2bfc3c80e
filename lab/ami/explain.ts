/** Turns what mmdebstrap and apt say when a build fails into one sentence with the way out. Pure. */

interface Cause {
  readonly pattern: RegExp;
  readonly advice: string;
}

/** The first that matches wins; the matching line is quoted. */
const causes: readonly Cause[] = [
  { pattern: /No space left on device/i, advice: 'disk full: free 2.5 GiB and run it again' },
  {
    pattern: /Temporary failure resolving|Could not resolve/i,
    advice: 'no network: the package mirror of /etc/apt has no address from here',
  },
  {
    pattern:
      /Could not connect|Connection (refused|timed out|failed)|Unable to connect|Network is unreachable/i,
    advice:
      'the package mirror of /etc/apt cannot be reached; check the network or the proxy (apt-get update must work)',
  },
  {
    pattern: /NO_PUBKEY|no matching keys|is not signed|Signed-By/i,
    advice:
      'the archive cannot be verified: apt-get install -y debian-archive-keyring, or a newer release of it',
  },
  {
    pattern: /404 +Not Found|does not have a Release file|Failed to fetch|Unable to fetch/i,
    advice:
      'the package mirror of /etc/apt does not serve this suite; name one that does, or wait and run it again',
  },
  { pattern: /Unable to locate package (\S+)/, advice: 'a package of the recipe is not in this suite' },
];

/** One message: what happened, apt's own line, what to do. `said` is everything the tools wrote to standard error. */
export function explainBuildFailure(suite: string, said: readonly string[]): string {
  for (const { pattern, advice } of causes) {
    const line = said.find((text) => pattern.test(text));
    if (line !== undefined) return `the ${suite} image was not built: ${advice} (${line.trim()})`;
  }
  const tail = said.slice(-8).join('\n  ');
  return `the ${suite} image was not built; the last lines of mmdebstrap:\n  ${tail}`;
}
