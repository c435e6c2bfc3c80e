/** Which value each input of a script gets, which level it came from, and what stands in the way. Pure. */
import type { Frozen } from '../api/kind.ts';
import type { Input, InputDeclaration } from '../api/parts.ts';

/** Kinds that set inputs; a larger rank wins. A script's own defaults rank below all of them. */
const ranks = {
  ServerTemplate: 1,
  Deployment: 2,
  ServerArray: 3,
  MySQLCluster: 3,
  Server: 4,
  ScriptRun: 5,
} as const;

/** The inputs that one object sets. */
export interface Level {
  readonly kind: keyof typeof ranks;
  readonly name: string;
  readonly inputs: readonly Frozen<Input>[];
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
  /** The object that sets it, e.g. `Deployment/shop`. */
  readonly setBy: string;
  readonly source: Source;
}

/** By input name. */
export type Choices = ReadonlyMap<string, Choice>;

export type InputReason =
  | 'RequiredInputMissing'
  | 'SensitiveInputNotSecret'
  | 'OptionNotAllowed'
  | 'SecretNotFound'
  | 'ConfigMapNotFound'
  | 'KeyNotFound'
  | 'EndpointNotPublished'
  | 'InputCycle';

/** What became of a source that had to be read. */
export type Reading =
  | { readonly value: string }
  | { readonly reason: InputReason; readonly message: string; readonly waiting: boolean };

/** By `sourceId`. */
export type Readings = ReadonlyMap<string, Reading>;

export interface ResolvedInput {
  readonly name: string;
  readonly value: string;
  /** It came from a Secret: mask it everywhere. */
  readonly secret: boolean;
  /** The object that set it, e.g. `Deployment/shop`, or `Script/deploy` for a default. */
  readonly setBy: string;
}

export interface InputProblem {
  readonly input: string;
  readonly reason: InputReason;
  /** Never contains a value. */
  readonly message: string;
  /** It solves itself when another object gets ready. */
  readonly waiting: boolean;
}

export interface Resolution {
  readonly inputs: readonly ResolvedInput[];
  /** Empty when the script may run. */
  readonly problems: readonly InputProblem[];
}

/** The script that is about to run, as its declarations matter here. */
export interface Declarer {
  readonly name: string;
  readonly inputs: readonly Frozen<InputDeclaration>[];
}

/** For every input that any level sets, the level that wins. The order of `levels` does not matter. */
export function chooseInputs(levels: readonly Level[]): Choices {
  const choices = new Map<string, Choice>();
  for (const level of levels.toSorted((a, b) => ranks[a.kind] - ranks[b.kind])) {
    for (const input of level.inputs) {
      const choice = { input: input.name, setBy: `${level.kind}/${level.name}`, source: sourceOf(input) };
      choices.set(input.name, choice);
    }
  }
  return choices;
}

/** The choices for the inputs that these scripts declare: nothing else is read or sent. */
export function chosenFor(choices: Choices, scripts: readonly Declarer[]): readonly Choice[] {
  const declared = new Set(scripts.flatMap((script) => script.inputs.map((input) => input.name)));
  return [...choices.values()].filter((choice) => declared.has(choice.input));
}

/** The environment of one script, with the reasons why it may not run yet. */
export function resolveInputs(script: Declarer, choices: Choices, readings: Readings): Resolution {
  const inputs: ResolvedInput[] = [];
  const problems: InputProblem[] = [];
  for (const declaration of script.inputs) {
    const outcome = resolveOne(script, declaration, choices.get(declaration.name), readings);
    if (outcome === undefined) continue;
    if ('reason' in outcome) problems.push(outcome);
    else inputs.push(outcome);
  }
  return { inputs, problems };
}

/** Identifies what a source reads; equal for equal sources. */
export function sourceId(source: Exclude<Source, { readonly from: 'Literal' }>): string {
  return source.from === 'Endpoint'
    ? `${source.kind}/${source.name}/${source.endpoint}`
    : `${source.from}/${source.name}/${source.key}`;
}

function resolveOne(
  script: Declarer,
  declaration: Frozen<InputDeclaration>,
  choice: Choice | undefined,
  readings: Readings,
): ResolvedInput | InputProblem | undefined {
  const { name } = declaration;
  if (choice === undefined) return unset(script, declaration);
  if (declaration.sensitive && choice.source.from !== 'Secret') {
    return problem(name, 'SensitiveInputNotSecret', {
      message: `${name}: Script ${script.name} declares it sensitive, so it must come from a Secret; ${choice.setBy} sets it otherwise. Use valueFrom.secretKeyRef there.`,
    });
  }
  const reading = readingOf(choice.source, readings);
  if ('reason' in reading) {
    return problem(name, reading.reason, {
      message: `${name}: ${reading.message}`,
      waiting: reading.waiting,
    });
  }
  if (declaration.options !== undefined && !declaration.options.includes(reading.value)) {
    const allowed = declaration.options.map((option) => `'${option}'`).join(', ');
    return problem(name, 'OptionNotAllowed', {
      message: `${name}: must be one of ${allowed} for Script ${script.name}; ${choice.setBy} sets another value.`,
    });
  }
  return { name, value: reading.value, secret: choice.source.from === 'Secret', setBy: choice.setBy };
}

/** No level sets the input: its default, an error, or nothing at all. */
function unset(
  script: Declarer,
  declaration: Frozen<InputDeclaration>,
): ResolvedInput | InputProblem | undefined {
  const { name } = declaration;
  if (declaration.default !== undefined) {
    return { name, value: declaration.default, secret: false, setBy: `Script/${script.name}` };
  }
  if (!declaration.required) return undefined;
  return problem(name, 'RequiredInputMissing', {
    message: `Script ${script.name} requires ${name}; no level sets it.`,
  });
}

function readingOf(source: Source, readings: Readings): Reading {
  if (source.from === 'Literal') return { value: source.value };
  const reading = readings.get(sourceId(source));
  if (reading === undefined) throw new Error(`the source ${sourceId(source)} was not read`);
  return reading;
}

function sourceOf(input: Frozen<Input>): Source {
  const { secretKeyRef, configMapKeyRef, endpointRef } = input.valueFrom ?? {};
  if (secretKeyRef !== undefined) return { from: 'Secret', ...secretKeyRef };
  if (configMapKeyRef !== undefined) return { from: 'ConfigMap', ...configMapKeyRef };
  if (endpointRef !== undefined) return { from: 'Endpoint', ...endpointRef };
  return { from: 'Literal', value: input.value ?? '' };
}

function problem(
  input: string,
  reason: InputReason,
  rest: { readonly message: string; readonly waiting?: boolean },
): InputProblem {
  return { input, reason, message: rest.message, waiting: rest.waiting ?? false };
}
