/** Does on hosts what a renewal of a certificate needs next; all of it may be repeated. */
import type { MySQLCluster } from '../../api/mysql-cluster.ts';
import { AppError } from '../../base/errors.ts';
import type { ClusterAccess } from '../../cluster-access/access.ts';
import { stampOf } from '../../cluster-access/stamp.ts';
import type { Certificates } from '../../database/port.ts';
import type { CertificateAction } from './decide/plan.ts';

/** The cluster, with the record of what is to be done, and the ways to its hosts. */
interface Reach {
  readonly cluster: MySQLCluster;
  readonly access: ClusterAccess;
}

export async function changeCertificate(
  { cluster, access }: Reach,
  action: CertificateAction,
): Promise<void> {
  const stamp = stampOf(cluster);
  const member = access.member(action.member.server);
  if (stamp === undefined || member === undefined) {
    throw new AppError('shell.unreachable', `${action.member.name} cannot be reached`);
  }
  const certificates: Certificates = member.database.certificates;
  switch (action.do) {
    case 'certify':
      return await certificates.make(member.address, action.mark, stamp);
    case 'trust': {
      const source = access.member(action.of.server);
      if (source === undefined) {
        throw new AppError('shell.unreachable', `${action.of.name} cannot be reached`);
      }
      return await certificates.trust(await source.database.certificate(), action.keep, stamp);
    }
    case 'present':
      return await certificates.present(action.fingerprint, stamp);
    case 'discard':
      return await certificates.discard(action.fingerprint, stamp);
  }
}
