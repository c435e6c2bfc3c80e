/** Everything one server of a run needs in order to run its scripts there. Reads only. */
import { createHash } from 'node:crypto';
import { hostOf } from '../../accounts/host.ts';
import type { Accounts } from '../../accounts/port.ts';
import { siteOf } from '../../accounts/site.ts';
import type { CloudAccount } from '../../api/cloud-account.ts';
import { isTrue } from '../../api/conditions.ts';
import { controllerRevisions } from '../../api/resource.ts';
import { scriptKind } from '../../api/script.ts';
import type { ScriptRun } from '../../api/script-run.ts';
import type { Server } from '../../api/server.ts';
import { serverKind } from '../../api/server.ts';
import {
  type FrozenScript,
  readTemplateRevision,
  type TemplateRevision,
} from '../../api/template-revision.ts';
import { AppError } from '../../base/errors.ts';
import type { Cloud } from '../../cloud/port.ts';
import { freezeScript } from '../../inputs/script-text.ts';
import type { Cache, Kube } from '../../kube/port.ts';
import type { Host } from '../../shell/port.ts';
import type { TargetRefusal } from './targets.ts';

export interface PlacePorts {
  readonly kube: Kube;
  readonly cache: Cache;
  readonly accounts: Accounts;
}

/** A server that can be worked on. */
export interface Place {
  readonly server: Server;
  readonly account: CloudAccount;
  readonly cloud: Cloud;
  readonly host: Host;
  readonly revision: TemplateRevision;
  readonly steps: readonly { readonly name: string; readonly script: FrozenScript }[];
}

/** Why there is no such place, and whether waiting may help. */
export type NoPlace = TargetRefusal & { readonly instanceID: string | undefined };

/** NoPlace says why not, and whether for good. Hosts are not asked. */
export async function findPlace(ports: PlacePorts, run: ScriptRun, name: string): Promise<Place | NoPlace> {
  const namespace = run.metadata.namespace ?? '';
  const server = ports.cache.get(serverKind, { namespace, name });
  const instanceID = server?.status?.instanceID;
  if (server === undefined || instanceID === undefined) {
    return {
      reason: 'TargetNotFound',
      message: `Server/${name} is gone.`,
      final: true,
      instanceID: undefined,
    };
  }
  const revision = readRevision(ports.cache, server);
  const account = siteOf(ports.cache, server).account;
  if (revision === undefined || account === undefined) {
    const what = revision === undefined ? 'its template revision' : 'its CloudAccount';
    return {
      reason: 'TargetNotFound',
      message: `Server/${name}: ${what} is gone.`,
      final: false,
      instanceID,
    };
  }
  const { cloud } = await ports.accounts.open(account);
  const host = hostOf(server, account, await ports.accounts.login(account));
  if (host === undefined) {
    const message = `Server/${name} has no address or no verified host key yet.`;
    return { reason: 'Unreachable', message, final: false, instanceID };
  }
  const steps = await stepsOf(ports, run, revision, cloud);
  if ('reason' in steps) return { ...steps, instanceID };
  return { server, account, cloud, host, revision, steps: steps.steps };
}

/** Beginning of the job ids of this run on this server; fits the 64 characters a job id may have. */
export function jobPrefix(run: ScriptRun, server: string): string {
  return createHash('sha256').update(`${run.metadata.uid}/${server}`).digest('hex').slice(0, 32);
}

type Steps = { readonly steps: Place['steps'] } | TargetRefusal;

/** The scripts to run: those of the revision the server was launched with, or one Script as it is now. */
async function stepsOf(
  ports: PlacePorts,
  run: ScriptRun,
  revision: TemplateRevision,
  cloud: Cloud,
): Promise<Steps> {
  const { phase, operation, scriptRef } = run.spec;
  if (scriptRef !== undefined) return currentScript(ports, run, scriptRef.name, cloud);
  const wanted =
    phase === 'Boot'
      ? revision.boot
      : phase === 'Decommission'
        ? revision.decommission
        : revision.operations.filter((step) => step.name === operation);
  if (phase === 'Operational' && wanted.length === 0) {
    const known = revision.operations.map((step) => step.name).join(', ') || 'none';
    const message = `The template of this server has no operation '${operation ?? ''}' (it has: ${known}).`;
    return { reason: 'OperationNotFound', message, final: true };
  }
  const steps = wanted.map(({ name, script: scriptName }) => {
    const script = revision.scripts.find((candidate) => candidate.name === scriptName);
    if (script === undefined) throw new AppError('invariant', `the revision lacks script ${scriptName}`);
    return { name, script };
  });
  return { steps };
}

async function currentScript(ports: PlacePorts, run: ScriptRun, name: string, cloud: Cloud): Promise<Steps> {
  const namespace = run.metadata.namespace ?? '';
  const script = ports.cache.get(scriptKind, { namespace, name });
  if (script === undefined) {
    return { reason: 'ScriptNotFound', message: `Script/${name} does not exist.`, final: false };
  }
  const frozen = await freezeScript(ports.kube, script, cloud.objects);
  if ('reason' in frozen) {
    return {
      reason: 'ScriptInvalid',
      message: `Script/${name}: ${frozen.message}`,
      final: isTrue(script, 'Ready'),
    };
  }
  return { steps: [{ name, script: frozen }] };
}

/**
 * Found by its hash alone: the server may meanwhile name another template for its next launch. Revisions are immutable
 * and written by us, so what is there is valid.
 */
function readRevision(cache: Cache, server: Server): TemplateRevision | undefined {
  const hash = server.status?.templateRevision;
  const all = cache.list(controllerRevisions, { namespace: server.metadata.namespace ?? '' });
  const stored = all.find((revision) => hash !== undefined && revision.metadata.name.endsWith(`-${hash}`));
  return readTemplateRevision(stored?.data);
}
