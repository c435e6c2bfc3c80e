/** Rows: what is said of the ways to a cluster, by what a pass over its proxies and names found. */
import { type SiteDeployment, siteDeploymentKind } from '../../../controller/api/deployment.ts';
import { type MySQLCluster, mySQLClusterKind } from '../../../controller/api/mysql-cluster.ts';
import type { Reason } from '../../../controller/api/reasons.ts';
import type { Report } from '../../../controller/balancer/fleet.ts';
import { renderConfig } from '../../../controller/balancer/render.ts';
import { AppError } from '../../../controller/base/errors.ts';
import type { Published } from '../../../controller/dns/publisher.ts';
import { proxyModelOf, type Route } from '../../../controller/routes/model.ts';
import type { RouteContext, RouteReports } from '../../../controller/routes/verdict.ts';
import { namespace, words } from '../../builders/site.ts';

export type VerdictRow = readonly [
  when: string,
  around: RouteContext,
  ways: RouteReports,
  says: readonly ['True' | 'False', Reason<'MySQLCluster', 'EndpointsReady'>, string],
];

export const proxied = { localProxy: { arrays: ['app'] } };
const named = { writer: { dnsName: 'db.example.com' }, reader: { dnsName: 'db-ro.example.com' } };

/** Created in this year. */
export function cluster(endpoints?: object, name = 'db', year = 2026): MySQLCluster {
  const spec = mySQLClusterKind.options.spec.parse({
    deploymentRef: { name: 'shop' },
    serverTemplateRef: { name: 'mariadb' },
    engine: { flavor: 'MariaDB', version: '11.8' },
    ...(endpoints === undefined ? {} : { endpoints }),
  }) as MySQLCluster['spec'];
  const creationTimestamp = `${year}-01-01T00:00:00Z`;
  const metadata = { namespace, name, uid: `uid-${name}`, resourceVersion: '1', creationTimestamp };
  return { ...words(mySQLClusterKind), metadata, spec };
}

const deployment = {
  ...words(siteDeploymentKind),
  spec: { dns: { zoneID: 'Z1', domain: 'example.com' } },
} as SiteDeployment;

export function around(endpoints?: object, changes: Partial<RouteContext> = {}): RouteContext {
  return { cluster: cluster(endpoints), deployment, arrays: new Set(['app']), others: [], ...changes };
}

const at = (number: number) => ({ server: `db-${number}`, address: `10.0.0.${number}` });
const route: Route = { epoch: 1, writer: at(1), readers: [at(2), at(3)] };
const former: Route = { epoch: 1, writer: at(3), readers: [at(1), at(2)] };

/** A proxy that runs what leads there; undefined = HAProxy does not run. */
function report(server: string, leads: Route | undefined, trouble?: Report['trouble']): Report {
  const model = leads === undefined ? undefined : proxyModelOf(cluster(proxied), leads, server);
  const running = model === undefined ? {} : { running: { base: renderConfig(model).base } };
  const awaited = { checks: [], ends: [], since: 0 };
  const observation = running as Report['observation'];
  return { seenAt: 1, silentSince: undefined, observation, awaited, trouble, done: [] };
}

function ways(proxies: Readonly<Record<string, Report>>, names: readonly Published[] = []): RouteReports {
  return { route, proxies: new Map(Object.entries(proxies)), names };
}

function published(name: string, addresses: readonly string[], changes: Partial<Published> = {}): Published {
  const record = { zoneID: 'Z1', name, ttlSeconds: 5, addresses };
  return { record, inSync: true, hasChanged: false, ...changes };
}

const failed = (code: ConstructorParameters<typeof AppError>[0], message: string) =>
  published('db.example.com', ['10.0.0.1'], { inSync: false, failure: new AppError(code, message) });

const silent = { kind: 'unreachable', message: '10.0.0.12 does not answer' } as const;
const lacking = { kind: 'rejected', message: 'haproxy is not installed; add it to spec.packages.' } as const;
const both = { 'app-a': report('app-a', route), 'app-b': report('app-b', route) };
const writerName = published('db.example.com', ['10.0.0.1']);
const readerName = published('db-ro.example.com', ['10.0.0.2', '10.0.0.3']);

const inPlace: readonly VerdictRow[] = [
  ['none are asked for', around(), ways({}), ['True', 'NotConfigured', 'spec.endpoints is unset.']],
  [
    'one proxy leads there',
    around(proxied),
    ways({ 'app-a': report('app-a', route) }),
    ['True', 'Current', '1 local proxy leads to db-1.'],
  ],
  [
    'two proxies and two names lead there',
    around({ ...proxied, ...named }),
    ways(both, [writerName, readerName]),
    [
      'True',
      'Current',
      '2 local proxies lead to db-1; db.example.com is 10.0.0.1; db-ro.example.com is 10.0.0.2, 10.0.0.3.',
    ],
  ],
  [
    'a name that is no longer wanted is gone',
    around({ writer: named.writer }),
    ways({}, [writerName, { record: undefined, inSync: true, hasChanged: true }]),
    ['True', 'Current', 'db.example.com is 10.0.0.1.'],
  ],
  [
    'the array has no servers',
    around(proxied),
    ways({}),
    ['True', 'Current', 'No server runs a local proxy yet.'],
  ],
  [
    'the array is that of a younger cluster too',
    around(proxied, { others: [cluster(proxied, 'young', 2027)] }),
    ways(both),
    ['True', 'Current', '2 local proxies lead to db-1.'],
  ],
];

