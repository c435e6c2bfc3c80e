/** Everything a demo stands on: lab, control plane, manifests, controller. Each part is started only where missing. */
import { copyFileSync, existsSync, rmSync } from 'node:fs';
import path from 'node:path';
import { paths } from '../config.ts';
import { ensureBinaries } from '../kube/build.ts';
import { startControlPlane, stopControlPlane } from '../kube/control-plane.ts';
import { Kubectl } from '../kube/kubectl.ts';
import { down as labDown, up as labUp } from '../launcher/lab.ts';
import { createAccount } from './account.ts';
import { controllerMemory, startController, stopController } from './controller.ts';

const kubeDir = path.join(paths.lab, 'kube');
const controllerDir = path.join(paths.lab, 'controller');
const checkout = path.resolve(import.meta.dirname, '..', '..');

export const kubeconfig = path.join(paths.lab, 'kubeconfig');

/** Runs `work` and tells how long it took; `work` returns what to say about it. */
export type Step = <Result>(title: string, work: () => Promise<Result>) => Promise<Result>;

/** Brings everything up and returns a kubectl for it; a second call takes about two seconds. */
export async function bringUp(step: Step, say: (line: string) => void): Promise<Kubectl> {
  await step('local cloud (EC2, S3, Route 53, DNS)', () => labUp({ progress: say }));
  const binaries = await ensureBinaries(say);
  const plane = await step('Kubernetes API server', () =>
    startControlPlane({ dir: kubeDir, lifetime: 'daemon', binaries }),
  );
  copyFileSync(plane.kubeconfig, kubeconfig);
  const kubectl = new Kubectl(binaries.kubectl, kubeconfig);
  await step('kinds, roles and policies', () => installManifests(kubectl));
  await step('controller', () =>
    startController({ dir: controllerDir, kubeconfig: plane.controllerKubeconfig, lifetime: 'daemon' }),
  );
  await step('CloudAccount default', () => createAccount(kubectl));
  return kubectl;
}

/** `176 MB`: what the controller holds. */
export function memoryOfController(): string {
  return `${Math.round((controllerMemory(controllerDir) ?? 0) / 1e6)} MB`;
}

/** Applies `manifests/`, as the README tells people to do, and waits until the API server serves the kinds. */
export async function installManifests(kubectl: Kubectl): Promise<void> {
  const folder = path.join(checkout, 'manifests');
  await kubectl.run(['apply', '--server-side', '--force-conflicts', '--kustomize', folder]);
  await kubectl.run(['wait', 'crd', '--all', '--for=condition=Established', '--timeout=30s']);
}

/** Ends the controller first, so that nothing acts on a cloud that goes away; then leaves no trace but the cache. */
export async function takeDown(step: Step): Promise<void> {
  await step('controller', () => stopController(controllerDir));
  await step('Kubernetes API server', () => stopControlPlane(kubeDir));
  await step('local cloud', labDown);
  if (existsSync(paths.lab)) rmSync(paths.lab, { recursive: true, force: true });
}
