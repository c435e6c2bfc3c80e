/** The HAProxy configuration of one host: deterministic text from a ProxyModel. Pure; golden-tested. */

import { digest } from '../base/digest.ts';
import { safePathWord, safeWord } from './config-syntax.ts';
import type { Backend, HealthCheck, Listener, ProxyModel, ProxyServer } from './model.ts';

/** A configuration file with the digests by which it is recognized, and the files beside it. */
export interface RenderedConfig {
  readonly text: string;
  /**
   * Identifies everything except the lines of checked servers, the host and the term; `description rl=<base>` lets the running process say which it
   * runs, so equal bases mean that no reload is needed.
   */
  readonly base: string;
  /** What the text refers to. Names carry a digest of the content, so new content never changes what runs. */
  readonly sideFiles: readonly SideFile[];
}

export interface SideFile {
  /** Below the layout's directory. */
  readonly name: string;
  readonly content: string;
}

/** Alive and serving: 200 while a backend has a server that is UP, else 503. Asked by DNS checks and monitors. */
const alivePath = '/rl-alive';

/** Only algorithms that take servers at runtime; `source` does with consistent hashing. */
const balanceLines = {
  RoundRobin: ['    balance roundrobin'],
  LeastConn: ['    balance leastconn'],
  Source: ['    balance source', '    hash-type consistent'],
} as const;

/** Renders the file. Equal models give equal bytes; the order of servers in the model does not matter. */
export function renderConfig(model: ProxyModel): RenderedConfig {
  const fixedLines = (backend: Backend) => (backend.check === undefined ? serverLines(backend) : []);
  const { term: _, ...lasting } = model;
  const skeleton = renderSections({ ...lasting, node: 'any' }, { description: '', servers: fixedLines });
  const base = digest(skeleton);
  const body = renderSections(model, { description: `rl=${base}`, servers: serverLines });
  const count = model.backends.reduce((sum, backend) => sum + backend.servers.length, 0);
  const title = `# Rendered by Ridgeline for ${model.owner}. Hand edits are detected and a copy of them is kept.`;
  const seal = `# rl: base=${base} servers=${count} body=${digest(body)}`;
  return { text: `${title}\n${seal}\n${body}`, base, sideFiles: sideFiles(model) };
}

interface Parts {
  readonly description: string;
  readonly servers: (backend: Backend) => readonly string[];
}

function renderSections(model: ProxyModel, parts: Parts): string {
  const blocks = [
    globalSection(model, parts.description),
    defaultsSection(model),
    ...model.listeners.map((listener) => renderFrontend(listener, model)),
    ...model.backends.map((backend) => backendSection(backend, parts.servers(backend))),
  ];
  return `${blocks.map((block) => block.join('\n')).join('\n\n')}\n`;
}

function globalSection(model: ProxyModel, description: string): string[] {
  const { layout } = model;
  return [
    'global',
    '    log /dev/log local0',
    '    log /dev/log local1 notice',
    '    chroot /var/lib/haproxy',
    '    user haproxy',
    '    group haproxy',
    `    node ${safeWord(model.node)}`,
    `    description ${description}`,
    '    maxconn 4000',
    '    hard-stop-after 5m',
    '    mworker-max-reloads 20',
    '    spread-checks 5',
    `    server-state-file ${layout.stateFile}`,
    `    stats socket ${layout.adminSocket} mode 600 level admin`,
    '    stats timeout 10m',
    ...(model.term === undefined ? [] : [`    # rl term ${safeWord(model.term.of)} ${model.term.number}`]),
    ...indentLines(model.extra.global),
  ];
}

function defaultsSection(model: ProxyModel): string[] {
  return [
    'defaults',
    '    log global',
    '    option dontlognull',
    '    option redispatch 1',
    '    retries 2',
    '    load-server-state-from-file global',
    '    timeout connect 2s',
    '    timeout client 30s',
    '    timeout client-fin 5s',
    '    timeout server 60s',
    '    timeout queue 10s',
    '    timeout http-request 10s',
    '    timeout http-keep-alive 15s',
    '    timeout check 2s',
    '    timeout tunnel 1h',
    ...indentLines(model.extra.defaults),
  ];
}

/** No backend's name has a dot: from HAProxy 3.3 on, a frontend may not be called as a backend is. */
function renderFrontend(listener: Listener, model: ProxyModel): string[] {
  const name = safeWord(`in.${listener.name}`);
  const backend = safeWord(listener.backend);
  const bind = `    bind ${listener.address === '*' ? '*' : safeWord(listener.address)}:${listener.port}`;
  if (listener.protocol === 'TCP') {
    return [`frontend ${name}`, '    mode tcp', '    option tcplog', bind, `    default_backend ${backend}`];
  }
  const { directory } = model.layout;
  const certificate = certificateOf(listener);
  const secure =
    certificate === undefined ? '' : ` ssl crt ${directory}/${certificate.name} alpn h2,http/1.1`;
  return [
    `frontend ${name}`,
    '    mode http',
    '    option httplog',
    '    option http-keep-alive',
    // Without it every reload resets idle keep-alive connections: hundreds of failed requests, measured.
    '    option idle-close-on-response',
    `${bind}${secure}`,
    `    monitor-uri ${alivePath}`,
    `    acl no_server nbsrv(${backend}) lt 1`,
    '    monitor fail if no_server',
    `    http-request return status 503 content-type text/html file ${directory}/${pageOf(model).name} hdr Retry-After 60 if { str(maintenance),map(${flagsFile(directory)},off) -m str on }`,
    '    http-request disable-l7-retry unless METH_GET',
    `    default_backend ${backend}`,
  ];
}

