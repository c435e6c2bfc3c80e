/** Key pairs: import, create, describe, delete. */
import { createHash, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { CloudError } from '../../world/cloud-error.ts';
import type { KeyPair } from '../../world/model.ts';
import type { XmlObject } from '../xml.ts';
import { type Cloud, DONE, type Ec2Call } from './call.ts';
import { applyFilters } from './filters.ts';
import { readTagSpecification, tagSet } from './tag-set.ts';

const KEY_TYPES: Readonly<Record<string, KeyPair['type']>> = { 'ssh-rsa': 'rsa', 'ssh-ed25519': 'ed25519' };

/** Takes OpenSSH public keys. */
export function importKeyPair(call: Ec2Call): XmlObject {
  const material = Buffer.from(call.params.required('PublicKeyMaterial'), 'base64').toString('utf8').trim();
  const type = KEY_TYPES[material.split(/\s+/)[0] ?? ''];
  if (!type) throw new CloudError('InvalidKey.Format', 'Key is not in valid OpenSSH public key format');
  return keyXml(save(call, material, type));
}

/** RSA only; the answer is the only place where the private key is. */
export function createKeyPair(call: Ec2Call): XmlObject {
  if ((call.params.string('KeyType') ?? 'rsa') !== 'rsa') {
    throw new CloudError(
      'UnsupportedOperation',
      'The lab creates RSA keys only; import an Ed25519 key instead.',
    );
  }
  const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const pair = save(call, opensshRsa(publicKey), 'rsa');
  return { ...keyXml(pair), keyMaterial: privateKey.export({ type: 'pkcs1', format: 'pem' }).toString() };
}

/** By name or id; unknown ones are refused. */
export function describeKeyPairs({ params, cloud }: Ec2Call): XmlObject {
  const wanted = [...params.list('KeyName'), ...params.list('KeyPairId')];
  const all = [...cloud.world.state.keyPairs.values()];
  const unknown = wanted.find((one) => !all.some((key) => key.name === one || key.id === one));
  if (unknown) throw new CloudError('InvalidKeyPair.NotFound', `The key pair '${unknown}' does not exist`);
  const chosen =
    wanted.length === 0 ? all : all.filter((key) => wanted.includes(key.name) || wanted.includes(key.id));
  const found = applyFilters(params, chosen, {
    'key-name': (key) => [key.name],
    'key-pair-id': (key) => [key.id],
    fingerprint: (key) => [key.fingerprint],
  });
  const withKey = params.boolean('IncludePublicKey') ?? false;
  return {
    keySet: {
      item: found.map((key) => ({
        ...keyXml(key),
        keyType: key.type,
        createTime: new Date(key.createTime),
        publicKey: withKey ? key.publicKey : undefined,
      })),
    },
  };
}

/** Deleting what is not there succeeds, as on EC2. */
export function deleteKeyPair(call: Ec2Call): XmlObject {
  const { params, cloud } = call;
  const id = params.string('KeyPairId');
  const name = id ? undefined : params.required('KeyName');
  const key = id ? cloud.world.state.keyPairs.get(id) : byName(cloud, name ?? '');
  if (!key) return DONE;
  const draft = cloud.world.draft();
  draft.remove('keyPairs', key.id);
  call.commit(draft, { name: 'key-pair.deleted', subject: key.id });
  return { ...DONE, keyPairId: key.id };
}

function save(call: Ec2Call, publicKey: string, type: KeyPair['type']): KeyPair {
  const { world } = call.cloud;
  const name = call.params.required('KeyName');
  if (byName(call.cloud, name)) {
    throw new CloudError('InvalidKeyPair.Duplicate', `The keypair already exists: ${name}`);
  }
  const draft = world.draft();
  const pair: KeyPair = {
    id: draft.id('key'),
    name,
    fingerprint: fingerprint(publicKey, type),
    publicKey,
    type,
    createTime: draft.now,
    tags: readTagSpecification(call.params, 'key-pair'),
  };
  draft.put('keyPairs', pair.id, pair);
  call.commit(draft, { name: 'key-pair.created', subject: pair.id });
  return pair;
}

function byName(cloud: Cloud, name: string): KeyPair | undefined {
  return [...cloud.world.state.keyPairs.values()].find((key) => key.name === name);
}

function keyXml(key: KeyPair): XmlObject {
  return { keyName: key.name, keyFingerprint: key.fingerprint, keyPairId: key.id, tagSet: tagSet(key.tags) };
}

/** Ed25519 as OpenSSH prints it; RSA as MD5 with colons, near enough to EC2's. */
function fingerprint(publicKey: string, type: KeyPair['type']): string {
  const blob = Buffer.from(publicKey.split(/\s+/)[1] ?? '', 'base64');
  if (type === 'ed25519') return createHash('sha256').update(blob).digest('base64');
  return (createHash('md5').update(blob).digest('hex').match(/../g) ?? []).join(':');
}

/** An RSA public key in OpenSSH's one-line form. */
function opensshRsa(key: KeyObject): string {
  const { e = '', n = '' } = key.export({ format: 'jwk' });
  const fields = [
    Buffer.from('ssh-rsa'),
    Buffer.from(e, 'base64url'),
    Buffer.concat([Buffer.from([0]), Buffer.from(n, 'base64url')]),
  ];
  const blob = fields.flatMap((field) => {
    const length = Buffer.alloc(4);
    length.writeUInt32BE(field.length);
    return [length, field];
  });
  return `ssh-rsa ${Buffer.concat(blob).toString('base64')}`;
}
