/** A whole installation for one test file: the lab, an API server of its own, the manifests, the controller process. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import {
  DescribeInstancesCommand,
  EC2Client,
  type Instance,
  type InstanceStateName,
  TerminateInstancesCommand,
} from '@aws-sdk/client-ec2';
import type { LaunchBatch } from '../../controller/api/launch-batch.ts';
import { type InstanceView, instances as labInstances } from '../../lab/cli/control.ts';
import { createAccount } from '../../lab/demo/account.ts';
import {
  labAccess,
  type RunningController,
  startController,
  stopController,
} from '../../lab/demo/controller.ts';
import { installManifests } from '../../lab/demo/stack.ts';
import { ensureBinaries } from '../../lab/kube/build.ts';
import { type ControlPlane, startControlPlane } from '../../lab/kube/control-plane.ts';
import { Kubectl } from '../../lab/kube/kubectl.ts';
import { up } from '../../lab/launcher/lab.ts';
import { runningPid, stopProcess } from '../../lab/process.ts';
import { readStateStore } from './state-store.ts';

export interface Installation {
  readonly kubectl: Kubectl;
  readonly plane: ControlPlane;
  /** The lab's EC2, as any client sees it. */
  readonly ec2: EC2Client;
  /** Starts the controller unless it runs; `env` may arm a failpoint. Resolves when it leads. */
  startController(env?: NodeJS.ProcessEnv): Promise<RunningController>;
  controllerRuns(): boolean;
  /** Ends the controller without a chance to tidy up. */
  killController(): Promise<void>;
  /** Everything the controller processes have logged. */
  controllerLog(): string;
  /** Ids of this installation's instances that are not terminated, or only of those in these states. */
  instances(...states: readonly InstanceStateName[]): Promise<string[]>;
  /** Every instance that was ever launched for a Server, terminated ones included. */
  launchedFor(server: string): Promise<InstanceView[]>;
  /** The objects of its state store as text, by key. */
  stored(): Promise<ReadonlyMap<string, string>>;
  /** Ends everything and terminates the machines that are left. */
  close(): Promise<void>;
}

const releaseLease =
  'delete lease ridgeline-controller --namespace ridgeline-system --ignore-not-found'.split(' ');

let opened: Installation | undefined;

/** The one of this test file, if it has one. */
export function openedInstallation(): Installation | undefined {
  return opened;
}

/** About 10 s, without the controller. The lab is started where it is down and stays up for the next file. */
export async function openInstallation(): Promise<Installation> {
  const say = (line: string) => console.error(line);
  await up({ progress: say });
  const dir = mkdtempSync(path.join(tmpdir(), 'ridgeline-e2e-'));
  const binaries = await ensureBinaries(say);
  const plane = await startControlPlane({ dir: path.join(dir, 'kube'), lifetime: 'child', binaries });
  const kubectl = new Kubectl(binaries.kubectl, plane.kubeconfig);
  await installManifests(kubectl);
  await createAccount(kubectl);
  const ec2 = new EC2Client(labAccess());
  const tag = await kubectl.run(['get', 'namespace', 'kube-system', '--output=jsonpath={.metadata.uid}']);
  // All installations of a lab share one bucket.
  const stateStore = { prefix: `${tag}/` };
  const ownPrefix = JSON.stringify({ spec: { stateStore } });
  await kubectl.run(['patch', 'cloudaccount', 'default', '--type=merge', `--patch=${ownPrefix}`]);
  const controller = { dir: path.join(dir, 'controller'), kubeconfig: plane.controllerKubeconfig };
  const controllerRuns = () => runningPid(controller.dir, 'controller') !== undefined;
  const instances: Installation['instances'] = async (...states) => {
    const found = await instancesOf(ec2, tag);
    return found.flatMap(({ InstanceId, State }) => (isMeant(State?.Name, states) ? [InstanceId!] : []));
  };
  opened = {
    kubectl,
    plane,
    ec2,
    async startController(env = {}) {
      // A killed leader could not hand its lease over, and waiting until it runs out would test nothing.
      if (!controllerRuns()) await kubectl.run(releaseLease);
      return startController({ ...controller, env, lifetime: 'child' });
    },
    controllerRuns,
    killController: () => stopProcess(controller.dir, 'controller', 0),
    controllerLog: () => readFileSync(path.join(controller.dir, 'controller.log'), 'utf8'),
    instances,
    async launchedFor(server) {
      const batches = await kubectl.run(['get', 'launchbatches', '--all-namespaces', '--output=json']);
      const { items } = JSON.parse(batches) as { readonly items: readonly LaunchBatch[] };
      // From the lab itself: EC2 may be told to misbehave.
      return (await labInstances()).filter((instance) => serverOf(instance, items) === server);
    },
    stored: () => readStateStore(stateStore.prefix),
    async close() {
      await stopController(controller.dir);
      await plane.stop();
      const left = await instances();
      if (left.length > 0) await ec2.send(new TerminateInstancesCommand({ InstanceIds: left }));
      ec2.destroy();
      rmSync(dir, { recursive: true, force: true });
    },
  };
  return opened;
}

/** The Server an instance was launched for: its place in its batch says so, its Name tag does not when a batch has many. */
function serverOf({ tags, launchIndex }: InstanceView, batches: readonly LaunchBatch[]): string | undefined {
  const batch = batches.find(({ metadata }) => metadata.uid === tags['ridgeline:batch']);
  return batch?.spec.slots.find(({ index }) => index === launchIndex)?.server;
}

async function instancesOf(ec2: EC2Client, installation: string): Promise<readonly Instance[]> {
  const Filters = [{ Name: 'tag:ridgeline:installation', Values: [installation] }];
  const { Reservations = [] } = await ec2.send(new DescribeInstancesCommand({ Filters }));
  return Reservations.flatMap(({ Instances = [] }) => Instances);
}

function isMeant(state: InstanceStateName | undefined, states: readonly InstanceStateName[]): boolean {
  return states.length === 0 ? state !== 'terminated' : state !== undefined && states.includes(state);
}
