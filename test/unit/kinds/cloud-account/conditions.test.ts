/** What a CloudAccount says of itself, for every answer that AWS and the cluster can give. */
import type { CloudAccount } from '../../../../controller/api/cloud-account.ts';
import type { ErrorCode } from '../../../../controller/base/errors.ts';
import type { Observed } from '../../../../controller/kinds/cloud-account/decide.ts';
import { decide } from '../../../../controller/kinds/cloud-account/decide.ts';
import { statusOf } from '../../../../controller/kinds/cloud-account/status.ts';
import { testConditions } from '../condition-tables.ts';

type Probe = Observed['probe'];
interface Scene extends Partial<Omit<Observed, 'probe' | 'account'>> {
  readonly probe?: Partial<Probe>;
  readonly credentials?: CloudAccount['spec']['credentials'];
}

const arn = 'arn:aws:iam::000000000000:user/fake';
const failure = (code: ErrorCode, message: string, awsCode = '') => ({ code, awsCode, message });

/** The probe could not even learn who we are. */
const nameless = (code: ErrorCode, message: string, awsCode = ''): Scene => ({
  probe: { identity: failure(code, message, awsCode) },
});
const assumes: Scene['credentials'] = { type: 'AssumeRole', roleARN: 'arn:aws:iam::000000000000:role/ops' };
const denied = nameless('cloud.denied', 'Not authorized to assume the role.', 'AccessDenied');
const silent = nameless('cloud.unreachable', 'connect ECONNREFUSED');
const slow = nameless('cloud.throttled', 'Rate exceeded');
const ec2Silent: Scene = { probe: { ec2: failure('cloud.unreachable', 'connect ETIMEDOUT') } };
const actions: Scene = { probe: { denied: ['ec2:RunInstances', 'ec2:DescribeImages'] } };
const noBucket: Scene = { probe: { store: failure('objects.not-found', 'NoSuchBucket') } };
const noKey: Scene = { loginKey: { problem: 'Secret ops/key does not exist.' } };
const full: Scene = { servers: 20 };
const quota = 'You have requested more vCPU capacity than your current vCPU limit of 32 allows';

/** A well account with these changes. */
function conditionsOf({ probe, credentials = { type: 'Ambient' }, ...changes }: Scene) {
  const account = {
    metadata: { name: 'default', generation: 3 },
    spec: { credentials, maxServers: 20, stateStore: { bucket: 'state', prefix: '' } },
  } as CloudAccount;
  const observed: Observed = {
    now: Date.UTC(2026, 0, 1),
    account,
    probe: {
      identity: { accountId: '000000000000', arn },
      store: undefined,
      denied: [],
      ec2: undefined,
      ...probe,
    },
    loginKey: { publicKey: 'ssh-ed25519 AAAA' },
    servers: 3,
    quota: undefined,
    users: [],
    ...changes,
  };
  return statusOf(observed, decide(observed)).conditions ?? [];
}

