/** What a protected object protects besides itself: the Servers it owns and the namespace it lives in. Policies of the API server, no webhooks. */
import { siteDeploymentKind } from './deployment.ts';
import type { Kind } from './kind.ts';
import { apiVersion, group, labels } from './meta.ts';
import { mySQLClusterKind } from './mysql-cluster.ts';
import { home } from './rbac.ts';
import { serverKind } from './server.ts';
import { serverArrayKind } from './server-array.ts';

type AnyKind = Pick<Kind<unknown, unknown>, 'kind' | 'plural'>;

/** Kinds with `spec.deletionProtection`. */
const protectable: readonly AnyKind[] = [siteDeploymentKind, mySQLClusterKind, serverArrayKind, serverKind];
/** Those among them that own Servers. */
const owners: readonly AnyKind[] = [mySQLClusterKind, serverArrayKind];

interface Policy {
  readonly name: string;
  /** The objects that are looked at beside the one that is to be deleted: all of this kind in its namespace. */
  readonly beside: AnyKind;
  readonly deleted: { readonly apiGroups: readonly string[]; readonly resources: readonly string[] };
  /** CEL: the request may pass; `params` is one of those beside it. */
  readonly expression: string;
  /** CEL: the refusal. */
  readonly message: string;
}

const isUnprotected = '!has(params.spec.deletionProtection) || !params.spec.deletionProtection';

/** Every object of `manifests/protection.yaml`, in the order in which they are written. */
export function protectionObjects(): readonly object[] {
  return [
    ...owners.map(serverPolicy).flatMap(policyObjects),
    ...protectable.map(namespacePolicy).flatMap(policyObjects),
    ...secretPolicy(),
  ];
}

/** A Server shares the protection of its owner; the owner marks those that it gives up itself. */
function serverPolicy(owner: AnyKind): Policy {
  const name = 'oldObject.metadata.name';
  return {
    name: `ridgeline-servers-of-${owner.plural}`,
    beside: owner,
    deleted: { apiGroups: [group], resources: [serverKind.plural] },
    expression: `${isUnprotected}
|| !has(oldObject.metadata.ownerReferences)
|| !oldObject.metadata.ownerReferences.exists(owner, owner.uid == params.metadata.uid)
|| (has(oldObject.metadata.labels) && '${labels.allowDelete}' in oldObject.metadata.labels)`,
    message: `'Server ' + ${name} + ' belongs to ${owner.kind} ' + params.metadata.name
+ ', which is protected. To delete this Server alone, and end its machine, first run: kubectl label ${serverKind.plural}.${group} '
+ ${name} + ' -n ' + oldObject.metadata.namespace + ' ${labels.allowDelete}=true'`,
  };
}

/** Where a namespace goes everything goes, in any order, and nothing that is needed to look after a database can be made any more. */
function namespacePolicy(kind: AnyKind): Policy {
  return {
    name: `ridgeline-namespaces-of-${kind.plural}`,
    beside: kind,
    deleted: { apiGroups: [''], resources: ['namespaces'] },
    expression: isUnprotected,
    message: `'Namespace ' + params.metadata.namespace + ' holds ${kind.kind} ' + params.metadata.name
+ ', which is protected. To delete both, first run: kubectl patch ${kind.plural}.${group} ' + params.metadata.name
+ ' -n ' + params.metadata.namespace + ' --type=merge -p \\'{"spec":{"deletionProtection":false}}\\''`,
  };
}

function policyObjects({ name, beside, deleted, expression, message }: Policy): readonly object[] {
  return [
    policyObject(name, {
      paramKind: { apiVersion, kind: beside.kind },
      matchConstraints: { resourceRules: [{ ...deleted, apiVersions: ['*'], operations: ['DELETE'] }] },
      validations: [{ expression, reason: 'Forbidden', messageExpression: message }],
    }),
    bindingObject(name, { paramRef: { selector: {}, parameterNotFoundAction: 'Allow' } }),
  ];
}

/** The controller may hold a Secret with a finalizer, and change nothing else of it. */
function secretPolicy(): readonly object[] {
  const name = 'ridgeline-controller-secrets';
  const user = `system:serviceaccount:${home.namespace}:${home.serviceAccount}`;
  const resourceRule = {
    apiGroups: [''],
    apiVersions: ['*'],
    operations: ['UPDATE'],
    resources: ['secrets'],
  };
  return [
    policyObject(name, {
      matchConstraints: { resourceRules: [resourceRule] },
      matchConditions: [{ name: 'ours', expression: `request.userInfo.username == '${user}'` }],
      validations: [
        {
          expression: ['data', 'type', 'immutable', 'metadata.labels', 'metadata.annotations']
            .map(isSame)
            .join('\n&& '),
          reason: 'Forbidden',
          message: 'Ridgeline may change nothing but the finalizers of a Secret.',
        },
      ],
    }),
    bindingObject(name, {}),
  ];
}

/** CEL: the field is what it was, or absent as it was. */
function isSame(field: string): string {
  const [now, before] = [`object.${field}`, `oldObject.${field}`];
  return `has(${now}) == has(${before}) && (!has(${now}) || ${now} == ${before})`;
}

function policyObject(name: string, spec: object): object {
  return {
    ...admission('ValidatingAdmissionPolicy'),
    metadata: { name },
    spec: { failurePolicy: 'Fail', ...spec },
  };
}

function bindingObject(name: string, spec: object): object {
  return {
    ...admission('ValidatingAdmissionPolicyBinding'),
    metadata: { name },
    spec: { policyName: name, ...spec, validationActions: ['Deny'] },
  };
}

function admission(kind: string) {
  return { apiVersion: 'admissionregistration.k8s.io/v1', kind };
}
