/** What a server answers: routes by path and method, and answers as data. Pure. */
import type { IncomingMessage } from 'node:http';

/** An answer as data; the server adds length and framing. */
export interface Answer {
  readonly status: number;
  readonly contentType: string;
  readonly body: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** One method on one exact path. */
export interface Route {
  /** A GET route answers HEAD too. */
  readonly method: 'GET' | 'POST';
  /** Compared as it stands, without the query. */
  readonly path: string;
  answer(request: IncomingMessage): Answer | Promise<Answer>;
}

/** A few words for a person at a terminal; a line end is added. */
export function plainText(status: number, text: string): Answer {
  return { status, contentType: 'text/plain; charset=utf-8', body: `${text}\n` };
}

/** The route a request is for, or the answer to a request that is for none. */
export function findRoute(routes: readonly Route[], method: string, target: string): Route | Answer {
  const [path] = target.split('?');
  const here = routes.filter((route) => route.path === path);
  const wanted = method === 'HEAD' ? 'GET' : method;
  const found = here.find((route) => route.method === wanted);
  if (found !== undefined) return found;
  if (here.length === 0) return plainText(404, 'not found');
  const allow = here.flatMap((route) => (route.method === 'GET' ? ['GET', 'HEAD'] : [route.method]));
  return { ...plainText(405, 'method not allowed'), headers: { allow: allow.join(', ') } };
}
