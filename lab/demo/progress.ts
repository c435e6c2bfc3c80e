/** Turns objects with conditions into the table a person watches. Pure. */

export interface Condition {
  readonly type: string;
  readonly status: string;
  readonly reason: string;
  readonly message: string;
  readonly observedGeneration?: number;
}

/** The part of any object that is read. */
export interface WatchedObject {
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly generation?: number };
  readonly spec?: { readonly power?: string };
  readonly status?: { readonly conditions?: readonly Condition[] };
}

/** One line of the table. */
export interface Row extends Condition {
  /** `server/web`. */
  readonly object: string;
  /** The condition is True and speaks of the present spec. */
  readonly done: boolean;
  /** Seconds from the start until it was first done. */
  readonly seconds?: number;
}

/** Kinds in the order in which a site comes to life; of others nothing is shown. */
const kindOrder = [
  'CloudAccount',
  'Deployment',
  'ServerTemplate',
  'Server',
  'ServerArray',
  'MySQLCluster',
  'LoadBalancer',
];
/** Kinds whose every condition is a step worth watching, in the order of the steps. */
const steps: Readonly<Record<string, readonly string[]>> = {
  Server: ['InstanceRunning', 'SSHReachable', 'Booted', 'Healthy', 'Ready'],
};

/** The table's rows, in a fixed order; nobody waits for a server that is switched off. `before` carries over when each was done first. */
export function rowsOf(objects: readonly WatchedObject[], before: readonly Row[], seconds: number): Row[] {
  return objects
    .filter(({ kind, spec }) => kindOrder.includes(kind) && spec?.power !== 'Stopped')
    .toSorted((a, b) => kindOrder.indexOf(a.kind) - kindOrder.indexOf(b.kind) || compare(a, b))
    .flatMap((object) => rowsOfObject(object))
    .map((row) => {
      const known = before.find((other) => other.object === row.object && other.type === row.type)?.seconds;
      const since = known ?? (row.done ? seconds : undefined);
      return since === undefined ? row : { ...row, seconds: since };
    });
}

function compare(a: WatchedObject, b: WatchedObject): number {
  return a.metadata.name.localeCompare(b.metadata.name, 'en', { numeric: true });
}

function rowsOfObject({ kind, metadata, status }: WatchedObject): Row[] {
  const object = `${kind.toLowerCase()}/${metadata.name}`;
  return (steps[kind] ?? ['Ready']).map((type) => {
    const condition = status?.conditions?.find((one) => one.type === type);
    if (condition === undefined) {
      return { object, type, status: 'Unknown', reason: '', message: 'not looked at yet', done: false };
    }
    const current = (condition.observedGeneration ?? 0) >= (metadata.generation ?? 0);
    return { ...condition, object, done: condition.status === 'True' && current };
  });
}

/** Whether everything is Ready. */
export function allReady(rows: readonly Row[]): boolean {
  return rows.length > 0 && rows.every(({ type, done }) => type !== 'Ready' || done);
}

/** Rows that say something else than before: for output that cannot be repainted. */
export function changedRows(rows: readonly Row[], before: readonly Row[]): Row[] {
  return rows.filter((row) => {
    const known = before.find((other) => other.object === row.object && other.type === row.type);
    return known?.status !== row.status || known.reason !== row.reason || known.done !== row.done;
  });
}

/** The table as lines of at most `width` characters; the object is named in its first row only. */
export function tableLines(rows: readonly Row[], width: number): string[] {
  return rows.map((row, index) => {
    const object = rows[index - 1]?.object === row.object ? '' : row.object;
    return rowLine({ ...row, object }, width);
  });
}

/** One row as one line. */
export function rowLine(row: Row, width: number): string {
  const seconds = row.seconds === undefined ? '' : `${row.seconds.toFixed(1)} s`;
  const line = [
    ` ${markOf(row)}`,
    row.object.padEnd(22),
    row.type.padEnd(16),
    seconds.padStart(7),
    ' ',
    row.reason.padEnd(18),
    row.message,
  ].join(' ');
  return line.length <= width ? line.trimEnd() : `${line.slice(0, width - 1)}…`;
}

/** Done, going on, or in trouble. */
function markOf(row: Row): string {
  if (row.done) return '✔';
  return /Failed|Stranded|Mismatch|NotFound|NotAllowed|Invalid|Denied|Unresolved/.test(row.reason)
    ? '✘'
    : '·';
}
