/** A real, small Kubernetes: etcd, API server and the controllers that collect garbage and end namespaces. */
import { existsSync, readFileSync } from 'node:fs';
import { get } from 'node:https';
import { connect } from 'node:net';
import path from 'node:path';
import { stablePorts } from '../ports.ts';
import { type Lifetime, runningPid, startProcess, stopProcess, waitForProcess } from '../process.ts';
import type { Binaries } from './binaries.ts';
import { ensureCredentials, files, kubeconfigPath, tokenOf, writeKubeconfigs } from './credentials.ts';

export interface ControlPlaneOptions {
  /** Data, keys, logs and pid files; a later start with the same folder finds the same cluster. */
  readonly dir: string;
  readonly lifetime: Lifetime;
  readonly binaries: Binaries;
}

export interface ControlPlane {
  /** `https://127.0.0.1:<port>`; the same for the life of `dir`. */
  readonly url: string;
  /** Path of the kubeconfig of a user who may do everything. */
  readonly kubeconfig: string;
  /** Path of the kubeconfig of the controller's service account. */
  readonly controllerKubeconfig: string;
  /** Kills the API server, as a crash would; its data stays. */
  crashApiServer(): Promise<void>;
  /** Starts the API server again and waits until it is ready. */
  startApiServer(): Promise<void>;
  /** Ends all three processes; the data stays in `dir`. */
  stop(): Promise<void>;
}

const portNames = ['etcd', 'etcdPeer', 'apiServer'] as const;
type Ports = Readonly<Record<(typeof portNames)[number], number>>;

const readyTimeoutMs = 60_000;
/** In the order they are stopped. */
const processNames = ['kube-controller-manager', 'kube-apiserver', 'etcd'] as const;

/** Starts what does not run yet, on 127.0.0.1 only, and waits until the API server is ready: about 4 s. */
export async function startControlPlane(options: ControlPlaneOptions): Promise<ControlPlane> {
  const { dir } = options;
  ensureCredentials(dir);
  const ours = processNames.some((name) => runningPid(dir, name) !== undefined);
  const ports = await stablePorts(path.join(dir, 'ports.json'), portNames, ours);
  const url = `https://127.0.0.1:${ports.apiServer}`;
  const plane: ControlPlane = {
    url,
    kubeconfig: kubeconfigPath(dir, 'admin'),
    controllerKubeconfig: kubeconfigPath(dir, 'controller'),
    crashApiServer: () => stopProcess(dir, 'kube-apiserver', 0),
    startApiServer: () => startApiServer(options, ports),
    stop: () => stopControlPlane(dir),
  };
  try {
    await startEtcd(options, ports);
    await plane.startApiServer();
    writeKubeconfigs(dir, url);
    startControllerManager(options);
  } catch (error) {
    await plane.stop();
    throw error;
  }
  return plane;
}

/** Ends the processes of the control plane in `dir`, also those another program started. */
export async function stopControlPlane(dir: string): Promise<void> {
  for (const name of processNames) await stopProcess(dir, name, 3_000);
}

/** Whether all three processes run. */
export function controlPlaneRuns(dir: string): boolean {
  return processNames.every((name) => runningPid(dir, name) !== undefined);
}

async function startEtcd({ dir, lifetime, binaries }: ControlPlaneOptions, ports: Ports): Promise<void> {
  const client = `http://127.0.0.1:${ports.etcd}`;
  const peer = `http://127.0.0.1:${ports.etcdPeer}`;
  startProcess({
    name: 'etcd',
    command: binaries.etcd,
    args: [
      `--data-dir=${path.join(dir, 'etcd')}`,
      `--listen-client-urls=${client}`,
      `--advertise-client-urls=${client}`,
      `--listen-peer-urls=${peer}`,
      `--initial-advertise-peer-urls=${peer}`,
      `--initial-cluster=default=${peer}`,
      '--unsafe-no-fsync', // A lab may lose its data with the machine, never with the process.
      '--log-level=warn',
    ],
    dir,
    lifetime,
  });
  await waitForProcess({ dir, name: 'etcd' }, () => accepts(ports.etcd), readyTimeoutMs);
}

async function startApiServer({ dir, lifetime, binaries }: ControlPlaneOptions, ports: Ports): Promise<void> {
  const key = path.join(dir, files.serviceAccountKey);
  const name = 'kube-apiserver';
  startProcess({
    name,
    command: binaries[name],
    args: [
      `--etcd-servers=http://127.0.0.1:${ports.etcd}`,
      '--bind-address=127.0.0.1',
      '--advertise-address=127.0.0.1',
      '--endpoint-reconciler-type=none', // Loopback is no valid endpoint address.
      `--secure-port=${ports.apiServer}`,
      `--cert-dir=${path.join(dir, path.dirname(files.certificate))}`,
      '--service-cluster-ip-range=10.0.0.0/24',
      '--service-account-issuer=https://kubernetes.default.svc',
      `--service-account-key-file=${key}`,
      `--service-account-signing-key-file=${key}`,
      '--authorization-mode=RBAC',
      `--token-auth-file=${path.join(dir, files.tokens)}`,
      '--disable-admission-plugins=ServiceAccount', // No pods here, so nothing makes default accounts.
    ],
    dir,
    lifetime,
  });
  await waitForProcess({ dir, name }, () => isReady(dir, ports.apiServer), readyTimeoutMs);
}

function startControllerManager({ dir, lifetime, binaries }: ControlPlaneOptions): void {
  startProcess({
    name: 'kube-controller-manager',
    command: binaries['kube-controller-manager'],
    args: [
      `--kubeconfig=${kubeconfigPath(dir, 'admin')}`,
      '--controllers=garbage-collector-controller,namespace-controller,clusterrole-aggregation-controller',
      '--leader-elect=false',
      '--secure-port=0',
    ],
    dir,
    lifetime,
  });
}

/** Whether somebody listens on the port. */
function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.on('error', () => resolve(false));
    socket.on('connect', () => {
      socket.destroy();
      resolve(true);
    });
  });
}

/** Whether `/readyz` says ok, over a connection that trusts only the server's own certificate. */
function isReady(dir: string, port: number): Promise<boolean> {
  const certificate = path.join(dir, files.certificate);
  if (!existsSync(certificate)) return Promise.resolve(false);
  return new Promise((resolve) => {
    const request = get(
      {
        host: '127.0.0.1',
        port,
        path: '/readyz',
        agent: false,
        ca: readFileSync(certificate),
        headers: { authorization: `Bearer ${tokenOf(dir, 'admin')}` },
        timeout: 2_000,
      },
      (response) => {
        response.resume();
        resolve(response.statusCode === 200);
      },
    );
    request.on('timeout', () => request.destroy());
    request.on('error', () => resolve(false));
  });
}
