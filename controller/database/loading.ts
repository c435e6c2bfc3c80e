/** A cluster's first data from a dump in S3: which one, and the job that loads it. */
import type { Job } from '../shell/port.ts';
import { fillingJob, type Preparation } from './preparation.ts';

/** Dumps are loaded statement by statement; a large one takes hours. */
const timeoutSeconds = 24 * 3_600;

/** The newest dump, and what lies beside it and is no dump. */
export interface DumpChoice {
  /** The newest; undefined when none has a name that tells its time. */
  readonly key: string | undefined;
  /** Keys under the prefix that do not go on with `YYYYMMDDhhmmss.gz`. */
  readonly ignored: readonly string[];
}

/** The newest of `<prefix>YYYYMMDDhhmmss.gz`, by name. Whatever else is under the prefix belongs to somebody else. */
export function newestDump(keys: readonly string[], prefix: string): DumpChoice {
  const below = keys.filter((key) => key.startsWith(prefix));
  const isDump = (key: string) => isTimed(key.slice(prefix.length));
  return {
    key: below.filter(isDump).toSorted().at(-1),
    ignored: below.filter((key) => !isDump(key)),
  };
}

function isTimed(name: string): boolean {
  const [, year, month, day, hour, minute, second] =
    /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)\.gz$/.exec(name) ?? [];
  const time = `${year}-${month}-${day}T${hour}:${minute}:${second}.000Z`;
  const parsed = Date.parse(time);
  // The 31st of February is read as a day of March.
  return !Number.isNaN(parsed) && new Date(parsed).toISOString() === time;
}

/**
 * Preparation of the first server that fills it with the dump at this presigned URL. When the dump ends early or one of
 * its statements fails, the data stays marked as unfinished and the last line of the log says which. History begins
 * after the dump: replicas are copies. Its statements begin in `database`, which is made for it, where one is given.
 */
export function loadingJob(
  id: string,
  preparation: Omit<Preparation, 'initialise'>,
  { url, database = '' }: { readonly url: string; readonly database?: string | undefined },
): Job {
  const filling = { contents, database, environment: { RL_DUMP_URL: url }, timeoutSeconds };
  return fillingJob(id, { ...preparation, initialise: true }, filling);
}

/**
 * The URL is as good as a password: curl reads it from its standard input. Slow is no failure: the server may work on
 * one statement for minutes; a peer that is gone is told by keepalive. The dump goes to the server as it is, but for the
 * GTIDs that its source had: history begins anew, and MariaDB does not know the variable.
 */
const contents = String.raw`
dump_url=$RL_DUMP_URL
unset RL_DUMP_URL
contents() {
  printf 'url = "%s"\n' "$dump_url" |
    curl --config - --fail --silent --show-error --location --connect-timeout 10 --keepalive-time 15 |
    gunzip -c | sed -e '/^SET @@GLOBAL\.GTID_PURGED=/{:more;/;$/!{N;bmore};d}'
}
`;
