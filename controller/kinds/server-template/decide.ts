/** Whether a new revision is to be cut, what is wrong with the template, and which revisions may go. Pure. */
import type { SiteDeployment } from '../../api/deployment.ts';
import { type AnyObject, labels } from '../../api/meta.ts';
import type { Reason } from '../../api/reasons.ts';
import type { ControllerRevision } from '../../api/resource.ts';
import type { Server } from '../../api/server.ts';
import type { ServerArray } from '../../api/server-array.ts';
import type { ServerTemplate } from '../../api/server-template.ts';
import type { FrozenScript } from '../../api/template-revision.ts';
import type { Instant } from '../../base/clock.ts';
import { countNoun } from '../../base/plural.ts';
import { chooseInputs, type Level } from '../../inputs/resolve.ts';
import type { ImageLookup } from './images.ts';

/** A script as it can be frozen now, or why not. */
export type ScriptFacts =
  | { readonly name: string; readonly frozen: FrozenScript }
  | {
      readonly name: string;
      readonly reason: 'ScriptNotFound' | 'ScriptInvalid' | 'Resolving';
      readonly message: string;
    };

/** What came of the image lookup; without an account or an answer there is none. */
export type ImageFacts = ImageLookup | { readonly reason: 'AccountNotReady'; readonly message: string };

export interface Observed {
  readonly now: Instant;
  readonly template: ServerTemplate;
  readonly image: ImageFacts;
  readonly scripts: readonly ScriptFacts[];
  /** Servers that name this template. */
  readonly servers: readonly Server[];
  /** Arrays that name this template. */
  readonly arrays: readonly ServerArray[];
  /** Deployments of the namespace. */
  readonly deployments: readonly SiteDeployment[];
  /** Kept revisions, newest first. */
  readonly revisions: readonly ControllerRevision[];
  /** Hashes that a server or a launch refers to. */
  readonly inUse: ReadonlySet<string>;
  /** Whoever is made from it, or will be: clusters and arrays first, Servers that have none, launches. */
  readonly users: readonly AnyObject[];
}

export interface Problem {
  readonly reason: Exclude<Reason<'ServerTemplate', 'Ready'>, 'Valid'>;
  readonly message: string;
}

export interface Plan {
  /** What a revision is made of, when everything it needs is there. */
  readonly content?: { readonly imageID: string; readonly scripts: readonly FrozenScript[] };
  /** Why the template is not Ready; a missing input does not keep the revision from being cut. */
  readonly problem?: Problem;
  /** Revisions that nobody needs any more. */
  readonly expired: readonly ControllerRevision[];
  /** Revisions whose deletion was asked for by others, and that nobody runs from. */
  readonly released: readonly ControllerRevision[];
  /** Its deletion was asked for, and nobody is made from it. */
  readonly mayGo: boolean;
}

/** Old revisions kept so that a template can be rolled back. */
const revisionHistoryLimit = 10;

/** Without `content` no revision is cut; inputs that are missing are a `problem` beside it and keep none back. */
export function decide(observed: Observed): Plan {
  const { template, users, revisions, inUse } = observed;
  const ofOthers = revisions.filter(({ metadata }) => metadata.deletionTimestamp !== undefined);
  const released = ofOthers.filter((revision) => !inUse.has(hashIn(revision)));
  if (template.metadata.deletionTimestamp === undefined)
    return { ...decideContent(observed), released, mayGo: false };
  if (users.length === 0) return { expired: [], released: revisions, mayGo: true };
  return {
    expired: [],
    released,
    mayGo: false,
    problem: { reason: 'InUse', message: describeUse(observed) },
  };
}

/** What was made from it goes on with what it has; nothing is cut any more. */
function describeUse({ template, users, servers }: Observed): string {
  const names = users.slice(0, 10).map(({ kind, metadata }) => `${kind}/${metadata.name}`);
  const more = users.length > names.length ? ' and others' : '';
  const { revision = 'none' } = template.status ?? {};
  return (
    `Its deletion was asked for, and it is in use: ${names.join(', ')}${more}. It stays, with revision ${revision}, for ` +
    `${countNoun(servers.length, 'server')} and those that replace them, and goes when nobody uses it. To change it, create it ` +
    'under another name and set spec.serverTemplateRef.'
  );
}

