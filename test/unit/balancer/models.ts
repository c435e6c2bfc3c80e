/** Models whose files lie in `test/golden/haproxy`, each a different use of HAProxy. */
import { frontEndLayout, localProxyLayout } from '../../../controller/balancer/layout.ts';
import type { CheckedBackend, ProxyModel, ProxyServer } from '../../../controller/balancer/model.ts';

const app: CheckedBackend = {
  name: 'app',
  protocol: 'HTTP',
  balance: 'LeastConn',
  check: { path: '/healthz', periodMilliseconds: 2000, rise: 2, fall: 3 },
  servers: [
    { name: 'i-0b-8000', address: '10.0.2.22', port: 8000, weight: 100, maxConnections: 20 },
    { name: 'i-0a-8000', address: '10.0.1.21', port: 8000, weight: 100, maxConnections: 20 },
    { name: 'i-0f-8000', address: '127.0.0.1', port: 8000, weight: 30, maxConnections: 0 },
  ],
};

const http: ProxyModel = {
  layout: frontEndLayout,
  owner: 'LoadBalancer site/www',
  node: 'front-1',
  listeners: [{ name: 'http', address: '*', port: 80, protocol: 'HTTP', backend: 'app' }],
  backends: [app],
  maintenance: false,
  page: '<h1>Back soon</h1>\n',
  extra: { global: [], defaults: [] },
};

/** By name of the golden file. */
export const models: Readonly<Record<string, ProxyModel>> = {
  http,
  'maintenance-on': { ...http, maintenance: true },
  'https-and-http': {
    ...http,
    listeners: [
      ...http.listeners,
      { name: 'https', address: '*', port: 443, protocol: 'HTTPS', backend: 'app', certificate: 'PEM' },
    ],
  },
  'several-processes': {
    ...http,
    backends: [
      {
        ...app,
        balance: 'Source',
        servers: [8001, 8002].flatMap((port) =>
          app.servers.map((server) => ({ ...server, name: server.name.replace('8000', String(port)), port })),
        ),
      },
    ],
  },
  'extra-lines': {
    ...http,
    extra: { global: ['tune.bufsize 32768'], defaults: ['timeout server 90s', 'option forwardfor'] },
  },
  'local-tcp-proxy': {
    ...http,
    layout: localProxyLayout,
    owner: 'a plain TCP service',
    listeners: [{ name: 'echo', address: '127.0.0.1', port: 7000, protocol: 'TCP', backend: 'echo' }],
    backends: [
      { ...app, name: 'echo', protocol: 'TCP', balance: 'RoundRobin', check: { ...app.check, path: '' } },
    ],
  },
  database: {
    ...http,
    layout: localProxyLayout,
    owner: 'MySQLCluster site/db',
    page: '',
    term: { of: '0b6ff6a4-9a6f-4f7e-8d51-0d3a6f0e9f10', number: 7 },
    listeners: [
      { name: 'writer', address: '127.0.0.1', port: 3306, protocol: 'TCP', backend: 'writer' },
      { name: 'reader', address: '127.0.0.1', port: 3307, protocol: 'TCP', backend: 'reader' },
    ],
    backends: [
      { name: 'writer', protocol: 'TCP', balance: 'RoundRobin', servers: [mysql('db-2', 2)] },
      {
        name: 'reader',
        protocol: 'TCP',
        balance: 'LeastConn',
        check: { path: '', greeting: true, periodMilliseconds: 1000, rise: 1, fall: 2 },
        servers: [mysql('db-3', 3), { ...mysql('db-2', 2), backup: true }],
      },
    ],
  },
};

function mysql(server: string, number: number): ProxyServer {
  const address = `10.0.0.${number}`;
  return { name: `${server}-${address}`, address, port: 3306, weight: 100, maxConnections: 0 };
}
