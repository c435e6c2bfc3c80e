/** How each service words a bad signature. */
import { CloudError } from '../world/cloud-error.ts';
import type { Refusal } from './sigv4.ts';

export type ServiceName = 'ec2' | 'sts' | 'route53' | 's3';

type Words = Readonly<Record<Refusal, readonly [code: string, status: number, message: string]>>;

const MISMATCH =
  'The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method.';
const NO_TOKEN = 'Request is missing Authentication Token';
const EC2_FAILURE = [
  'AuthFailure',
  401,
  'AWS was not able to validate the provided access credentials',
] as const;

const QUERY: Words = {
  missing: ['MissingAuthenticationToken', 403, NO_TOKEN],
  malformed: [
    'IncompleteSignature',
    400,
    'The Authorization header or query is not a complete AWS signature.',
  ],
  'unknown-key': ['InvalidClientTokenId', 403, 'The security token included in the request is invalid.'],
  'wrong-scope': ['SignatureDoesNotMatch', 403, 'Credential should be scoped to a valid region.'],
  skewed: [
    'SignatureDoesNotMatch',
    403,
    'Signature expired or not yet current: check the clock of the client.',
  ],
  expired: ['RequestExpired', 400, 'Request has expired.'],
  'unsigned-headers': ['SignatureDoesNotMatch', 403, 'Host and every x-amz- header must be signed.'],
  mismatch: ['SignatureDoesNotMatch', 403, MISMATCH],
};

const WORDS: Readonly<Record<ServiceName, Words>> = {
  sts: QUERY,
  route53: QUERY,
  // EC2 tells nobody whether the key or the signature was wrong.
  ec2: {
    ...QUERY,
    'unknown-key': EC2_FAILURE,
    'wrong-scope': EC2_FAILURE,
    mismatch: EC2_FAILURE,
    skewed: ['RequestExpired', 400, 'Request has expired.'],
  },
  s3: {
    missing: ['AccessDenied', 403, 'Access Denied'],
    malformed: ['AuthorizationHeaderMalformed', 400, 'The authorization header is malformed.'],
    'unknown-key': [
      'InvalidAccessKeyId',
      403,
      'The AWS Access Key Id you provided does not exist in our records.',
    ],
    'wrong-scope': [
      'AuthorizationHeaderMalformed',
      400,
      'The authorization header is malformed; the region is wrong.',
    ],
    skewed: [
      'RequestTimeTooSkewed',
      403,
      'The difference between the request time and the current time is too large.',
    ],
    expired: ['AccessDenied', 403, 'Request has expired'],
    'unsigned-headers': [
      'AccessDenied',
      403,
      'There were headers present in the request which were not signed',
    ],
    mismatch: ['SignatureDoesNotMatch', 403, MISMATCH],
  },
};

/** The error a service answers to a signature it refuses. */
export function refusalError(service: ServiceName, refusal: Refusal): CloudError {
  const [code, status, message] = WORDS[service][refusal];
  return new CloudError(code, message, status);
}