type Content = Pick<Plan, 'content' | 'problem' | 'expired'>;

function decideContent(observed: Observed): Content {
  const { image, scripts } = observed;
  const expired = expiredRevisions(observed);
  const frozen = scripts.flatMap((script) => ('frozen' in script ? [script.frozen] : []));
  const problem = scripts.find((script) => 'reason' in script);
  if (problem !== undefined && 'reason' in problem) {
    const all = scripts.flatMap((script) => ('message' in script ? [script.message] : []));
    return { expired, problem: { reason: problem.reason, message: all.join(' ') } };
  }
  if ('reason' in image) return { expired, problem: image };
  const content = { imageID: image.image.id, scripts: frozen };
  const missing = missingInputs(observed, frozen);
  return missing === undefined ? { content, expired } : { content, expired, problem: missing };
}

/** Required inputs of boot and decommission scripts that no level sets, for any server that uses the template. */
function missingInputs(observed: Observed, scripts: readonly FrozenScript[]): Problem | undefined {
  const { spec, metadata } = observed.template;
  const steps = [...(spec.boot ?? []), ...(spec.decommission ?? [])].map((step) => step.scriptRef.name);
  const users = usersOf(observed).map((levels) => chooseInputs(levels));
  const missing = scripts
    .filter((script) => steps.includes(script.name))
    .flatMap((script) => (script.inputs ?? []).map((input) => ({ script: script.name, input })))
    .filter(({ input }) => input.required && users.some((choices) => !choices.has(input.name)))
    .map(({ script, input }) => `Script ${script} requires ${input.name}; no level sets it.`);
  if (missing.length === 0) return undefined;
  const deployments = observed.deployments.map((deployment) => `Deployment/${deployment.metadata.name}`);
  const places = [`ServerTemplate/${metadata.name}`, ...deployments].join(' or ');
  return {
    reason: 'RequiredInputMissing',
    message: `${missing.join(' ')} Add it to spec.inputs of ${places}.`,
  };
}

/** The levels of each server and array; before there are any, those of each deployment it could belong to. */
function usersOf({ template, servers, arrays, deployments }: Observed): readonly (readonly Level[])[] {
  const own: Level = { level: 'ServerTemplate', name: template.metadata.name, inputs: template.spec.inputs };
  const levelOf = (name: string): Level => {
    const deployment = deployments.find((candidate) => candidate.metadata.name === name);
    return { level: 'Deployment', name, inputs: deployment?.spec.inputs };
  };
  // Servers of an array have no inputs of their own.
  const ofArrays = arrays.map(({ metadata, spec }): readonly Level[] => [
    own,
    levelOf(spec.deploymentRef.name),
    { level: 'Array', name: metadata.name, inputs: spec.inputs },
  ]);
  const single = servers
    .filter(({ metadata }) => metadata.labels?.[labels.array] === undefined)
    .map(({ metadata, spec }): readonly Level[] => [
      own,
      levelOf(spec.deploymentRef.name),
      { level: 'Server', name: metadata.name, inputs: spec.inputs },
    ]);
  const users = [...ofArrays, ...single];
  if (users.length > 0) return users;
  if (deployments.length === 0) return [[own]];
  return deployments.map(({ metadata }) => [own, levelOf(metadata.name)]);
}

function hashIn({ metadata }: Pick<ControllerRevision, 'metadata'>): string {
  return metadata.name.slice(metadata.name.lastIndexOf('-') + 1);
}

function expiredRevisions({ revisions, inUse, template }: Observed): readonly ControllerRevision[] {
  return revisions.slice(revisionHistoryLimit).filter(({ metadata }) => {
    const hash = hashIn({ metadata });
    return hash !== template.status?.revision && !inUse.has(hash);
  });
}
