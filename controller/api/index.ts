/** The registry: every kind of the project. What is generated and what is watched is read from here. */
import { backupKind } from './backup.ts';
import { cloudAccountKind } from './cloud-account.ts';
import { siteDeploymentKind } from './deployment.ts';
import { launchBatchKind } from './launch-batch.ts';
import { loadBalancerKind } from './load-balancer.ts';
import { mySQLClusterKind } from './mysql-cluster.ts';
import { promotionKind } from './promotion.ts';
import { scriptKind } from './script.ts';
import { scriptRunKind } from './script-run.ts';
import { serverKind } from './server.ts';
import { serverArrayKind } from './server-array.ts';
import { serverTemplateKind } from './server-template.ts';

/** In the order in which a newcomer should read about them. */
export const kinds = [
  siteDeploymentKind,
  serverTemplateKind,
  scriptKind,
  serverKind,
  serverArrayKind,
  loadBalancerKind,
  mySQLClusterKind,
  backupKind,
  promotionKind,
  scriptRunKind,
  cloudAccountKind,
  launchBatchKind,
] as const;
