/** An order for one plain machine, for tests that need a machine and not how it is ordered. */
import type { LaunchRequest } from '../../controller/cloud/port.ts';

export function aLaunch(installation: string, changes: Partial<LaunchRequest> = {}): LaunchRequest {
  return {
    clientToken: 'token',
    minCount: 1,
    maxCount: 1,
    imageId: 'ami-0123456789abcdef0',
    instanceType: 't3.small',
    subnetId: 'subnet-a',
    securityGroupIds: [],
    spot: false,
    metadataHopLimit: 1,
    userData: '',
    tags: { 'ridgeline:installation': installation },
    ...changes,
  };
}
