/** Which value each input of a script gets, which level it came from, and what stands in the way. Pure. */
import type { Frozen } from '../api/kind.ts';
import type { Input, InputDeclaration } from '../api/parts.ts';

/** Levels above a script's own defaults; a larger rank wins. */
const ranks = { ServerTemplate: 1, Deployment: 2, Array: 3, Cluster: 3, Server: 4, ScriptRun: 5 } as const;

/** The inputs that one object sets. */
export interface Level {
  readonly level: keyof typeof ranks;
  readonly name: string;
  readonly inputs: readonly Frozen<Input>[] | undefined;
}

/** Where a value comes from. */
export type Source =
  | { readonly from: 'Literal'; readonly value: string }
  | { readonly from: 'Secret' | 'ConfigMap'; readonly name: string; readonly key: string }
  | {
      readonly from: 'Endpoint';
      readonly kind: 'MySQLCluster' | 'LoadBalancer' | 'Server';
      readonly name: string;
      readonly endpoint: 'Writer' | 'Reader' | 'Private' | 'Public';
    };

/** The winning level of one input. */
export interface Choice {
  readonly input: string;
  readonly level: Level['level'];
  /** The object that sets it, e.g. `Deployment/shop`. */
  readonly setBy: string;
  readonly source: Source;
}

/** By input name. */
export type Choices = ReadonlyMap<string, Choice>;

export type InputReason =
  | 'RequiredInputMissing'
  | 'NotASecret'
  | 'InvalidChoice'
  | 'SecretNotFound'
  | 'ConfigMapNotFound'
  | 'KeyNotFound'
  | 'EndpointNotPublished'
  | 'InputCycle';

/** What became of a source that had to be read. */
export type Reading =
  | { readonly value: string; readonly version?: string }
  | { readonly reason: InputReason; readonly message: string; readonly waiting: boolean };

/** By `describeSource`. */
export type Readings = ReadonlyMap<string, Reading>;

export interface ResolvedInput {
  readonly name: string;
  readonly value: string;
  /** It came from a Secret: mask it everywhere. */
  readonly secret: boolean;
  readonly level: Level['level'] | 'Script';
  /** Where the value was read, e.g. `Secret/db key password`; absent for literals. */
  readonly ref?: string;
  /** Of the object it was read from; changes whenever that does. */
  readonly version?: string;
}

export interface InputProblem {
  readonly input: string;
  readonly reason: InputReason;
  /** Never contains a value. */
  readonly message: string;
  /** It solves itself when another object gets ready. */
  readonly waiting: boolean;
}

/** Values, and what stands in the way; a script runs only without problems. */
export interface Resolution {
  readonly inputs: readonly ResolvedInput[];
  /** Empty when the script may run. */
  readonly problems: readonly InputProblem[];
}

/** The script that is about to run, as its declarations matter here. */
export interface Declarer {
  readonly name: string;
  readonly inputs?: readonly Frozen<InputDeclaration>[];
}

/** For every input that any level sets, the level that wins. The order of `levels` does not matter. */
export function chooseInputs(levels: readonly Level[]): Choices {
  const choices = new Map<string, Choice>();
  for (const level of levels.toSorted((a, b) => ranks[a.level] - ranks[b.level])) {
    const setBy = `${kindOf(level)}/${level.name}`;
    for (const input of level.inputs ?? []) {
      choices.set(input.name, { input: input.name, level: level.level, setBy, source: sourceOf(input) });
    }
  }
  return choices;
}

/** The choices for the inputs that these scripts declare: nothing else is read or sent. */
export function chosenFor(choices: Choices, scripts: readonly Declarer[]): readonly Choice[] {
  const declared = new Set(scripts.flatMap((script) => (script.inputs ?? []).map((input) => input.name)));
  return [...choices.values()].filter((choice) => declared.has(choice.input));
}

