/** Who may do what in Kubernetes: the controller's own roles, and roles to give to people. */

import { backupKind } from './backup.ts';
import { cloudAccountKind } from './cloud-account.ts';
import { siteDeploymentKind } from './deployment.ts';
import { kinds } from './index.ts';
import type { Kind } from './kind.ts';
import { launchBatchKind } from './launch-batch.ts';
import { loadBalancerKind } from './load-balancer.ts';
import { group } from './meta.ts';
import { mySQLClusterKind } from './mysql-cluster.ts';
import { promotionKind } from './promotion.ts';
import { scriptKind } from './script.ts';
import { scriptRunKind } from './script-run.ts';
import { serverKind } from './server.ts';
import { serverArrayKind } from './server-array.ts';
import { serverTemplateKind } from './server-template.ts';

/** Where the controller lives, and the identity it acts with. */
export const home = {
  namespace: 'ridgeline-system',
  serviceAccount: 'ridgeline-controller',
  lease: 'ridgeline-controller',
} as const;

interface PolicyRule {
  readonly apiGroups: readonly string[];
  readonly resources: readonly string[];
  readonly resourceNames?: readonly string[];
  readonly verbs: readonly string[];
}

type AnyKind = Kind<unknown, unknown>;

const read = ['get', 'list', 'watch'];
const write = ['create', 'update', 'patch', 'delete', 'deletecollection'];

/** Kinds with a controller: their status is written. */
const reconciled: readonly AnyKind[] = [
  siteDeploymentKind,
  serverTemplateKind,
  scriptKind,
  serverKind,
  scriptRunKind,
  cloudAccountKind,
  launchBatchKind,
  loadBalancerKind,
  serverArrayKind,
  mySQLClusterKind,
  promotionKind,
];
/** Kinds the controller holds with a finalizer while something in the cloud belongs to them, or while they run. */
const held: readonly AnyKind[] = [
  siteDeploymentKind,
  serverTemplateKind,
  serverKind,
  scriptRunKind,
  cloudAccountKind,
  launchBatchKind,
  loadBalancerKind,
  serverArrayKind,
  mySQLClusterKind,
  promotionKind,
];
/** Kinds the controller makes and removes itself. */
const made: readonly AnyKind[] = [serverKind, scriptRunKind, launchBatchKind, promotionKind];

/** What a person who only starts things may create. */
const requests: readonly AnyKind[] = [scriptRunKind, backupKind, promotionKind];
const internal: readonly AnyKind[] = [launchBatchKind];

/** Every object of `manifests/rbac.yaml`, in the order in which they are written. */
export function rbacObjects(): readonly object[] {
  return [
    { apiVersion: 'v1', kind: 'ServiceAccount', metadata: inHome(home.serviceAccount) },
    clusterRole('ridgeline-controller', controllerRules()),
    clusterRoleBinding('ridgeline-controller'),
    roleObject('ridgeline-controller', homeRules()),
    roleBinding('ridgeline-controller'),
    ...peopleRoles(),
  ];
}

function controllerRules(): readonly PolicyRule[] {
  return [
    ruleFor(kinds, read),
    ruleFor(reconciled, ['patch'], '/status'),
    ruleFor(held, ['patch']),
    // An owner reference that blocks deletion needs this where the API server checks such references.
    ruleFor(held, ['update'], '/finalizers'),
    ruleFor(made, ['create', 'delete']),
    {
      apiGroups: ['apps'],
      resources: ['controllerrevisions'],
      verbs: [...read, 'create', 'update', 'delete'],
    },
    { apiGroups: [''], resources: ['secrets', 'configmaps', 'namespaces'], verbs: ['get'] },
    // SSH keys in its own namespace, passwords of a MySQLCluster beside it. It deletes no Secret, and a policy of
    // `protection.ts` lets it change nothing but finalizers.
    { apiGroups: [''], resources: ['secrets'], verbs: ['create', 'patch'] },
    { apiGroups: ['events.k8s.io'], resources: ['events'], verbs: ['create', 'patch'] },
  ];
}

/** In its own namespace: the leader's lease. Creation cannot be limited by name. */
function homeRules(): readonly PolicyRule[] {
  const leases = { apiGroups: ['coordination.k8s.io'], resources: ['leases'] };
  return [
    { ...leases, verbs: ['create'] },
    { ...leases, resourceNames: [home.lease], verbs: ['get', 'patch'] },
  ];
}

function peopleRoles(): readonly object[] {
  const namespaced = kinds.filter(({ scope }) => scope === 'Namespaced');
  const usable = namespaced.filter((kind) => !internal.includes(kind));
  const scalable = usable.filter(({ options }) => options.scale !== undefined);
  const viewer = [ruleFor(namespaced, read)];
  const scale = ruleFor(scalable, ['get', 'update', 'patch'], '/scale');
  // Nothing of a run can be changed but `cancel` and the time after which it is deleted.
  const runner = [
    ...viewer,
    ruleFor(requests, ['create']),
    ruleFor([scriptRunKind], ['update', 'patch']),
    scale,
  ];
  const author = [...viewer, ruleFor(usable, write), scale];
  return [
    clusterRole('ridgeline-viewer', viewer, { 'rbac.authorization.k8s.io/aggregate-to-view': 'true' }),
    clusterRole('ridgeline-runner', runner),
    clusterRole('ridgeline-author', author),
    clusterRole('ridgeline-admin', [...author, ruleFor([cloudAccountKind], [...read, ...write])]),
  ];
}

function ruleFor(of: readonly AnyKind[], verbs: readonly string[], subresource = ''): PolicyRule {
  return { apiGroups: [group], resources: of.map(({ plural }) => plural + subresource), verbs };
}

function clusterRole(name: string, rules: readonly PolicyRule[], labels?: Readonly<Record<string, string>>) {
  return { ...rbacReference('ClusterRole'), metadata: { name, ...(labels && { labels }) }, rules };
}

function roleObject(name: string, rules: readonly PolicyRule[]) {
  return { ...rbacReference('Role'), metadata: inHome(name), rules };
}

function clusterRoleBinding(name: string) {
  return {
    ...rbacReference('ClusterRoleBinding'),
    metadata: { name },
    ...bindingObject('ClusterRole', name),
  };
}

function roleBinding(name: string) {
  return { ...rbacReference('RoleBinding'), metadata: inHome(name), ...bindingObject('Role', name) };
}

function bindingObject(kind: 'ClusterRole' | 'Role', name: string) {
  return {
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind, name },
    subjects: [{ kind: 'ServiceAccount', ...inHome(home.serviceAccount) }],
  };
}

function rbacReference(kind: string) {
  return { apiVersion: 'rbac.authorization.k8s.io/v1', kind };
}

function inHome(name: string) {
  return { name, namespace: home.namespace };
}
