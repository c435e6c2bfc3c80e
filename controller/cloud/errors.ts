/** AWS's error codes in our words: which failures mean what, and what to say about them. */
import { AppError, type ErrorCode } from '../base/errors.ts';

/** AWS codes by meaning; a `*` at the end matches any ending. The first row that matches wins. */
const meanings: readonly (readonly [ErrorCode, readonly string[]])[] = [
  [
    'cloud.throttled',
    [
      'RequestLimitExceeded',
      'Throttling*',
      'ThrottledException',
      'RequestThrottled*',
      'TooManyRequests*',
      'SlowDown',
      'PriorRequestNotComplete',
    ],
  ],
  [
    'cloud.no-capacity',
    [
      'InsufficientInstanceCapacity',
      'InsufficientHostCapacity',
      'InsufficientCapacity',
      'InsufficientVolumeCapacity',
      'Unsupported',
      'UnfulfillableCapacity',
      'ReservationCapacityExceeded',
      'SpotMaxPriceTooLow',
    ],
  ],
  ['cloud.subnet-full', ['InsufficientFreeAddressesInSubnet', 'PrivateIpAddressLimitExceeded']],
  [
    'cloud.quota',
    [
      'VcpuLimitExceeded',
      'InstanceLimitExceeded',
      'MaxSpotInstanceCountExceeded',
      'MaxFleetCountExceeded',
      'VolumeLimitExceeded',
      'MaxIOPSLimitExceeded',
      'NetworkInterfaceLimitExceeded',
      'MaxTemplateLimitExceeded',
      'TagLimitExceeded',
    ],
  ],
  ['cloud.account-not-ready', ['PendingVerification', 'OptInRequired', 'Blocked']],
  [
    'cloud.credentials',
    [
      'AuthFailure',
      'InvalidClientTokenId',
      'InvalidAccessKeyId',
      'SignatureDoesNotMatch',
      'ExpiredToken*',
      'RequestExpired',
      'UnrecognizedClientException',
      'CredentialsProviderError',
    ],
  ],
  ['cloud.denied', ['UnauthorizedOperation', 'AccessDenied*', 'AuthFailure.*', 'Forbidden']],
  ['cloud.token-mismatch', ['IdempotentParameterMismatch']],
  ['cloud.token-terminated', ['IdempotentInstanceTerminated']],
  ['cloud.not-found', ['InvalidInstanceID.NotFound', 'NoSuchHostedZone', 'NoSuchChange']],
  ['cloud.wrong-state', ['IncorrectInstanceState', 'IncorrectState', 'DependencyViolation']],
  ['cloud.protected', ['OperationNotPermitted']],
  ['objects.exists', ['PreconditionFailed', 'ConditionalRequestConflict']],
  ['objects.not-found', ['NoSuchKey', 'NoSuchBucket', 'NotFound']],
  [
    'cloud.bad-request',
    ['Invalid*', 'MissingParameter', 'MalformedXML', 'UnknownParameter', 'ValidationError'],
  ],
];

/** Failures before a byte of the request was sent. */
const unsent = new Set(['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'ENETUNREACH']);

/** What a failed call was trying to do; only writes can be ambiguous. */
export interface Attempt {
  readonly service: string;
  readonly operation: string;
  readonly mutates: boolean;
}

/** Any failure of the SDK as an AppError: AWS's message, its code and request id in brackets and in the fields. */
export function translateError(error: unknown, attempt: Attempt): AppError {
  if (error instanceof AppError) return error;
  const seen = inspectError(error);
  const request = seen.requestId === undefined ? '' : `, request ${seen.requestId}`;
  return new AppError(classifyError(seen, attempt), `${seen.message} [${seen.awsCode}${request}]`, {
    cause: error,
    fields: {
      service: attempt.service,
      operation: attempt.operation,
      awsCode: seen.awsCode,
      requestId: seen.requestId,
      httpStatus: seen.httpStatus,
    },
  });
}

interface Seen {
  readonly awsCode: string;
  readonly message: string;
  readonly requestId: string | undefined;
  readonly httpStatus: number | undefined;
}

function classifyError(seen: Seen, attempt: Attempt): ErrorCode {
  const known = meanings.find(([, codes]) => codes.some((code) => matchesCode(code, seen.awsCode)));
  if (known !== undefined) return known[0];
  if (unsent.has(seen.awsCode)) return 'cloud.unreachable';
  if (seen.httpStatus === undefined || seen.httpStatus >= 500) {
    return attempt.mutates ? 'cloud.ambiguous' : 'cloud.unreachable';
  }
  return 'cloud.unknown';
}

function matchesCode(pattern: string, code: string): boolean {
  return pattern.endsWith('*') ? code.startsWith(pattern.slice(0, -1)) : code === pattern;
}

function inspectError(error: unknown): Seen {
  const message = cleanMessage(textField(error, 'message') ?? String(error));
  const metadata = fieldOf(error, '$metadata');
  const httpStatus = fieldOf(metadata, 'httpStatusCode');
  return {
    // Network failures carry their errno in `code`; AWS's own carry theirs in `name`.
    awsCode: textField(error, 'code') ?? textField(error, 'name') ?? 'Unknown',
    message: message === '' ? 'AWS gave no reason' : message,
    requestId: textField(metadata, 'requestId'),
    httpStatus: typeof httpStatus === 'number' ? httpStatus : undefined,
  };
}

/** Drops the encoded authorization blob (up to 2 KiB nobody can read) and the final full stop. */
function cleanMessage(message: string): string {
  return message
    .replace(/\s*Encoded authorization failure message:.*$/s, '')
    .trim()
    .replace(/\.$/, '');
}

function fieldOf(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined;
}

function textField(value: unknown, name: string): string | undefined {
  const found = fieldOf(value, name);
  return typeof found === 'string' ? found : undefined;
}
