/** Makes the job of one step: resolves inputs and files now, and remembers what must be hidden in its log. */
import { createHash } from 'node:crypto';
import type { ScriptRun } from '../../api/script-run.ts';
import type { FrozenScript } from '../../api/template-revision.ts';
import type { InputProblem, ResolvedInput } from '../../inputs/resolve.ts';
import { resolveServerInputs } from '../../inputs/server-inputs.ts';
import { readKey } from '../../inputs/sources.ts';
import type { Attachment, Job } from '../../shell/port.ts';
import { environmentOf } from './environment.ts';
import type { Place, PlacePorts } from './place.ts';

export interface JobOrder {
  readonly jobID: string;
  readonly script: FrozenScript;
  readonly timeoutSeconds: number;
}

export type MadeJob =
  | {
      readonly job: Job;
      readonly secrets: readonly string[];
      /** Equal as long as none of the Secrets has changed. */
      readonly secretsVersion: string;
    }
  | { readonly problems: readonly Pick<InputProblem, 'message' | 'waiting'>[] };

/** The job, with the secret values it carries; or what it still lacks. Fails only when the API server does. */
export async function makeJob(
  ports: PlacePorts,
  run: ScriptRun,
  place: Place,
  order: JobOrder,
): Promise<MadeJob> {
  const { script } = order;
  const [resolution] = await resolveServerInputs(ports, scopeOf(run, place), [script]);
  const files = await readAttachments(ports, run, script);
  const problems = [...(resolution?.problems ?? []), ...files.problems];
  if (problems.length > 0) return { problems };
  const inputs = resolution?.inputs ?? [];
  const job: Job = {
    id: order.jobID,
    interpreter: script.interpreter,
    script: script.text,
    environment: environmentOf(run, place.server, inputs),
    attachments: files.attachments,
    packages: script.packages ?? [],
    runAs: script.runAs,
    timeoutSeconds: order.timeoutSeconds,
  };
  const versions = [
    ...files.versions,
    ...inputs.filter((input) => input.secret).map((input) => input.version),
  ];
  const secretsVersion = createHash('sha256').update(versions.join()).digest('hex').slice(0, 16);
  return { job, secrets: secretsIn(inputs, files.attachments), secretsVersion };
}

/** What keeps these scripts from running: for a refusal before anything has begun. */
export async function inputProblems(
  ports: PlacePorts,
  run: ScriptRun,
  place: Place,
): Promise<readonly InputProblem[]> {
  const scripts = place.steps.map((step) => step.script);
  const resolutions = await resolveServerInputs(ports, scopeOf(run, place), scripts);
  return resolutions.flatMap((resolution) => resolution.problems);
}

function scopeOf(run: ScriptRun, { server, revision }: Place) {
  return { server, template: revision, run: { name: run.metadata.name, inputs: run.spec.inputs } };
}

interface Files {
  /** Of the Secrets among the sources. */
  readonly versions: readonly string[];
  readonly attachments: readonly Attachment[];
  readonly problems: readonly { readonly message: string; readonly waiting: boolean }[];
}

async function readAttachments(ports: PlacePorts, run: ScriptRun, script: FrozenScript): Promise<Files> {
  const namespace = run.metadata.namespace ?? '';
  const read = (script.attachments ?? []).map(async ({ name, secretKeyRef, configMapKeyRef }) => {
    const secret = secretKeyRef !== undefined;
    const ref = secretKeyRef ?? configMapKeyRef ?? { name: '', key: '' };
    const reading = await readKey(ports.kube, namespace, { from: secret ? 'Secret' : 'ConfigMap', ...ref });
    return 'content' in reading
      ? {
          attachment: { name, content: reading.content.toString('base64'), secret },
          version: secret ? reading.version : undefined,
        }
      : { problem: { message: `File ${name} of Script ${script.name}: ${reading.message}`, waiting: false } };
  });
  const all = await Promise.all(read);
  return {
    attachments: all.flatMap(({ attachment }) => attachment ?? []),
    problems: all.flatMap(({ problem }) => problem ?? []),
    versions: all.flatMap(({ version }) => version ?? []),
  };
}

function secretsIn(inputs: readonly ResolvedInput[], attachments: readonly Attachment[]): readonly string[] {
  const values = inputs.filter((input) => input.secret).map((input) => input.value);
  const files = attachments.filter((file) => file.secret);
  return [...values, ...files.map((file) => Buffer.from(file.content, 'base64').toString('utf8'))];
}
