/** The inputs of one server's scripts: gathers the levels, reads the sources, and sees servers that wait for each other. */
import { siteDeploymentKind } from '../api/deployment.ts';
import type { ObjectKey } from '../api/meta.ts';
import { keyText, labels } from '../api/meta.ts';
import { mySQLClusterKind } from '../api/mysql-cluster.ts';
import { scriptKind } from '../api/script.ts';
import type { Server, ServerStatus } from '../api/server.ts';
import { serverKind } from '../api/server.ts';
import { serverArrayKind } from '../api/server-array.ts';
import { serverTemplateKind } from '../api/server-template.ts';
import type { TemplateRevision } from '../api/template-revision.ts';
import type { Cache } from '../kube/port.ts';
import type { Choices, Declarer, InputProblem, Level, Resolution } from './resolve.ts';
import { chooseInputs, chosenFor, resolveInputs } from './resolve.ts';
import type { SourcePorts } from './sources.ts';
import { readSources } from './sources.ts';

/** What sets the inputs of a server besides itself and its Deployment. */
export interface InputScope {
  readonly server: Server;
  /** The inputs of the template as its revision froze them. */
  readonly template: TemplateRevision;
  readonly run?: { readonly name: string; readonly inputs: Level['inputs'] };
}

/** Whether a server's boot and decommission scripts have all they need. */
export interface InputOutcome {
  readonly status: 'True' | 'False' | 'Unknown';
  readonly reason: InputProblem['reason'] | 'Resolved';
  readonly message: string;
  /** For `Server.status.inputs`: levels and references, never values. */
  readonly sources: NonNullable<ServerStatus['inputs']>;
}

/** The environment of each script, in the order of `scripts`. Fails only when the API server does (`kube.*`). */
export async function resolveServerInputs(
  ports: SourcePorts,
  scope: InputScope,
  scripts: readonly Declarer[],
): Promise<readonly Resolution[]> {
  const namespace = scope.server.metadata.namespace ?? '';
  const choices = chooseInputs(levelsOf(ports.cache, scope));
  const readings = await readSources(ports, namespace, chosenFor(choices, scripts));
  return scripts.map((script) => resolveInputs(script, choices, readings));
}

/**
 * Looks at everything that boot and decommission will need, before a machine is paid for. Unknown while another
 * object has yet to publish its address; a cycle of servers that wait for each other's is False.
 */
export async function checkServerInputs(ports: SourcePorts, scope: InputScope): Promise<InputOutcome> {
  const steps = [...scope.template.boot, ...scope.template.decommission].map((step) => step.script);
  const scripts = scope.template.scripts.filter((script) => steps.includes(script.name));
  const resolutions = await resolveServerInputs(ports, scope, scripts);
  const inputs = new Map(resolutions.flatMap((one) => one.inputs).map((input) => [input.name, input]));
  const problems = resolutions.flatMap((one) => one.problems);
  const sources = [...inputs.values()].map(({ name, level, ref }) => ({ name, level, ref }));
  const worst = problems.find((problem) => !problem.waiting) ?? problems[0];
  if (worst === undefined) {
    return { status: 'True', reason: 'Resolved', message: `${inputs.size} inputs resolved.`, sources };
  }
  const cycle = worst.waiting ? waitingCycle(ports.cache, scope.server) : undefined;
  if (cycle !== undefined) {
    const message = `Servers wait for the addresses of each other: ${cycle.join(' -> ')}. Set one of these inputs otherwise.`;
    return { status: 'False', reason: 'InputCycle', message, sources };
  }
  const message = [...new Set(problems.map((problem) => problem.message))].join(' ');
  return { status: worst.waiting ? 'Unknown' : 'False', reason: worst.reason, message, sources };
}

/** The levels above the scripts' own defaults. */
function levelsOf(cache: Cache, scope: InputScope): readonly Level[] {
  const { server, template, run } = scope;
  const own = ownLevels(cache, server, template.inputs);
  return run === undefined ? own : [...own, { level: 'ScriptRun', ...run }];
}

function ownLevels(cache: Cache, server: Server, templateInputs: Level['inputs']): readonly Level[] {
  const { deploymentRef, serverTemplateRef, inputs } = server.spec;
  const deployment = cache.get(siteDeploymentKind, keyBeside(server, deploymentRef.name));
  const { [labels.array]: arrayName, [labels.cluster]: clusterName } = server.metadata.labels ?? {};
  const array =
    arrayName === undefined ? undefined : cache.get(serverArrayKind, keyBeside(server, arrayName));
  const cluster =
    clusterName === undefined ? undefined : cache.get(mySQLClusterKind, keyBeside(server, clusterName));
  return [
    { level: 'ServerTemplate', name: serverTemplateRef.name, inputs: templateInputs },
    { level: 'Deployment', name: deploymentRef.name, inputs: deployment?.spec.inputs },
    ...(array === undefined
      ? []
      : [{ level: 'Array' as const, name: array.metadata.name, inputs: array.spec.inputs }]),
    ...(cluster === undefined
      ? []
      : [{ level: 'Cluster' as const, name: cluster.metadata.name, inputs: cluster.spec.inputs }]),
    { level: 'Server', name: server.metadata.name, inputs },
  ];
}

/** The names along a circle of servers without address that leads back to this one; undefined when there is none. */
function waitingCycle(cache: Cache, server: Server): readonly string[] | undefined {
  const seen = new Set<string>();
  const follow = (at: Server, path: readonly string[]): readonly string[] | undefined => {
    for (const name of waitsFor(cache, at)) {
      if (name === server.metadata.name) return [...path, name];
      const key = keyBeside(server, name);
      const next = cache.get(serverKind, key);
      if (next === undefined || seen.has(keyText(key))) continue;
      seen.add(keyText(key));
      const found = follow(next, [...path, name]);
      if (found !== undefined) return found;
    }
    return undefined;
  };
  return follow(server, [server.metadata.name]);
}

/** Servers without address whose address a boot script of this server needs. */
function waitsFor(cache: Cache, server: Server): readonly string[] {
  const template = cache.get(serverTemplateKind, keyBeside(server, server.spec.serverTemplateRef.name));
  if (template === undefined || server.status?.privateIP !== undefined) return [];
  const choices: Choices = chooseInputs(ownLevels(cache, server, template.spec.inputs));
  const scripts = (template.spec.boot ?? []).flatMap((step): Declarer[] => {
    const script = cache.get(scriptKind, keyBeside(server, step.scriptRef.name));
    return script === undefined ? [] : [declarerOf(script.metadata.name, script.spec)];
  });
  return chosenFor(choices, scripts)
    .map((choice) => choice.source)
    .filter((source) => source.from === 'Endpoint' && source.kind === 'Server')
    .map((source) => ('endpoint' in source ? source.name : ''))
    .filter((name) => cache.get(serverKind, keyBeside(server, name))?.status?.privateIP === undefined);
}

function declarerOf(name: string, spec: Pick<Declarer, 'inputs'>): Declarer {
  return spec.inputs === undefined ? { name } : { name, inputs: spec.inputs };
}

function keyBeside(server: Server, name: string): ObjectKey {
  return { namespace: server.metadata.namespace ?? '', name };
}
