/** Sends one launch request, or looks up what it made; turns EC2's reaction into an answer. */

import type { OpenAccount } from '../../accounts/port.ts';
import type { LaunchBatch } from '../../api/launch-batch.ts';
import { AppError, hasCode } from '../../base/errors.ts';
import type { Failpoints } from '../../base/failpoints.ts';
import type { LaunchRequest, Volume } from '../../cloud/port.ts';
import type { Answer } from './status.ts';
import { clientToken } from './token.ts';

export interface LaunchTarget {
  readonly opened: OpenAccount;
  readonly installation: string;
  readonly failpoints: Failpoints;
}

/** One attempt. Idempotent: EC2 answers the batch's token with the same machines every time. */
export async function launchBatch(batch: LaunchBatch, target: LaunchTarget): Promise<Answer> {
  const { opened, installation, failpoints } = target;
  failpoints.hit('launch.before-run-instances');
  try {
    const machines = await opened.cloud.machines.launch(requestOf(batch, installation));
    opened.view.learn(machines);
    failpoints.hit('launch.after-run-instances');
    return { type: 'launched', machines };
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    if (error.code === 'cloud.token-terminated')
      return { ...(await lookUp(batch, target)), tokenSpent: true };
    return answerTo(error);
  }
}

/** Which machines the token made; cannot make more. */
export async function lookUp(
  batch: LaunchBatch,
  target: LaunchTarget,
): Promise<Answer & { readonly type: 'found' }> {
  const { opened, installation } = target;
  const machines = await opened.cloud.machines.findByToken(clientToken(installation, batch.metadata.uid));
  opened.view.learn(machines);
  return { type: 'found', machines, tokenSpent: false };
}

/** The request exactly as frozen; only the token is added, and it is derived from the batch itself. */
function requestOf(batch: LaunchBatch, installation: string): LaunchRequest {
  const { uid } = batch.metadata;
  const { request } = batch.spec;
  return {
    clientToken: clientToken(installation, uid),
    minCount: request.minCount,
    maxCount: request.maxCount,
    imageId: request.imageID,
    instanceType: request.instanceType,
    ...(request.subnetID === undefined ? {} : { subnetId: request.subnetID }),
    ...(request.zone === undefined ? {} : { zone: request.zone }),
    securityGroupIds: request.securityGroupIDs,
    ...(request.instanceProfile === undefined ? {} : { instanceProfile: request.instanceProfile }),
    spot: request.spot,
    metadataHopLimit: request.metadataHopLimit,
    ...(request.rootVolume === undefined ? {} : { rootVolume: volumeOf(request.rootVolume) }),
    ...(request.dataVolume === undefined ? {} : { dataVolume: volumeOf(request.dataVolume) }),
    userData: request.userData,
    tags: { ...request.tags, 'ridgeline:batch': uid },
  };
}

function volumeOf({ kmsKeyID, ...rest }: NonNullable<LaunchBatch['spec']['request']['rootVolume']>): Volume {
  return kmsKeyID === undefined ? rest : { ...rest, kmsKeyId: kmsKeyID };
}

function answerTo(error: AppError): Answer {
  if (hasCode(error, 'cloud.ambiguous')) return { type: 'unanswered', error };
  if (hasCode(error, 'cloud.throttled', 'cloud.unreachable', 'cloud.not-leading')) {
    return { type: 'postponed', error };
  }
  return { type: 'refused', error };
}
