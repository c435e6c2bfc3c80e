/** Times, names and commands as messages show them. Pure. */
import { group, labels } from '../../../api/meta.ts';
import type { Server } from '../../../api/server.ts';
import type { Instant, Millis } from '../../../base/clock.ts';
import type { Observed, Offering } from './plan.ts';

/** Milliseconds since the recorded time; Infinity when there is none. */
export function elapsedSince(time: string | undefined, now: Instant): Millis {
  return time === undefined ? Number.POSITIVE_INFINITY : now - Date.parse(time);
}

/**
 * When to look again at something that takes its time: soon at first, then the less often the longer it takes, so that
 * it is noticed after a twentieth more at most, and a thousand of them leave time for others.
 */
export function nextLook(begun: string | undefined, now: Instant): Millis {
  return Math.min(15_000, Math.max(1_000, elapsedSince(begun, now) / 20));
}

/** `20:10:04Z`, for messages: a time of day does not change from pass to pass, a remaining time would. */
export function clockTime(at: Instant): string {
  return `${new Date(at).toISOString().slice(11, 19)}Z`;
}

/** `t3.small in eu-west-1a`. */
export function describeOffering({ instanceType, subnetID, zone }: Offering): string {
  const place = zone ?? subnetID;
  return place === undefined ? instanceType : `${instanceType} in ${place}`;
}

/** `web-1 [i-0abc…]`. */
export function nameWithInstance({ server, status }: Pick<Observed, 'server' | 'status'>): string {
  const { name } = server.metadata;
  return status.instanceID === undefined ? name : `${name} [${status.instanceID}]`;
}

/** Marks a Server as one that may go though its owner stays. */
export function labelCommand({ metadata: { namespace, name } }: Server): string {
  const where = namespace === undefined ? '' : ` -n ${namespace}`;
  return `kubectl label servers.${group} ${name}${where} ${labels.allowDelete}=true`;
}

/** A command that can be pasted. */
export function annotateCommand(server: Server, annotation: string, value: string): string {
  const { namespace, name } = server.metadata;
  const where = namespace === undefined ? '' : ` -n ${namespace}`;
  return `kubectl annotate${where} rlsrv/${name} ${annotation}=${value} --overwrite`;
}
