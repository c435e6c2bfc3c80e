/** Models whose files lie in `test/golden/haproxy`, each a different use of HAProxy. */
import { frontEndLayout, localProxyLayout } from '../../../controller/balancer/layout.ts';
import type { Backend, ProxyModel } from '../../../controller/balancer/model.ts';

const app: Backend = {
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
    owner: 'MySQLCluster site/db',
    listeners: [{ name: 'writer', address: '127.0.0.1', port: 3306, protocol: 'TCP', backend: 'writer' }],
    backends: [
      { ...app, name: 'writer', protocol: 'TCP', balance: 'RoundRobin', check: { ...app.check, path: '' } },
    ],
  },
};
