/** Where packages for the images come from: this machine's own apt configuration, never a name in a file. */
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import type { Suite } from './recipe.ts';

/** One mirror of Debian's main archive and one of its security archive. */
export interface Mirrors {
  readonly main: string;
  readonly security: string;
}

interface Source {
  readonly uri: string;
  readonly suite: string;
}

const debianSuites = /^(stable|testing|unstable|sid|bookworm|trixie|forky|duke)$/;
const securitySuites = /^(stable|testing|bookworm|trixie|forky|duke)-security$/;

function sourcesOfStanza(stanza: string): Source[] {
  const fields = new Map<string, string[]>();
  for (const line of stanza.split('\n')) {
    const field = /^(\w[\w-]*):\s*(.*)$/.exec(line);
    if (field) fields.set(field[1]!.toLowerCase(), field[2]!.split(/\s+/));
  }
  if (!fields.get('types')?.includes('deb') || fields.get('enabled')?.[0] === 'no') return [];
  const uris = fields.get('uris') ?? [];
  return uris.flatMap((uri) => (fields.get('suites') ?? []).map((suite) => ({ uri, suite })));
}

function sourcesOfLine(line: string): Source[] {
  const entry = /^deb\s+(?:\[[^\]]*\]\s+)?(\S+)\s+(\S+)/.exec(line);
  return entry ? [{ uri: entry[1]!, suite: entry[2]! }] : [];
}

/**
 * The Debian mirrors named in the given apt source files (`*.list` and `*.sources`), or undefined when there are none,
 * e.g. on Ubuntu. Where no security archive is named, the path beside the main archive is taken, as every mirror has it.
 */
export function mirrorsOf(files: ReadonlyMap<string, string>): Mirrors | undefined {
  const sources = [...files].flatMap(([name, text]) =>
    name.endsWith('.sources')
      ? text.split(/\n\s*\n/).flatMap(sourcesOfStanza)
      : text.split('\n').flatMap(sourcesOfLine),
  );
  const main = sources.find((source) => debianSuites.test(source.suite))?.uri;
  if (main === undefined) return undefined;
  const security = sources.find((source) => securitySuites.test(source.suite))?.uri;
  return { main, security: security ?? `${main.replace(/\/$/, '')}-security` };
}

/** The source files apt reads on this machine, by name. */
export function readAptSources(etcApt = '/etc/apt'): Map<string, string> {
  const files = new Map<string, string>();
  const add = (file: string): void => {
    try {
      files.set(file, readFileSync(file, 'utf8'));
    } catch {
      // Not every machine has both forms.
    }
  };
  add(path.join(etcApt, 'sources.list'));
  const folder = path.join(etcApt, 'sources.list.d');
  for (const name of listIfPresent(folder)) {
    if (/\.(list|sources)$/.test(name)) add(path.join(folder, name));
  }
  return files;
}

function listIfPresent(folder: string): string[] {
  try {
    return readdirSync(folder).toSorted();
  } catch {
    return [];
  }
}

/**
 * What to give mmdebstrap after the suite's name. sid has no updates and no security archive. Without mirrors of its
 * own mmdebstrap takes its built-in default, which is right on Ubuntu.
 */
export function sourceLines(suite: Suite, mirrors: Mirrors | undefined): readonly string[] {
  if (mirrors === undefined) return [];
  if (suite === 'sid') return [`deb ${mirrors.main} sid main`];
  return [
    `deb ${mirrors.main} ${suite} main`,
    `deb ${mirrors.main} ${suite}-updates main`,
    `deb ${mirrors.security} ${suite}-security main`,
  ];
}
