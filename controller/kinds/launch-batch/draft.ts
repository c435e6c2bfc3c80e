/** Composes a launch batch: everything EC2 will be asked for, frozen before it is asked. Pure. */
import type { CloudAccount } from '../../api/cloud-account.ts';
import type { SiteDeployment } from '../../api/deployment.ts';
import { type LaunchBatch, type LaunchBatchSpec, launchBatchKind } from '../../api/launch-batch.ts';
import { apiVersion, labels } from '../../api/meta.ts';
import type { TemplateRevision } from '../../api/template-revision.ts';
import type { NewObject } from '../../kube/port.ts';
import type { LaunchWish, Waiting } from './group.ts';
import { batchName } from './token.ts';
import { renderUserData } from './user-data.ts';

export interface DraftInput {
  readonly account: CloudAccount;
  readonly deployment: SiteDeployment;
  readonly revision: TemplateRevision;
  /** The account's public key, as an `authorized_keys` line. */
  readonly publicKey: string;
  /** This installation's tag value. */
  readonly installation: string;
  readonly group: readonly Waiting[];
  /** One per server of the group. */
  readonly attestationUrls: readonly string[];
}

/** The name of the batch that launches exactly this group. */
export function nameOf(group: readonly Waiting[]): string {
  return batchName(
    group.map(({ server, wish }) => ({
      uid: server.metadata.uid,
      incarnation: wish.incarnation,
      attempt: wish.attempt,
    })),
  );
}

/** `group` is not empty and all its servers ask for the same. */
export function draftBatch(input: DraftInput): NewObject<LaunchBatch> {
  const { account, deployment, group } = input;
  const [{ wish }] = group as readonly [Waiting];
  const { namespace } = deployment.metadata;
  return {
    apiVersion,
    kind: launchBatchKind.kind,
    metadata: {
      name: nameOf(group),
      ...(namespace === undefined ? {} : { namespace }),
      labels: { [labels.deployment]: deployment.metadata.name },
    },
    spec: {
      accountRef: { name: account.metadata.name },
      serverTemplateRef: { name: wish.template },
      templateRevision: wish.revision,
      request: requestOf(input, wish),
      slots: group.map(({ server, wish: { incarnation, attempt } }, index) => ({
        index,
        server: server.metadata.name,
        serverUID: server.metadata.uid,
        incarnation,
        attempt,
      })),
    },
  };
}

function requestOf(input: DraftInput, wish: LaunchWish): LaunchBatchSpec['request'] {
  const { account, deployment, revision, publicKey, group, attestationUrls } = input;
  const { instance } = revision;
  const baseGroups = deployment.spec.network?.securityGroupIDs ?? account.spec.network.securityGroupIDs ?? [];
  return {
    minCount: 1,
    maxCount: group.length,
    imageID: revision.imageID,
    instanceType: wish.instanceType,
    ...(wish.subnetID === undefined ? {} : { subnetID: wish.subnetID }),
    // A subnet lies in one zone; naming both would only be another way to be wrong.
    ...(wish.zone === undefined || wish.subnetID !== undefined ? {} : { zone: wish.zone }),
    securityGroupIDs: [...new Set([...baseGroups, ...revision.securityGroupIDs])],
    ...(instance.profile === undefined ? {} : { instanceProfile: instance.profile }),
    spot: instance.purchase === 'Spot',
    metadataHopLimit: instance.metadataHopLimit,
    ...(instance.rootVolume === undefined ? {} : { rootVolume: instance.rootVolume }),
    ...(instance.dataVolume === undefined ? {} : { dataVolume: instance.dataVolume }),
    userData: renderUserData({ user: account.spec.ssh.user, publicKey, attestationUrls }),
    tags: tagsOf(input, wish),
  };
}

/** Ours win over people's: without them the machine would not be found again. */
function tagsOf(
  { account, deployment, installation, group }: DraftInput,
  wish: LaunchWish,
): Record<string, string> {
  const own = [...(account.spec.tags ?? []), ...(deployment.spec.tags ?? [])];
  const names = group.map(({ server }) => server.metadata.name);
  return {
    ...Object.fromEntries(own.map(({ name, value }) => [name, value])),
    Name: names.length === 1 ? names.join() : `${deployment.metadata.name}/${wish.template}`,
    'ridgeline:installation': installation,
    'ridgeline:namespace': deployment.metadata.namespace ?? '',
    'ridgeline:kind': 'Server',
    'ridgeline:deployment': deployment.metadata.name,
    'ridgeline:template': wish.template,
    'ridgeline:revision': wish.revision,
  };
}
