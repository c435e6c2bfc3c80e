/** What is in a machine image: the suites, their packages and the mmdebstrap call. Pure. */
import { createHash } from 'node:crypto';
import path from 'node:path';

/** Debian suites images exist for; trixie is the default. */
export const suites = ['trixie', 'bookworm', 'sid'] as const;
export type Suite = (typeof suites)[number];

const packages = [
  // A machine one can log into, as Debian's own EC2 images are.
  'systemd-sysv dbus openssh-server sudo cron ca-certificates curl iproute2 iputils-ping procps',
  // What the roles need: proxy, web page, small applications, files and volumes.
  'haproxy socat busybox-static python3-minimal zstd e2fsprogs',
].flatMap((line) => line.split(' '));

/** sid has MySQL; the stable suites have MariaDB. */
const databases: Record<Suite, readonly string[]> = {
  trixie: ['mariadb-server', 'mariadb-backup'],
  bookworm: ['mariadb-server', 'mariadb-backup'],
  sid: ['mysql-server'],
};

const dpkgOptions = [
  'path-exclude=/usr/share/man/*',
  'path-exclude=/usr/share/doc/*',
  'path-exclude=/usr/share/locale/*',
  'force-unsafe-io',
];

/** Everything that decides an image's contents, except the state of the archive on the day it is built. */
export interface Recipe {
  readonly suite: Suite;
  /** Folder of `customize.sh` and `files/`. */
  readonly folder: string;
  /** From the machine's apt configuration, e.g. a proxy; not part of the image. */
  readonly aptOptions: readonly string[];
  /** From `sourceLines`. */
  readonly sources: readonly string[];
}

/** Arguments for mmdebstrap to write the image to `target`, a name that ends in `.tar.zst`. */
export function mmdebstrapArguments(recipe: Recipe, target: string): string[] {
  const hook = `--customize-hook=sh "${path.join(recipe.folder, 'customize.sh')}" "$1" "${path.join(recipe.folder, 'files')}"`;
  const aptOptions = [
    'APT::Install-Recommends "false"',
    // sid's index is often past its date on a mirror; a stable one may be on a cached mirror.
    'Acquire::Check-Valid-Until "false"',
    ...recipe.aptOptions,
  ];
  return [
    '--variant=minbase',
    '--skip=check/empty',
    `--include=${[...packages, ...databases[recipe.suite]].join(',')}`,
    ...aptOptions.map((option) => `--aptopt=${option}`),
    ...dpkgOptions.map((option) => `--dpkgopt=${option}`),
    hook,
    recipe.suite,
    target,
    ...recipe.sources,
  ];
}

/** Twelve hexadecimal digits that change when the packages, options or files (contents by name) of an image do. */
export function recipeHash(suite: Suite, files: ReadonlyMap<string, string>): string {
  const hash = createHash('sha256');
  hash.update(JSON.stringify([suite, packages, databases[suite], dpkgOptions]));
  for (const [name, text] of [...files].toSorted(([a], [b]) => (a < b ? -1 : 1))) {
    hash.update(JSON.stringify([name, text]));
  }
  return hash.digest('hex').slice(0, 12);
}
