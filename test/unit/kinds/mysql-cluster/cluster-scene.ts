/** A cluster as its decisions see it: members, jobs and Promotions put together by hand. */
import { labels } from '../../../../controller/api/meta.ts';
import { type MySQLCluster, mySQLClusterKind } from '../../../../controller/api/mysql-cluster.ts';
import { type Promotion, type PromotionStatus, promotionKind } from '../../../../controller/api/promotion.ts';
import { timestamp } from '../../../../controller/base/clock.ts';
import type { Member } from '../../../../controller/kinds/mysql-cluster/decide/member.ts';
import type { Observed } from '../../../../controller/kinds/mysql-cluster/decide/plan.ts';
import { words } from '../../../builders/site.ts';
import { member, now, observed, record } from './durability-scene.ts';

const spec = mySQLClusterKind.options.spec;

/** A cluster of three with a healthy primary db-1, whatever `changes` say. */
export function scene(
  members: readonly Member[],
  changes: Partial<Omit<Observed, 'cluster' | 'status'>> & {
    readonly spec?: object;
    readonly status?: object;
    readonly annotations?: Readonly<Record<string, string>>;
  } = {},
): Observed {
  const { spec: wanted, status, annotations = {}, ...more } = changes;
  const base = observed({ members: members.map(settled), durability: record('Protected', 'db-2', 'db-3') });
  return {
    ...base,
    allowance: 10,
    ...more,
    cluster: cluster({ instances: 3, ...wanted }, annotations),
    status: { ...base.status, ...status },
  };
}

function cluster(wanted: object, annotations: Readonly<Record<string, string>>): MySQLCluster {
  const metadata = {
    namespace: 'shop',
    name: 'db',
    uid: 'uid-db',
    resourceVersion: '1',
    creationTimestamp: timestamp(0),
    annotations,
  };
  const full = {
    deploymentRef: { name: 'shop' },
    serverTemplateRef: { name: 'mariadb' },
    engine: { flavor: 'MariaDB', version: '11.8' },
    ...wanted,
  };
  return { ...words(mySQLClusterKind), metadata, spec: spec.parse(full) as MySQLCluster['spec'] };
}

/** A server that has booted and is at this step, as status remembers it. */
export function coming(name: string, step: object, changes: Partial<Member> = {}): Member {
  return member(name, {
    record: { server: name, instanceID: `i-${name}`, ...step },
    isPrimary: false,
    ...changes,
  });
}

/** One whose Server is to take a machine over, and has not yet. */
export function adopting(name: string, step: object, changes: Partial<Member> = {}): Member {
  const server = {
    metadata: { uid: `uid-${name}`, labels: { [labels.role]: 'joining' } },
    spec: { adopt: { instanceID: `i-${name}` }, deletionPolicy: 'Retain', deletionProtection: false },
  };
  return coming(name, step, { server: server as never, ...changes });
}

/** With a Server object that may be acted upon. */
function settled(changes: Member): Member {
  const server = {
    metadata: { uid: `uid-${changes.name}`, labels: {} },
    spec: { deletionProtection: false },
    ...(changes.server.spec?.adopt === undefined ? {} : changes.server),
  };
  return { ...changes, server: server as never };
}

/** A Promotion that ended `ago` seconds ago with this reason, or runs when there is none. */
export function promotion(
  name: string,
  {
    reason,
    ago = 1_000,
    spec: wanted = {},
    ...status
  }: PromotionStatus & {
    readonly reason?: string;
    readonly ago?: number;
    readonly spec?: object;
  },
): Promotion {
  const isGood = reason === 'Completed';
  const isOver = reason !== undefined && reason !== 'Queued';
  const at = timestamp(now - ago * 1_000);
  const word = { message: '', lastTransitionTime: at };
  const conditions = [
    {
      type: 'Succeeded',
      status: isOver ? (isGood ? ('True' as const) : ('False' as const)) : ('Unknown' as const),
      reason: reason ?? 'Running',
      ...word,
    },
    { type: 'Finished', status: isOver ? ('True' as const) : ('False' as const), reason: 'x', ...word },
  ];
  return {
    ...words(promotionKind),
    metadata: {
      namespace: 'shop',
      name,
      uid: `uid-${name}`,
      resourceVersion: '1',
      creationTimestamp: timestamp(now - ago * 1_000 - 5_000),
    },
    spec: {
      clusterRef: { name: 'db' },
      mode: 'Forced',
      dataLoss: 'Refuse',
      trigger: 'Automatic',
      startDeadlineSeconds: 300,
      ...wanted,
    },
    status: { ...(isOver ? { completionTime: at } : {}), ...status, conditions },
  };
}
