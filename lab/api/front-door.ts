/** The front door: checks the signature of each request, picks the service by its credential scope, words the refusals. */
import { CloudError } from '../world/cloud-error.ts';
import type { Faults } from '../world/faults.ts';
import { type Answer, type Exchange, readBody, send } from './http-exchange.ts';
import { refusalError, type ServiceName } from './refusals.ts';
import { readClaim, sha256, type Verified, type Verifier } from './sigv4.ts';
import { writeXml } from './xml.ts';

/** EC2, STS and Route 53: body in, XML out. */
export interface XmlService {
  /** The operation a request asks for, e.g. `RunInstances`; faults go by it. */
  action(exchange: Exchange, body: string): string;
  answer(exchange: Exchange, body: string, action: string): Promise<Answer> | Answer;
  error(error: CloudError, requestId: string): string;
}

/** S3 reads the body itself; it answers nothing more when it has streamed an object. */
export interface ObjectService {
  action(exchange: Exchange): string;
  serve(exchange: Exchange, verified: Verified): Promise<Answer | undefined>;
}

export interface Services {
  readonly ec2: XmlService;
  readonly sts: XmlService;
  readonly route53: XmlService;
  readonly s3: ObjectService;
}

/** `report` hears of failures that are bugs of the lab; refusals are answers. */
export class FrontDoor {
  readonly #verifier: Verifier;
  readonly #services: Services;
  readonly #faults: Faults;
  readonly #report: (message: string, error: unknown) => void;

  constructor(
    verifier: Verifier,
    services: Services,
    faults: Faults,
    report: (message: string, error: unknown) => void,
  ) {
    this.#verifier = verifier;
    this.#services = services;
    this.#faults = faults;
    this.#report = report;
  }

  /** Serves one request to its end; never rejects. */
  async serve(exchange: Exchange): Promise<void> {
    const claim = readClaim(exchange.signed);
    const service = typeof claim === 'string' ? guessService(exchange) : claim.service;
    try {
      if (service === 's3') await this.#serveObject(exchange);
      else if (isXmlService(service)) await this.#serveXml(exchange, service);
      else throw new CloudError('UnknownService', `The lab has no service "${service}".`, 404);
    } catch (error) {
      this.#refuse(exchange, service, error);
    }
  }

  async #serveXml(exchange: Exchange, name: Exclude<ServiceName, 's3'>): Promise<void> {
    const service = this.#services[name];
    const body = await readBody(exchange.request);
    this.#verify(exchange, name, sha256(body));
    const text = body.toString('utf8');
    const action = service.action(exchange, text);
    await this.#before(action);
    const answer = await service.answer(exchange, text, action);
    if (this.#spoilAnswer(exchange, action)) return;
    send(exchange, answer);
  }

  async #serveObject(exchange: Exchange): Promise<void> {
    const claimed = exchange.signed.headers.get('x-amz-content-sha256') ?? 'UNSIGNED-PAYLOAD';
    const verified = this.#verify(exchange, 's3', claimed);
    const action = this.#services.s3.action(exchange);
    await this.#before(action);
    const answer = await this.#services.s3.serve(exchange, verified);
    if (!answer || this.#spoilAnswer(exchange, action)) return;
    send(exchange, answer);
  }

  #verify(exchange: Exchange, service: ServiceName, payloadHash: string): Verified {
    const claim = readClaim(exchange.signed);
    if (typeof claim === 'string') throw refusalError(service, claim);
    const covered = claim.presigned && service === 's3' ? 'UNSIGNED-PAYLOAD' : payloadHash;
    const verdict = this.#verifier.verify(exchange.signed, claim, covered);
    if ('refused' in verdict) throw refusalError(service, verdict.refused);
    return verdict.ok;
  }

  /** Faults that strike before anything happened. */
  async #before(action: string): Promise<void> {
    const slow = this.#faults.take('slow', action);
    if (slow) await new Promise((resolve) => setTimeout(resolve, slow.delayMs));
    const refuse = this.#faults.take('refuse', action);
    if (refuse) throw new CloudError(refuse.code, 'Refused by a fault of the lab.', refuse.status);
  }

  /** Faults that strike after the commit: the work is done, the caller does not learn it. */
  #spoilAnswer(exchange: Exchange, action: string): boolean {
    if (this.#faults.take('drop-answer', action)) {
      exchange.request.socket.destroy();
      return true;
    }
    if (this.#faults.take('fail-after-commit', action)) {
      throw new CloudError('InternalError', 'An internal error has occurred', 500);
    }
    return false;
  }

  #refuse(exchange: Exchange, service: string, error: unknown): void {
    const { request, response } = exchange;
    if (!(error instanceof CloudError)) this.#report(`${request.method} ${request.url} failed`, error);
    if (response.headersSent || request.socket.destroyed) {
      request.socket.destroy();
      return;
    }
    // An unread body must not be taken for the next request on this connection.
    request.resume();
    const told =
      error instanceof CloudError
        ? error
        : new CloudError('InternalError', 'An internal error has occurred', 500);
    const xml = isXmlService(service)
      ? this.#services[service].error(told, exchange.requestId)
      : objectError(told, exchange);
    send(exchange, { status: told.status, xml });
  }
}

function isXmlService(service: string): service is Exclude<ServiceName, 's3'> {
  return service === 'ec2' || service === 'sts' || service === 'route53';
}

/** Which service an unsigned request was meant for, so that its refusal can be read by that service's clients. */
function guessService({ signed }: Exchange): ServiceName {
  if (signed.path.startsWith('/2013-04-01/')) return 'route53';
  const form = signed.headers.get('content-type')?.startsWith('application/x-www-form-urlencoded');
  return form && signed.path === '/' ? 'ec2' : 's3';
}

function objectError(error: CloudError, { signed, requestId }: Exchange): string {
  return writeXml({
    Error: { Code: error.code, Message: error.message, Resource: signed.path, RequestId: requestId },
  });
}