testConditions<'CloudAccount', Scene>({
  kind: 'CloudAccount',
  conditionsOf,
  beyond: {
    Ready: { Checking: 'No code says it: the first status is written after the first probe.' },
  },
  rows: {
    Ready: [
      ['all is well', {}, 'True', 'Connected', `Connected as ${arn}.`],
      [
        'AWS refuses the keys',
        nameless('cloud.credentials', 'The token is invalid.'),
        'False',
        'CredentialsInvalid',
        'The token is invalid.',
      ],
      ['AWS refuses the role', denied, 'False', 'CredentialsInvalid', 'Not authorized to assume the role.'],
      [
        'there are no credentials',
        nameless('cloud.account-not-ready', 'Secret ops/aws does not exist.'),
        'False',
        'CredentialsInvalid',
        'Secret ops/aws does not exist.',
      ],
      ['AWS wants us slower', slow, 'False', 'Throttled', 'Rate exceeded'],
      ['STS does not answer', silent, 'False', 'EndpointUnreachable', 'connect ECONNREFUSED'],
      ['EC2 does not answer', ec2Silent, 'False', 'EndpointUnreachable', 'connect ETIMEDOUT'],
      [
        'EC2 alone wants us slower',
        { probe: { ec2: failure('cloud.throttled', 'Request limit exceeded') } },
        'False',
        'Throttled',
        'Request limit exceeded',
      ],
      [
        'EC2 alone refuses the keys',
        { probe: { ec2: failure('cloud.credentials', 'AuthFailure') } },
        'False',
        'CredentialsInvalid',
        'AuthFailure',
      ],
      [
        'EC2 refuses actions',
        actions,
        'False',
        'PermissionsMissing',
        'AWS refuses ec2:RunInstances, ec2:DescribeImages.',
      ],
      [
        'the bucket cannot be used',
        noBucket,
        'False',
        'StateStoreUnusable',
        'Bucket state is missing or may not be used: NoSuchBucket',
      ],
      ['there is no login key', noKey, 'False', 'LoginKeyUnusable', 'Secret ops/key does not exist.'],
      [
        'several at once: what has to be mended first',
        { probe: { ...actions.probe, ...noBucket.probe }, ...noKey },
        'False',
        'PermissionsMissing',
        /^AWS refuses/,
      ],
      ['no room left is no reason not to be Ready', full, 'True', 'Connected', `Connected as ${arn}.`],
    ],
    CredentialsValid: [
      ['all is well', {}, 'True', 'Verified', `AWS sees ${arn}.`],
      ['EC2 does not answer, but STS does', ec2Silent, 'True', 'Verified', `AWS sees ${arn}.`],
      [
        'the chain has nothing',
        nameless('cloud.credentials', 'Could not load credentials', 'CredentialsProviderError'),
        'False',
        'NoCredentials',
        'No AWS credentials found: no Pod Identity, no web identity token, no instance role, no keys in the environment. Next try in 20 s.',
      ],
      [
        'the Secret is missing',
        {
          ...nameless('cloud.account-not-ready', 'Secret ops/aws does not exist.'),
          credentials: { type: 'Secret', secretRef: { namespace: 'ops', name: 'aws' } },
        },
        'False',
        'NoCredentials',
        / Next try in 20 s\.$/,
      ],
      [
        'the role may not be assumed',
        { ...denied, credentials: assumes },
        'False',
        'AssumeRoleDenied',
        'Not authorized to assume the role. Next try in 20 s.',
      ],
      [
        'the session has ended',
        nameless('cloud.credentials', 'The token has expired.', 'ExpiredTokenException'),
        'False',
        'Expired',
        'The token has expired. Next try in 20 s.',
      ],
      [
        'the clock says it has ended',
        nameless('cloud.credentials', 'Request has expired.', 'RequestExpired'),
        'False',
        'Expired',
        'Request has expired. Next try in 20 s.',
      ],
      [
        'AWS does not know the keys',
        nameless('cloud.credentials', 'The token is invalid.', 'InvalidClientTokenId'),
        'False',
        'Rejected',
        'The token is invalid. Next try in 20 s.',
      ],
      [
        'it does not know them for a role either',
        { ...nameless('cloud.credentials', 'The token is invalid.'), credentials: assumes },
        'False',
        'Rejected',
        'The token is invalid. Next try in 20 s.',
      ],
      ['AWS says no, and no role is asked for', denied, 'False', 'Rejected', /^Not authorized/],
      ['AWS does not answer', silent, 'Unknown', 'Checking', 'connect ECONNREFUSED'],
      ['AWS wants us slower', slow, 'Unknown', 'Checking', 'Rate exceeded'],
    ],
    PermissionsVerified: [
      ['all is well', {}, 'True', 'AllAllowed', 'No action was refused.'],
      [
        'EC2 refuses actions',
        actions,
        'False',
        'ActionsDenied',
        `AWS refuses ec2:RunInstances, ec2:DescribeImages. Add them to the policy of ${arn}.`,
      ],
      [
        'nobody knows who we are',
        denied,
        'Unknown',
        'ProbeSkipped',
        'Not checked, because AWS could not be asked.',
      ],
      [
        'EC2 does not answer',
        ec2Silent,
        'Unknown',
        'ProbeSkipped',
        'Not checked, because AWS could not be asked.',
      ],
    ],
    CapacityAvailable: [
      ['room left', {}, 'True', 'UnderLimit', '3 of 20 servers.'],
      ['one place left', { servers: 19 }, 'True', 'UnderLimit', '19 of 20 servers.'],
      [
        'none left',
        full,
        'False',
        'MaxServersReached',
        '20 servers exist and spec.maxServers is 20: nothing more is launched.',
      ],
      ['a quota of AWS stops launches', { quota }, 'False', 'AWSQuotaReached', quota],
      ['both: our own limit', { ...full, quota }, 'False', 'MaxServersReached', /^20 servers exist/],
    ],
  },
  passing: {
    Reconciling: [
      ['all is well', {}, 'absent'],
      ['no room left', full, 'absent'],
      ['something is in the way: it is tried again', noKey, 'True', 'LoginKeyUnusable', /^Secret ops\/key/],
    ],
    Stalled: [
      ['all is well', {}, 'absent'],
      ['everything is tried again, the worst too', { ...denied, credentials: assumes }, 'absent'],
    ],
  },
});
