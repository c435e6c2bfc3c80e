/** Whether a Server may take over the machine it names: it exists in this account, was let go, and nobody else has it. */
import type { CloudAccount } from '../../api/cloud-account.ts';
import { keyText, labels } from '../../api/meta.ts';
import { memberTag, primaryPart, retainedKey, retainedRecord, retainedTag } from '../../api/retained.ts';
import { type Server, serverKind } from '../../api/server.ts';
import { AppError } from '../../base/errors.ts';
import type { Cloud, Machine } from '../../cloud/port.ts';
import type { Cache } from '../../kube/port.ts';
import type { Adoption } from './decide/plan.ts';
import { type BasisInput, type BasisPorts, templateOf, whyNotPermitted } from './observe-basis.ts';

export interface AdoptionPorts extends BasisPorts {
  readonly claims: AdoptionClaims;
}

/** Machines that are about to be adopted, by the uid of the one Server that may: two passes at once never take the same. */
export class AdoptionClaims {
  readonly #holders = new Map<string, { readonly uid: string; readonly of: Server }>();

  /** Whether the machine is this Server's to take; the first that asks has it, as long as its object exists. */
  claim(cache: Cache, instanceID: string, server: Server): boolean {
    const { uid, namespace = '' } = server.metadata;
    const holder = this.#holders.get(instanceID);
    const live =
      holder &&
      cache.get(serverKind, {
        namespace: holder.of.metadata.namespace ?? namespace,
        name: holder.of.metadata.name,
      });
    if (holder !== undefined && holder.uid !== uid && live?.metadata.uid === holder.uid) return false;
    this.#holders.set(instanceID, { uid, of: server });
    return true;
  }
}

/** What EC2 and the state store do not answer is a reason to wait, not an error. */
export async function observeAdoption(
  ports: AdoptionPorts,
  input: BasisInput,
): Promise<Adoption | undefined> {
  try {
    return await readAdoption(ports, input);
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    return { state: 'waiting', message: `The adoption cannot be prepared: ${error.message}` };
  }
}

async function readAdoption(ports: AdoptionPorts, input: BasisInput): Promise<Adoption | undefined> {
  const { server } = input;
  const { adopt } = server.spec;
  if (adopt === undefined) return undefined;
  const permitted = whyNotPermitted(server, input.deployment, input.account);
  if ('ready' in permitted) return { state: 'waiting', message: permitted.message };
  const template = templateOf(ports.cache, server);
  if ('ready' in template) return { state: 'waiting', message: template.message };
  const { account } = permitted;
  const { cloud } = await ports.accounts.open(account);
  const [machine] = await cloud.machines.find([adopt.instanceID]);
  const refusal = whyNotAdoptable(ports, { server, account }, adopt.instanceID, machine);
  if (refusal !== undefined || machine === undefined) return { state: 'refused', message: refusal ?? '' };
  const sshHostKeys = adopt.sshHostKeys ?? (await readHostKeys(cloud, account, machine.id));
  if (sshHostKeys === undefined) {
    const message = `The host keys of ${machine.id} were not kept. Read them on its console and set spec.adopt.sshHostKeys, e.g. ED25519:SHA256:….`;
    return { state: 'refused', message };
  }
  const { name, hash } = template;
  return {
    state: 'ready',
    machine,
    accountName: account.metadata.name,
    template: name,
    revision: hash,
    sshHostKeys,
  };
}

function whyNotAdoptable(
  { cache, claims }: AdoptionPorts,
  { server, account }: { readonly server: Server; readonly account: CloudAccount },
  id: string,
  machine: Machine | undefined,
): string | undefined {
  const where = `CloudAccount/${account.metadata.name} (account ${account.status?.accountID ?? 'unknown'}, ${account.spec.region})`;
  if (machine === undefined) {
    return `${where} has no instance ${id} that this installation launched. Look at spec.adopt.instanceID and at the Deployment's CloudAccount.`;
  }
  const isEnding = ['terminated', 'shutting-down'].includes(machine.state);
  if (isEnding) return `${id} is ${machine.state}.`;
  const owner = cache
    .list(serverKind)
    .find(({ metadata, status }) => status?.instanceID === id && metadata.uid !== server.metadata.uid);
  if (owner !== undefined) {
    return `${id} belongs to Server ${keyText(owner.metadata)}. Delete that one first, with spec.deletionPolicy Retain.`;
  }
  if ((machine.tags[retainedTag] ?? '') === '') {
    return `${id} was not let go: it has no tag ${retainedTag}. If nobody looks after it: aws ec2 create-tags --resources ${id} --tags Key=${retainedTag},Value=by-hand`;
  }
  const lack = whyNotPrimary(server, machine);
  if (lack !== undefined) return lack;
  return claims.claim(cache, id, server) ? undefined : `Another Server is about to adopt ${id}.`;
}

/** A cluster begins only with what surely holds every acknowledged write, or a person says in so many words that it may lack some. */
function whyNotPrimary({ metadata }: Server, { id, tags }: Machine): string | undefined {
  if (metadata.labels?.[labels.cluster] === undefined) return undefined;
  const mark = tags[memberTag] ?? '';
  const [whose = '', ...words] = mark.split(' ');
  if (words.join(' ') === primaryPart) return undefined;
  const command = `aws ec2 create-tags --resources ${id} --tags "Key=${memberTag},Value=by-hand ${primaryPart}"`;
  if (whose === '') {
    return `Nobody knows whether ${id} was the primary of its cluster: it has no tag ${memberTag}. If you know that its data is what you want: ${command}`;
  }
  return `${id} is tagged ${memberTag}="${mark}" and may lack acknowledged writes. Adopt the machine that is tagged "${whose} ${primaryPart}". If that one is lost, and you give up what this one lacks: ${command}`;
}

async function readHostKeys(
  { objects }: Cloud,
  { spec }: CloudAccount,
  instanceID: string,
): Promise<readonly string[] | undefined> {
  const { bucket, prefix } = spec.stateStore;
  const body = await objects.get(bucket, retainedKey(prefix, instanceID));
  if (body === undefined) return undefined;
  const record = retainedRecord.safeParse(JSON.parse(new TextDecoder().decode(body)));
  return record.success && record.data.sshHostKeys.length > 0 ? record.data.sshHostKeys : undefined;
}
