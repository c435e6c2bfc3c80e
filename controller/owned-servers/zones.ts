/** The zones that the Servers of one owner can be spread over. */

import type { Accounts } from '../accounts/port.ts';
import type { CloudAccount } from '../api/cloud-account.ts';
import type { SiteDeployment } from '../api/deployment.ts';
import { AppError } from '../base/errors.ts';

/** The zones of the subnets Servers may be launched into; none while they are not known, or there is one subnet. */
export async function zonesOf(
  accounts: Accounts,
  deployment: SiteDeployment | undefined,
  account: CloudAccount | undefined,
): Promise<readonly string[]> {
  const ids = deployment?.spec.network?.subnetIDs ?? account?.spec.network.subnetIDs ?? [];
  // With one subnet there is nothing to spread over.
  if (account === undefined || ids.length < 2) return [];
  try {
    return [...new Set((await accounts.subnets(account, ids)).map(({ zone }) => zone))];
  } catch (error) {
    if (error instanceof AppError) return [];
    throw error;
  }
}
