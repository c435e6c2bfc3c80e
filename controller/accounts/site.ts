/** The site an object belongs to: its Deployment, the account that pays, and whether anything may be changed now. */
import { type CloudAccount, cloudAccountKind } from '../api/cloud-account.ts';
import { type SiteDeployment, siteDeploymentKind } from '../api/deployment.ts';
import { isPaused, type ObjectMeta } from '../api/meta.ts';
import type { Cache } from '../kube/port.ts';

/** Whatever names its Deployment. */
export interface SiteMember {
  readonly metadata: ObjectMeta;
  readonly spec: { readonly deploymentRef: { readonly name: string }; readonly suspend?: boolean };
}

/** What an object belongs to, as far as it exists. */
export interface Site {
  /** Undefined is what does not exist. */
  readonly deployment: SiteDeployment | undefined;
  readonly account: CloudAccount | undefined;
  /** The paused annotation, or `suspend` of the object or its Deployment: change nothing. */
  readonly suspended: boolean;
}

/** As far as the cache has heard. */
export function siteOf(cache: Cache, member: SiteMember): Site {
  const { namespace = '' } = member.metadata;
  const { deploymentRef, suspend = false } = member.spec;
  const deployment = cache.get(siteDeploymentKind, { namespace, name: deploymentRef.name });
  return {
    deployment,
    account: deployment && cache.get(cloudAccountKind, { name: deployment.spec.accountRef.name }),
    suspended: suspend || isPaused(member) || deployment?.spec.suspend === true,
  };
}