/** The map whose entry `maintenance` switches the page on and off, without a reload. */
export function flagsFile(directory: string): string {
  return `${directory}/flags.map`;
}

function sideFiles(model: ProxyModel): readonly SideFile[] {
  const certificates = model.listeners.flatMap((listener) => certificateOf(listener) ?? []);
  const isHttp = model.listeners.some((listener) => listener.protocol !== 'TCP');
  return [...(isHttp ? [pageOf(model)] : []), ...certificates];
}

function pageOf({ page }: ProxyModel): SideFile {
  return { name: `maintenance-${digest(page)}.html`, content: page };
}

function certificateOf({ name, protocol, certificate = '' }: Listener): SideFile | undefined {
  if (protocol !== 'HTTPS') return undefined;
  return { name: `certificate-${safeWord(name)}-${digest(certificate)}.pem`, content: certificate };
}

function backendSection(backend: Backend, servers: readonly string[]): string[] {
  const http = backend.protocol === 'HTTP';
  const name = safeWord(backend.name);
  return [
    `backend ${name}`,
    `    mode ${http ? 'http' : 'tcp'}`,
    ...balanceLines[backend.balance],
    ...(http ? ['    retry-on conn-failure empty-response'] : []),
    ...(backend.check === undefined ? fixedBackendLines : checkLines(backend.check)),
    `    # >>> rl servers ${name}`,
    ...indentLines(servers),
    `    # <<< rl servers ${name}`,
  ];
}

/** Sessions with a database idle for as long as it lets them; a host that has died is noticed all the same. */
const longSessionLines = [
  '    timeout tunnel 24h',
  '    option srvtcpka',
  '    srvtcpka-idle 5s',
  '    srvtcpka-intvl 2s',
  '    srvtcpka-cnt 3',
];

/**
 * Who is refused should hear it at once and not after three tries. Without a check nothing would bring a server back that
 * was down in the state file.
 */
const fixedBackendLines = ['    retries 0', '    load-server-state-from-file none', ...longSessionLines];

/** The first packet of a server that takes clients: number 0, protocol version 10; an error has 0xFF there. */
const greetingLines = [
  '    option tcp-check',
  '    tcp-check connect',
  '    tcp-check expect rbinary ^......000A',
  ...longSessionLines,
];

function checkLines(check: HealthCheck): string[] {
  return [...questionLines(check), `    default-server ${checkParameters(check)}`];
}

function questionLines({ path, greeting = false }: HealthCheck): string[] {
  if (path === '') return greeting ? greetingLines : [];
  return [
    '    option httpchk',
    `    http-check send meth GET uri ${safePathWord(path)} ver HTTP/1.1 hdr Host ridgeline hdr User-Agent ridgeline-check`,
    '    http-check expect status 200-399',
  ];
}

/**
 * The check's server parameters. `default-server` is never inherited by `add server`, so the runtime add line
 * repeats them; there `downMilliseconds` sets how soon a new server's first check runs.
 */
export function checkParameters(check: HealthCheck, downMilliseconds = check.periodMilliseconds): string {
  const fast = Math.min(500, check.periodMilliseconds);
  return (
    `check inter ${check.periodMilliseconds}ms fastinter ${fast}ms downinter ${downMilliseconds}ms` +
    ` rise ${check.rise} fall ${check.fall}`
  );
}

/** Sorted by name, so that equal sets give equal text. */
function serverLines(backend: Backend): string[] {
  return backend.servers
    .toSorted((a, b) => (a.name < b.name ? -1 : 1))
    .map((server) => `server ${safeWord(server.name)} ${targetOf(server)} ${serverParameters(server)}`);
}

/** Address and port, as a server line and `add server` take them. */
export function targetOf(server: ProxyServer): string {
  return `${safeWord(server.address)}:${server.port}`;
}

/** Weight, limit and turn, as a server line and `add server` take them. */
export function serverParameters(server: ProxyServer): string {
  const limit = server.maxConnections > 0 ? ` maxconn ${server.maxConnections}` : '';
  return `weight ${server.weight}${limit}${server.backup === true ? ' backup' : ''}`;
}

function indentLines(lines: readonly string[]): string[] {
  return lines.map((line) => `    ${line}`);
}
