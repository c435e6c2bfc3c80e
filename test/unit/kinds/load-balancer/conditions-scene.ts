/** Situations of the LoadBalancer `www`: what happens to a site that serves, on fakes, and what it then says of itself. */
import { serverKind } from '../../../../controller/api/server.ts';
import { AppError } from '../../../../controller/base/errors.ts';
import { readCertificate } from '../../../../controller/kinds/load-balancer/certificates.ts';
import { aCertificate } from '../../../builders/certificate.ts';
import { condition, namespace } from '../../../builders/site.ts';
import { Stage, spec } from './stage.ts';

type Change = (stage: Stage) => void | Promise<void>;

export interface Scene {
  readonly spec?: object;
  /** Before it is made. */
  readonly begin?: Change;
  /** When it serves. */
  readonly change?: Change;
  /** Passes after that, at most; as many as it takes to come to rest, when unset. */
  readonly passes?: number;
}

export async function conditionsOf({ spec: changes, begin, change, passes }: Scene) {
  const stage = new Stage();
  await begin?.(stage);
  stage.addBalancer(changes);
  if (change !== undefined) {
    // The second time, what was published in the first has spread.
    await stage.reconcile();
    await stage.reconcile();
    await change(stage);
  }
  return (await stage.reconcile(passes)).status?.conditions ?? [];
}

export const silence = new AppError('shell.unreachable', 'it does not answer');

/** Both front ends are silent, for longer than a lost connection takes to come back. */
export const bothSilent: Scene = { change: (stage) => silenceAll(stage, 1, 2) };

export async function silenceAll(stage: Stage, ...numbers: readonly number[]): Promise<void> {
  for (const number of numbers) stage.front(number).failure = silence;
  for (let count = 0; count < 3; count += 1) await stage.reconcile();
}

/** The checks of these servers fail on these front ends. */
export function fail(servers: readonly string[], fronts: readonly number[] = [1, 2]): Change {
  return (stage) => {
    for (const number of fronts) for (const address of servers) stage.front(number).sick.add(address);
  };
}

export const [appA, appB] = ['10.0.0.11:8000', '10.0.0.12:8000'] as const;

/** These servers have not booted yet. */
export function boot(...names: readonly string[]): Change {
  const status = { conditions: [{ ...condition('Ready', 'Booting'), status: 'False' }] };
  return (stage) => {
    for (const name of names) stage.site.kube.edit(serverKind, { namespace, name }, { status });
  };
}

export const edit =
  (changes: object): Change =>
  (stage) =>
    stage.edit(changes);

/** Another structure than the one that runs. */
export const newStructure = { haproxyExtra: { defaults: 'option httplog' } };

/** HAProxy rejects it on all front ends. */
export const rejected: Scene = {
  change: (stage) => {
    const refusal = { result: 'rejected', message: "unknown keyword 'optoin'" } as const;
    for (const number of [1, 2]) stage.front(number).refusal = refusal;
    stage.edit(newStructure);
  },
};

/** The first front end runs it, and serves worse than the other. */
export const worse: Scene = {
  change: async (stage) => {
    stage.edit(newStructure);
    for (let seconds = 0; seconds < 8; seconds += 1) {
      for (const number of [1, 2]) {
        const { requests, failures } = stage.front(number).traffic;
        const more = number === 1 ? 40 : 0;
        stage.front(number).traffic = { requests: requests + 500, failures: failures + more };
      }
      await stage.pass(1_000);
    }
  },
};

/** Somebody listens on port 80 of the second front end too. */
export function shared(unit: string): Scene {
  return {
    change: (stage) => {
      stage.front(2).strangers = [{ port: 80, pid: 812, program: 'nginx', unit }];
    },
  };
}

/** An older one runs on the same front ends. */
export const taken: Scene = {
  begin: async (stage) => {
    stage.addBalancer({}, 'first');
    await stage.site.clock.advance(1_000);
  },
};

export const dns = { name: 'www.example.com', ttlSeconds: 60 };

/** A name to publish, and what Route 53 answers to the next wish to change it. */
export function published(code: 'cloud.denied' | 'cloud.credentials' | 'cloud.unreachable'): Scene {
  return {
    spec: { dns },
    begin: ({ site }) => site.cloud.dns.faults.failNext('upsert', code, 100),
  };
}

export const https = {
  name: 'https',
  port: 443,
  protocol: 'HTTPS',
  backend: 'app',
  certificateSecretRef: { name: 'tls' },
};
export const listeners = [...spec.listeners, https];

const pair = await aCertificate('www.example.com', 3_650);
const certificate = readCertificate('tls', pair);
const day = 24 * 3_600_000;

/** Its certificate, for www.example.com, has so many days left. */
export function daysLeft(days: number, changes: object = {}): Scene {
  return {
    spec: { listeners, ...changes },
    begin: async (stage) => {
      await stage.putSecret(pair);
      if (!('expiresAt' in certificate)) throw new Error('the certificate cannot be used');
      const { clock } = stage.site;
      await clock.advance(certificate.expiresAt - days * day - clock.now());
    },
  };
}

export const maintenance = { maintenance: { enabled: true } };
export const noArray: Scene = { change: edit({ frontendArrayRef: { name: 'nope' } }) };
export const noFronts: Scene = { begin: boot('front-a', 'front-b') };
export const allDown: Scene = { change: fail([appA, appB]) };
export const oneSilent: Scene = { change: (stage) => silenceAll(stage, 2) };
export const trying: Scene = { change: edit(newStructure), passes: 2 };
export const refused: Scene = {
  change: (stage) => {
    stage.front(2).failure = new AppError('shell.host-failed', 'no space left on device');
  },
};
export const suspended: Scene = { change: edit({ suspend: true }) };
export const noHandEdits: Scene = {
  spec: { onHandEdit: 'Pause' },
  change: (stage) => {
    stage.front(1).text += '# mine\n';
  },
};
export const canary = 'front-a is the first to run the new configuration \\(hash [0-9a-f]{4}\\)';