/** The environment of one script, with the reasons why it may not run yet. */
export function resolveInputs(script: Declarer, choices: Choices, readings: Readings): Resolution {
  const inputs: ResolvedInput[] = [];
  const problems: InputProblem[] = [];
  for (const declaration of script.inputs ?? []) {
    const outcome = resolveOne(script, declaration, choices.get(declaration.name), readings);
    if (outcome === undefined) continue;
    if ('reason' in outcome) problems.push(outcome);
    else inputs.push(outcome);
  }
  return { inputs, problems };
}

/** What a source reads, in words that are safe to show; equal for equal sources. */
export function describeSource(source: Exclude<Source, { readonly from: 'Literal' }>): string {
  return source.from === 'Endpoint'
    ? `${source.kind}/${source.name} endpoint ${source.endpoint}`
    : `${source.from}/${source.name} key ${source.key}`;
}

function resolveOne(
  script: Declarer,
  declaration: Frozen<InputDeclaration>,
  choice: Choice | undefined,
  readings: Readings,
): ResolvedInput | InputProblem | undefined {
  const { name } = declaration;
  if (choice === undefined) return unsetProblem(script, declaration);
  if (declaration.sensitive && choice.source.from !== 'Secret') {
    return inputProblem(name, 'NotASecret', {
      message: `${name}: Script ${script.name} declares it sensitive, so it must come from a Secret; ${choice.setBy} sets it otherwise. Use valueFrom.secretKeyRef there.`,
    });
  }
  const reading = readingOf(choice.source, readings);
  if ('reason' in reading) {
    return inputProblem(name, reading.reason, {
      message: `${name}: ${reading.message}`,
      waiting: reading.waiting,
    });
  }
  if (declaration.options !== undefined && !declaration.options.includes(reading.value)) {
    const allowed = declaration.options.map((option) => `'${option}'`).join(', ');
    return inputProblem(name, 'InvalidChoice', {
      message: `${name}: must be one of ${allowed} for Script ${script.name}; ${choice.setBy} sets another value.`,
    });
  }
  const { source, level } = choice;
  const { value, version } = reading;
  const versioned = version === undefined ? {} : { version };
  const resolved = { name, value, secret: source.from === 'Secret', level, ...versioned };
  return source.from === 'Literal' ? resolved : { ...resolved, ref: describeSource(source) };
}

/** No level sets the input: its default, an error, or nothing at all. */
function unsetProblem(
  script: Declarer,
  declaration: Frozen<InputDeclaration>,
): ResolvedInput | InputProblem | undefined {
  const { name } = declaration;
  if (declaration.default !== undefined) {
    return { name, value: declaration.default, secret: false, level: 'Script' };
  }
  if (!declaration.required) return undefined;
  return inputProblem(name, 'RequiredInputMissing', {
    message: `Script ${script.name} requires ${name}; no level sets it.`,
  });
}

function readingOf(source: Source, readings: Readings): Reading {
  if (source.from === 'Literal') return { value: source.value };
  const reading = readings.get(describeSource(source));
  if (reading === undefined) throw new Error(`the source ${describeSource(source)} was not read`);
  return reading;
}

function kindOf(level: Level): string {
  if (level.level === 'Array') return 'ServerArray';
  return level.level === 'Cluster' ? 'MySQLCluster' : level.level;
}

function sourceOf(input: Frozen<Input>): Source {
  const { secretKeyRef, configMapKeyRef, endpointRef } = input.valueFrom ?? {};
  if (secretKeyRef !== undefined) return { from: 'Secret', ...secretKeyRef };
  if (configMapKeyRef !== undefined) return { from: 'ConfigMap', ...configMapKeyRef };
  if (endpointRef !== undefined) return { from: 'Endpoint', ...endpointRef };
  return { from: 'Literal', value: input.value ?? '' };
}

function inputProblem(
  input: string,
  reason: InputReason,
  rest: { readonly message: string; readonly waiting?: boolean },
): InputProblem {
  return { input, reason, message: rest.message, waiting: rest.waiting ?? false };
}
