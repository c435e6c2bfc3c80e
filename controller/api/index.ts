/** The registry: every kind of the project. What is generated and what is watched is read from here. */
import { cloudAccountKind } from './cloud-account.ts';
import { siteDeploymentKind } from './deployment.ts';
import { launchBatchKind } from './launch-batch.ts';
import { scriptRunKind } from './script-run.ts';
import { scriptKind } from './script.ts';
import { serverTemplateKind } from './server-template.ts';
import { serverKind } from './server.ts';

export const kinds = [
  cloudAccountKind,
  siteDeploymentKind,
  serverTemplateKind,
  scriptKind,
  serverKind,
  scriptRunKind,
  launchBatchKind,
] as const;
