/** A refusal in AWS's own words: the code and message a client sees. */

/** Thrown by transitions and handlers; each protocol's front renders it in its own XML. */
export class CloudError extends Error {
  override readonly name = 'CloudError';
  readonly code: string;
  readonly status: number;

  /** `code` exactly as AWS spells it; `status` is the HTTP status. */
  constructor(code: string, message: string, status = 400) {
    super(message);
    this.code = code;
    this.status = status;
  }
}