const onTheirWay: VerdictRow[3] = ['False', 'Updating', 'Local proxies or names are on their way.'];

const isMoving: readonly VerdictRow[] = [
  ['there is no primary yet', around(proxied), { ...ways({}), route: undefined }, onTheirWay],
  [
    'a proxy leads to the former primary',
    around(proxied),
    ways({ ...both, 'app-b': report('app-b', former) }),
    onTheirWay,
  ],
  [
    'a proxy does not run',
    around(proxied),
    ways({ ...both, 'app-b': report('app-b', undefined) }),
    onTheirWay,
  ],
  [
    'a proxy was never looked at',
    around(proxied),
    ways({ ...both, 'app-b': { ...both['app-b'], observation: undefined } }),
    onTheirWay,
  ],
  [
    'a name server does not answer with a name yet',
    around({ ...proxied, ...named }),
    ways(both, [writerName, { ...readerName, inSync: false }]),
    onTheirWay,
  ],
];

const isTroubled: readonly VerdictRow[] = [
  [
    'one host of two is silent',
    around(proxied),
    ways({ ...both, 'app-b': report('app-b', route, silent) }),
    ['False', 'HostUnreachable', 'The local proxy of app-b cannot be set: 10.0.0.12 does not answer.'],
  ],
  [
    'two hosts are silent',
    around(proxied),
    ways({ 'app-a': report('app-a', route, silent), 'app-b': report('app-b', former, silent) }),
    [
      'False',
      'HostUnreachable',
      'The local proxy of app-a cannot be set: 10.0.0.12 does not answer. 2 of 2 have trouble.',
    ],
  ],
  ...(['rejected', 'edited', 'refused'] as const).map(
    (kind): VerdictRow => [
      `one host is silent, another cannot run it: ${kind}`,
      around(proxied),
      ways({
        'app-a': report('app-a', route, silent),
        'app-b': report('app-b', undefined, { ...lacking, kind }),
      }),
      [
        'False',
        'ProxyRejected',
        'The local proxy of app-b cannot be set: haproxy is not installed; add it to spec.packages. 2 of 2 have trouble.',
      ],
    ],
  ),
  [
    'the zone is not there, and a proxy is on its way',
    around({ ...proxied, ...named }),
    ways({ 'app-a': report('app-a', former) }, [
      readerName,
      failed('cloud.not-found', 'there is no zone Z1'),
    ]),
    ['False', 'ZoneNotFound', 'there is no zone Z1'],
  ],
  ...(['cloud.denied', 'cloud.credentials'] as const).map(
    (code): VerdictRow => [
      `AWS refuses: ${code}`,
      around(named),
      ways({}, [failed(code, 'route53:ChangeResourceRecordSets is refused')]),
      ['False', 'AccessDenied', 'route53:ChangeResourceRecordSets is refused'],
    ],
  ),
  [
    'Route 53 does not answer',
    around(named),
    ways({}, [failed('cloud.unreachable', 'Route 53 does not answer')]),
    ['False', 'CloudUnreachable', 'Route 53 does not answer. It is tried again.'],
  ],
  [
    'a proxy and a name have trouble: proxies are the fast way',
    around({ ...proxied, ...named }),
    ways({ 'app-b': report('app-b', route, silent) }, [failed('cloud.denied', 'refused')]),
    ['False', 'HostUnreachable', 'The local proxy of app-b cannot be set: 10.0.0.12 does not answer.'],
  ],
];

const isMistaken: readonly VerdictRow[] = [
  [
    'an array is not there, and a host is silent',
    around({ localProxy: { arrays: ['app', 'web'] } }),
    ways({ 'app-b': report('app-b', route, silent) }),
    [
      'False',
      'ArrayNotFound',
      'ServerArray/web (spec.endpoints.localProxy.arrays) does not exist. Create it or correct the name.',
    ],
  ],
  [
    'the array is that of an older cluster',
    around(proxied, { others: [cluster(undefined, 'none', 2020), cluster(proxied, 'old', 2025)] }),
    ways({}),
    [
      'False',
      'ProxiesTaken',
      'The local proxies of ServerArray/app lead to MySQLCluster/old, which is older. Take the array off one of the two; db can still be reached by name.',
    ],
  ],
  [
    'of two clusters made at once the first by name has the array',
    around(proxied, { others: [cluster(proxied, 'aa')] }),
    ways({}),
    [
      'False',
      'ProxiesTaken',
      'The local proxies of ServerArray/app lead to MySQLCluster/aa, which is older. Take the array off one of the two; db can still be reached by name.',
    ],
  ],
  ...(['writer', 'reader'] as const).map(
    (role): VerdictRow => [
      `a name of the ${role} is wanted, and the Deployment has no zone`,
      around({ [role]: named[role] }, { deployment: { ...deployment, spec: {} } as SiteDeployment }),
      ways({}),
      [
        'False',
        'ZoneNotFound',
        `${named[role].dnsName} is published nowhere: Deployment/shop has no spec.dns.zoneID. Set it, or take the name out of spec.endpoints.`,
      ],
    ],
  ),
  ...(['writer', 'reader'] as const).map(
    (role): VerdictRow => [
      `the name of the ${role} lies elsewhere`,
      around({ ...named, [role]: { dnsName: 'db.badexample.com' } }),
      ways({}),
      [
        'False',
        'NameOutsideDomain',
        'db.badexample.com does not lie in example.com, the domain of Deployment/shop.',
      ],
    ],
  ),
];

export const verdictRows = [...inPlace, ...isMoving, ...isTroubled, ...isMistaken];
