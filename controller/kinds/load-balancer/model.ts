/** From a LoadBalancer to what HAProxy should do on one of its front ends. Pure. */

import type { LoadBalancer } from '../../api/load-balancer.ts';
import type { Server } from '../../api/server.ts';
import { frontEndLayout } from '../../balancer/layout.ts';
import type { Backend, Listener, ProxyModel, ProxyServer } from '../../balancer/model.ts';
import { renderConfig } from '../../balancer/render.ts';
import { membersOf } from './members.ts';

type BackendSpec = LoadBalancer['spec']['backends'][number];

/** What a model is made from, besides the front end itself. */
export interface Materials {
  readonly balancer: LoadBalancer;
  /** Of the namespace. */
  readonly servers: readonly Server[];
  readonly page: string;
  /** PEM by name of the listener. */
  readonly certificates: ReadonlyMap<string, string>;
  readonly extra: ProxyModel['extra'];
}

/** Equal on all front ends but for the name, and for a member on the same host, which is reached at 127.0.0.1. */
export function modelFor(materials: Materials, frontend: Server): ProxyModel {
  const { balancer, page, extra } = materials;
  const { metadata, spec } = balancer;
  return {
    layout: frontEndLayout,
    owner: `LoadBalancer ${metadata.namespace ?? ''}/${metadata.name}`,
    node: frontend.metadata.name,
    listeners: spec.listeners.map((listener) => listenerFor(materials, listener)),
    backends: spec.backends.map((backend) => backendFor(materials, backend, frontend)),
    maintenance: spec.maintenance.enabled,
    page,
    extra,
  };
}

/** The hash that every front end reports when it runs the wanted structure. */
export function wantedHash(materials: Materials, frontend: Server): string {
  return renderConfig(modelFor(materials, frontend)).base;
}

/** Name of a server's process in HAProxy: never used again for another machine. */
export function processName(server: Server, port: number): string {
  return `${server.status?.instanceID ?? ''}-${port}`;
}

/** Instance id in the name of a process. */
export function machineOf(process: string): string {
  return process.slice(0, process.lastIndexOf('-'));
}

function listenerFor(
  { certificates }: Materials,
  listener: LoadBalancer['spec']['listeners'][number],
): Listener {
  const { name, port, protocol, backend } = listener;
  const certificate = certificates.get(name);
  return {
    name,
    address: '*',
    port,
    protocol,
    backend,
    ...(certificate === undefined ? {} : { certificate }),
  };
}

function backendFor(materials: Materials, backend: BackendSpec, frontend: Server): Backend {
  const { spec } = materials.balancer;
  const isTcp = spec.listeners.some(
    (listener) => listener.backend === backend.name && listener.protocol === 'TCP',
  );
  const { name, balance, check } = backend;
  return {
    name,
    balance,
    check,
    protocol: isTcp ? 'TCP' : 'HTTP',
    servers: backend.members.flatMap((member) =>
      membersOf(materials.balancer, member.array, materials.servers).map((server) =>
        processFor(server, member, frontend),
      ),
    ),
  };
}

function processFor(server: Server, member: BackendSpec['members'][number], frontend: Server): ProxyServer {
  const { port, weight, maxConnections } = member;
  const isLocal = server.metadata.uid === frontend.metadata.uid;
  const address = isLocal ? '127.0.0.1' : (server.status?.privateIP ?? '');
  return { name: processName(server, port), address, port, weight, maxConnections };
}
