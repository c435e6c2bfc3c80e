/** Translates what the API server and the network answer into AppErrors of the `kube.*` codes. */
import { AppError, type ErrorCode, messageOf } from '../base/errors.ts';

/** metav1.Status, as far as it is read. */
export interface Status {
  readonly kind?: string;
  readonly code?: number;
  readonly reason?: string;
  readonly message?: string;
  readonly details?: { readonly retryAfterSeconds?: number };
}

/** An answer that is not a success. */
export interface ErrorAnswer {
  readonly code: number;
  /** Absent when the body was not a Status: a proxy answered, or the path is not served. */
  readonly status?: Status;
  /** From the Retry-After header. */
  readonly retryAfterSeconds?: number;
}

/** `doing` opens the message, as in "patching Server shop/web". */
export function refusalError(doing: string, refusal: ErrorAnswer): AppError {
  const { code, status } = refusal;
  const said = status?.message ?? `HTTP ${code}`;
  const seconds = refusal.retryAfterSeconds ?? status?.details?.retryAfterSeconds;
  const retryAfterMs = seconds === undefined ? undefined : seconds * 1000;
  return new AppError(codeFor(code, status?.reason), `${doing}: ${said}`, {
    fields: { status: code, isObject: status !== undefined, retryAfterMs },
  });
}

/** An error of the connection, or of an answer that broke off. */
export function networkError(doing: string, error: unknown): AppError {
  return new AppError('kube.unavailable', `${doing}: ${messageOf(error)}`, { cause: error });
}

/** Reads an answer's body; undefined unless it is a Status. */
export function parseStatus(text: string): Status | undefined {
  try {
    const parsed = JSON.parse(text) as Status | null;
    return parsed?.kind === 'Status' ? parsed : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/** Seconds from a Retry-After header in its numeric form, the only one the API server sends. */
export function retryAfterSeconds(header: string | readonly string[] | undefined): number | undefined {
  const seconds = typeof header === 'string' ? Number(header) : Number.NaN;
  return Number.isFinite(seconds) && seconds >= 0 ? seconds : undefined;
}

function codeFor(code: number, reason: string | undefined): ErrorCode {
  if (code === 409) return reason === 'AlreadyExists' ? 'kube.already-exists' : 'kube.conflict';
  if (code === 401 || code === 403) return 'kube.forbidden';
  if (code === 404) return 'kube.not-found';
  if (code === 410) return 'kube.gone';
  if (code === 429) return 'kube.throttled';
  if (code >= 400 && code < 500) return 'kube.invalid';
  return 'kube.unavailable';
}
