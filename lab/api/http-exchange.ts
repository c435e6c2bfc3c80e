/** One HTTP request and its answer, read and written the way every service here needs it. */

import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { CloudError } from '../world/cloud-error.ts';
import type { SignedRequest } from './sigv4.ts';

/** Largest request body that is held in memory; objects of S3 are streamed. */
const MAX_BODY = 4 * 1024 * 1024;

/** One request with its response, and what was read of its head. */
export interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly signed: SignedRequest;
  readonly query: URLSearchParams;
  /** The caller's IPv4 address. */
  readonly caller: string;
  readonly requestId: string;
}

/** Reads the head only; the body is still to come. */
export function newExchange(request: IncomingMessage, response: ServerResponse): Exchange {
  const [path = '/', ...query] = (request.url ?? '/').split('?');
  const signed = {
    method: request.method ?? 'GET',
    path,
    query: query.join('?'),
    headers: joinedHeaders(request.rawHeaders),
  };
  return {
    request,
    response,
    signed,
    query: new URLSearchParams(signed.query),
    caller: (request.socket.remoteAddress ?? '').replace('::ffff:', ''),
    requestId: randomUUID(),
  };
}

/** The whole body. @throws CloudError RequestEntityTooLarge above 4 MiB */
export async function readBody(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > MAX_BODY) throw new CloudError('RequestEntityTooLarge', 'The request body is too large.', 413);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

/** An answer that fits in memory; `xml` is the document without its declaration, absent for none. */
export interface Answer {
  readonly status: number;
  readonly xml?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Ends the response; HEAD gets headers only. */
export function send({ request, response, requestId }: Exchange, { status, xml, headers }: Answer): void {
  const ids = { 'x-amzn-requestid': requestId, 'x-amz-request-id': requestId };
  if (xml === undefined || request.method === 'HEAD') {
    response.writeHead(status, { ...ids, ...headers }).end();
    return;
  }
  const body = Buffer.from(`<?xml version="1.0" encoding="UTF-8"?>\n${xml}`);
  response.writeHead(status, {
    ...ids,
    'content-type': 'text/xml;charset=UTF-8',
    'content-length': body.length,
    ...headers,
  });
  response.end(body);
}

function joinedHeaders(raw: readonly string[]): ReadonlyMap<string, string> {
  const headers = new Map<string, string>();
  for (let i = 0; i + 1 < raw.length; i += 2) {
    const name = (raw[i] ?? '').toLowerCase();
    const before = headers.get(name);
    headers.set(name, before === undefined ? (raw[i + 1] ?? '') : `${before},${raw[i + 1]}`);
  }
  return headers;
}
