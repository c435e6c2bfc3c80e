/** The one error class and the one table of error codes; adapters translate into it, the runtime reads how to retry. */

/** What the runtime does with a failed reconcile: retry with backoff, retry soon, or wait for a change. */
export type Retry = 'backoff' | 'soon' | 'never';

/** Every code the controller can raise, and whether to try again. Never reuse a code for another meaning. */
const errorCodes = {
  /** The object changed since it was read; read again. */
  'kube.conflict': 'soon',
  'kube.already-exists': 'soon',
  'kube.not-found': 'soon',
  /** A resourceVersion too old to continue from. */
  'kube.gone': 'soon',
  'kube.invalid': 'never',
  'kube.forbidden': 'backoff',
  'kube.throttled': 'backoff',
  'kube.unavailable': 'backoff',
  'cloud.throttled': 'backoff',
  /** Timeout, reset or 5xx: the call may or may not have taken effect. */
  'cloud.ambiguous': 'backoff',
  /** This instance type in this zone is sold out; another offering may do. */
  'cloud.no-capacity': 'backoff',
  'cloud.subnet-full': 'backoff',
  'cloud.quota': 'backoff',
  'cloud.account-not-ready': 'backoff',
  'cloud.credentials': 'backoff',
  'cloud.denied': 'backoff',
  'cloud.bad-request': 'never',
  'cloud.not-found': 'backoff',
  'cloud.wrong-state': 'soon',
  'cloud.protected': 'backoff',
  'cloud.token-mismatch': 'never',
  'cloud.token-terminated': 'never',
  'cloud.unreachable': 'backoff',
  /** This process no longer holds the lease; nothing was sent. */
  'cloud.not-leading': 'backoff',
  'cloud.unknown': 'backoff',
  /** A conditional write found an object already there. */
  'objects.exists': 'never',
  'objects.not-found': 'backoff',
  /** Nothing answered in time; says nothing about whether the host is alive. */
  'shell.unreachable': 'backoff',
  /** The host offered a key other than the pinned one; the connection was not used. */
  'shell.host-key-mismatch': 'never',
  'shell.auth-failed': 'backoff',
  /** The session ended while a command ran; its outcome is unknown. */
  'shell.interrupted': 'soon',
  /** The host answers but cannot do its part (full disk, no sudo, no systemd); the message says which. */
  'shell.host-failed': 'backoff',
  /** The host answers, and nothing listens on the port of it that was asked for. */
  'shell.refused': 'backoff',
  /** HAProxy answered a runtime command with something other than success. */
  'proxy.refused': 'backoff',
  /** The host answers, but no database process listens. */
  'database.refused': 'backoff',
  /** The database did not answer in time; whether it did what was asked is unknown. */
  'database.silent': 'backoff',
  /** It has no session left for applications; it is alive. */
  'database.overloaded': 'backoff',
  'database.denied': 'backoff',
  /** The node has seen a later stamp: somebody else is in charge. */
  'database.stale-epoch': 'never',
  /** It answered with an error; number and text are in the message. */
  'database.failed': 'backoff',
  invariant: 'never',
} as const satisfies Record<string, Retry>;

export type ErrorCode = keyof typeof errorCodes;

/** Details for logs and messages; never secret values. */
export type ErrorFields = Readonly<Record<string, string | number | boolean | undefined>>;

/**
 * `code` decides whether to try again, `message` is for people, `fields` go into the log. Bugs are other
 * Errors.
 */
export class AppError extends Error {
  readonly code: ErrorCode;
  readonly fields: ErrorFields;

  constructor(code: ErrorCode, message: string, options: { cause?: unknown; fields?: ErrorFields } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'AppError';
    this.code = code;
    this.fields = options.fields ?? {};
  }

  get retry(): Retry {
    return errorCodes[this.code];
  }
}

/** Whether `error` is an AppError with one of `codes`. */
export function hasCode(error: unknown, ...codes: readonly ErrorCode[]): error is AppError {
  return error instanceof AppError && codes.includes(error.code);
}

/** The message of anything thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
