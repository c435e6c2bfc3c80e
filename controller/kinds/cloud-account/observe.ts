/** Gathers what is known of an account: the probe, the login key, and what counts against its limit. */

import type { Accounts } from '../../accounts/port.ts';
import { countServers } from '../../accounts/spending.ts';
import { type CloudAccount, cloudAccountKind } from '../../api/cloud-account.ts';
import { siteDeploymentKind } from '../../api/deployment.ts';
import { type LaunchBatch, launchBatchKind } from '../../api/launch-batch.ts';
import type { AnyObject } from '../../api/meta.ts';
import { serverKind } from '../../api/server.ts';
import { serverTemplateKind } from '../../api/server-template.ts';
import type { Instant } from '../../base/clock.ts';
import { AppError } from '../../base/errors.ts';
import type { Machine } from '../../cloud/port.ts';
import type { Cache, Kube } from '../../kube/port.ts';
import { ensureLoginKey } from './act.ts';
import type { Observed } from './decide.ts';
import type { LaunchSample, Probes } from './probe.ts';

export interface ObservePorts {
  readonly kube: Kube;
  readonly cache: Cache;
  readonly accounts: Accounts;
  readonly probes: Probes;
  readonly controllerNamespace: string;
}

const quotaMemory = 300_000;

/** Makes the login key when there is none. AWS is asked seldom, and its failures are facts in the probe. */
export async function observe(ports: ObservePorts, account: CloudAccount, now: Instant): Promise<Observed> {
  const { name } = account.metadata;
  const batches = ports.cache.list(launchBatchKind).filter((batch) => batch.spec.accountRef.name === name);
  const machines = await listedMachines(ports.accounts, account);
  return {
    now,
    account,
    probe: await ports.probes.of(ports.accounts, account, sampleOf(ports.cache), now),
    loginKey: await ensureLoginKey(ports.kube, account, ports.controllerNamespace),
    servers: machines && countServers({ now, machines, batches }),
    quota: quotaOf(batches, now),
    users: usersOf(ports.cache, account),
  };
}

/** Deployments that name it, and Servers whose machines are in it. */
export function usersOf(cache: Cache, { metadata: { name } }: CloudAccount): readonly AnyObject[] {
  return [
    ...cache.list(siteDeploymentKind).filter(({ spec }) => spec.accountRef.name === name),
    ...cache.list(serverKind).filter(({ status }) => status?.accountRef?.name === name),
  ];
}

async function listedMachines(
  accounts: Accounts,
  account: CloudAccount,
): Promise<readonly Machine[] | undefined> {
  try {
    const { view } = await accounts.open(account);
    return view.sweptAt === undefined ? undefined : view.all();
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    return undefined;
  }
}

/** Any template's image and type will do to ask whether a launch would be allowed. */
function sampleOf(cache: Cache): LaunchSample {
  const template = cache
    .list(serverTemplateKind)
    .toSorted((a, b) => (a.metadata.uid < b.metadata.uid ? -1 : 1))
    .find((candidate) => candidate.status?.imageID !== undefined);
  const imageId = template?.status?.imageID;
  const instanceType = template?.spec.instance.types[0];
  return imageId === undefined || instanceType === undefined ? undefined : { imageId, instanceType };
}

function quotaOf(batches: readonly LaunchBatch[], now: Instant): string | undefined {
  const recent = batches.find(({ status }) => {
    const at = Date.parse(status?.completionTime ?? '');
    return status?.reason === 'QuotaExceeded' && now - at < quotaMemory;
  });
  return recent?.status?.message;
}

/** Every account: what happens to servers and launches may concern any of them. */
export function allAccounts(cache: Cache) {
  return cache.list(cloudAccountKind).map(({ metadata }) => ({ name: metadata.name }));
}
