/** What front ends answer while one of them is watched, and what to think of that one. */
import type { Server } from '../../api/server.ts';
import type { RunningServer, Traffic } from '../../balancer/parse.ts';
import type { ProxyProcess } from '../../balancer/port.ts';
import type { Instant, Millis } from '../../base/clock.ts';
import { machineOf } from './model.ts';
import type { SeenFrontend } from './view.ts';

/** How long a front end is watched before the others follow it. */
const watchTime: Millis = 5_000;
/** A server that came up on the others a moment ago has so long to come up there too. */
const patience: Millis = 15_000;
/** Requests fail for reasons of their own; a front end that fails this much more than the others does not. */
const tolerance = 0.01;

/** Who is watched, and who goes on as before. */
export interface TrialFacts {
  readonly canary: SeenFrontend & { readonly running: ProxyProcess };
  readonly others: readonly SeenFrontend[];
  /** Of the namespace, to call them by their names. */
  readonly servers: readonly Server[];
}

export type TrialVerdict =
  | { readonly is: 'waiting' }
  | { readonly is: 'good' }
  /** `message` says what was seen. */
  | { readonly is: 'bad'; readonly message: string };

interface Begun {
  /** What is watched: another one begins anew. */
  readonly id: string;
  readonly at: Instant;
  /** By name of the front end. */
  readonly counters: ReadonlyMap<string, Traffic>;
}

/** Remembers counters since a watch began; when they are lost, watching begins anew. */
export class Watches {
  readonly #begun = new Map<string, Begun>();

  /** `key` says whose, `id` which one. */
  judge(key: string, id: string, facts: TrialFacts, now: Instant): TrialVerdict {
    const { canary, others } = facts;
    // Counters begin at 0 in every new process.
    const whole = `${id} ${canary.running.pid}`;
    const known = this.#begun.get(key);
    const begun =
      known?.id === whole ? known : { id: whole, at: now, counters: countersOf([canary, ...others]) };
    this.#begun.set(key, begun);
    const elapsed = now - begun.at;
    if (elapsed < watchTime) return { is: 'waiting' };
    const message = worseAnswers(facts, begun);
    if (message !== undefined) return { is: 'bad', message };
    const missing = missingServer(facts);
    if (missing === undefined) return { is: 'good' };
    return elapsed < patience ? { is: 'waiting' } : { is: 'bad', message: missing };
  }

  forget(key: string): void {
    this.#begun.delete(key);
  }
}

function countersOf(frontends: readonly SeenFrontend[]): ReadonlyMap<string, Traffic> {
  const entries = frontends.flatMap(({ server, running }): [string, Traffic][] =>
    running === undefined ? [] : [[server.metadata.name, running.traffic]],
  );
  return new Map(entries);
}

/** The others are asked in the same time, so a server that fails for all of them blames nobody. */
function worseAnswers({ canary, others }: TrialFacts, { counters }: Begun): string | undefined {
  // The page is an answer with 503, as wanted.
  if (canary.running.maintenance) return undefined;
  const since = (frontends: readonly SeenFrontend[]) =>
    sumTraffic(
      frontends.flatMap(({ server, running }) =>
        running === undefined ? [] : [trafficSince(running.traffic, counters.get(server.metadata.name))],
      ),
    );
  const [own, rest] = [since([canary]), since(others)];
  if (failureShare(own) <= failureShare(rest) + tolerance) return undefined;
  return `${own.failures} of ${own.requests} requests there failed (5xx, or no connection), on the others ${rest.failures} of ${rest.requests}`;
}

function trafficSince(now: Traffic, before: Traffic | undefined): Traffic {
  // One that was not there, or that has begun anew, counts from 0.
  if (before === undefined || before.requests > now.requests) return now;
  return { requests: now.requests - before.requests, failures: now.failures - before.failures };
}

function sumTraffic(all: readonly Traffic[]): Traffic {
  const total = (of: (one: Traffic) => number) => all.reduce((so, one) => so + of(one), 0);
  return { requests: total(({ requests }) => requests), failures: total(({ failures }) => failures) };
}

function failureShare({ requests, failures }: Traffic): number {
  return failures / Math.max(requests, failures, 1);
}

/** A process that the others send requests to and the canary does not. Names of backends may have changed. */
function missingServer({ canary, others, servers }: TrialFacts): string | undefined {
  const own = canary.running.servers;
  const machines = new Set(own.filter(takesRequests).map(({ name }) => machineOf(name)));
  for (const { server, running } of others) {
    const missing = (running?.servers ?? []).filter(takesRequests).find((one) => {
      const same = own.find(({ backend, name }) => backend === one.backend && name === one.name);
      return same === undefined ? !machines.has(machineOf(one.name)) : !takesRequests(same);
    });
    if (missing === undefined) continue;
    const known = servers.find(({ status }) => status?.instanceID === machineOf(missing.name));
    const name = known?.metadata.name ?? missing.name;
    return `${name} (port ${missing.port}, backend ${missing.backend}) is up on ${server.metadata.name} and not there`;
  }
  return undefined;
}

function takesRequests({ admin, up }: RunningServer): boolean {
  return admin === 'ready' && up;
}
