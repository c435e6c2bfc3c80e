/** Brings the log of one job from its host to the state store, with its secrets hidden. */
import { AppError } from '../../base/errors.ts';
import { type LogPart, readMasked, tailOf } from '../../job-logs/masked-log.ts';
import type { Action, ActPorts } from './action.ts';
import { makeJob } from './job.ts';
import type { Place } from './place.ts';

export interface CarriedLog {
  /** The end of this part, at most 2 KiB of printable text. */
  readonly tail: string;
  /** Length of the stored log, this part included. */
  readonly bytes: number;
  /** Where it is; undefined when the store did not take it. */
  readonly url: string | undefined;
}

/** A lost answer or a busy store is no reason to lose a log. */
const storeAttempts = 3;

/**
 * Writes the object anew: the parts of earlier steps, then this one, so doing it again gives the same object. Undefined
 * when the host has no log to give. A store that fails must not hold the result up: the tail is in status all the same.
 */
export async function carryLog(
  ports: ActPorts,
  action: Action,
  place: Place,
  { isLive }: { readonly isLive: boolean },
): Promise<CarriedLog | undefined> {
  const look = action.site?.look;
  const jobID = action.before.steps?.at(-1)?.jobID;
  if (look === undefined || !('logBytes' in look) || jobID === undefined) return undefined;
  const secrets = await secretsOf(ports, action, place, jobID);
  const part = { host: place.host, jobID, logBytes: look.logBytes, isLive, secrets };
  const body = await readPart(ports, part);
  if (body === undefined) return undefined;
  const section = Buffer.concat([Buffer.from(`=== ${titleOf(action, place)}\n`), body]);
  return { tail: tailOf(body), ...(await storeSection(action, place, section)) };
}

async function storeSection(
  action: Action,
  place: Place,
  section: Buffer,
): Promise<Pick<CarriedLog, 'bytes' | 'url'>> {
  const { bucket, prefix } = place.account.spec.stateStore;
  const { namespace = '', name } = action.run.metadata;
  const key = `${prefix}runs/${namespace}/${name}/${action.before.server}.log`;
  const keep = action.before.logBytes ?? 0;
  const { objects } = place.cloud;
  for (let attempt = 1; attempt <= storeAttempts; attempt += 1) {
    try {
      const before = keep === 0 ? undefined : await objects.get(bucket, key);
      const whole = Buffer.concat([(before ?? Buffer.alloc(0)).subarray(0, keep), section]);
      await objects.put(bucket, key, whole);
      return { bytes: whole.length, url: `s3://${bucket}/${key}` };
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
    }
  }
  return { bytes: keep, url: action.before.logURL };
}

async function readPart(ports: ActPorts, part: LogPart): Promise<Buffer | undefined> {
  try {
    return await readMasked(ports.shell, part);
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    return undefined;
  }
}

/**
 * What the job was given. After a restart of the controller that is what it would be given now, unless a Secret has
 * changed meanwhile: then nobody knows what to hide.
 */
async function secretsOf(
  ports: ActPorts,
  { run, before }: Action,
  place: Place,
  jobID: string,
): Promise<readonly string[] | undefined> {
  const remembered = ports.memory.secretsOf(jobID);
  const script = place.steps[(before.steps?.length ?? 0) - 1]?.script;
  if (remembered !== undefined || script === undefined) return remembered;
  const made = await makeJob(ports, run, place, { jobID, script, timeoutSeconds: script.timeoutSeconds });
  if (!('secrets' in made)) return undefined;
  const given = before.steps?.at(-1)?.secretsVersion ?? made.secretsVersion;
  return given === made.secretsVersion ? made.secrets : undefined;
}

function titleOf({ before }: Action, place: Place): string {
  const steps = before.steps ?? [];
  const step = steps.at(-1);
  const script = place.steps[steps.length - 1]?.script.name ?? '';
  return `step ${steps.length} of ${place.steps.length}: ${step?.name ?? ''} (${script}), attempt ${step?.attempt ?? 1}`;
}
