/** An installation without hosts: the lab's API in this process, an API server and the controller as processes. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { startCloud } from '../../lab/api/server.ts';
import { images, region, stateBucket } from '../../lab/config.ts';
import { createAccount } from '../../lab/demo/account.ts';
import { startController, stopController } from '../../lab/demo/controller.ts';
import { installManifests } from '../../lab/demo/stack.ts';
import { ensureBinaries } from '../../lab/kube/build.ts';
import { startControlPlane } from '../../lab/kube/control-plane.ts';
import { Kubectl } from '../../lab/kube/kubectl.ts';
import { runningPid } from '../../lab/process.ts';
import { FakeRuntime } from '../../lab/world/fake-runtime.ts';
import { labRegion } from '../../lab/world/region.ts';
import { FleetHosts } from './fleet-hosts.ts';

export interface FleetSite {
  readonly kubectl: Kubectl;
  readonly hosts: FleetHosts;
  /** Of the cloud, for clients. */
  readonly aws: NodeJS.ProcessEnv;
  readonly metricsUrl: string;
  /** @throws when the controller has ended, with the end of its log. */
  checkController(): void;
  /** Machines that run or are about to. */
  machines(): Promise<number>;
  /** Ends the controller with a chance to write its profile, then the rest. */
  close(): Promise<void>;
}

/** Addresses of machines are loopback's, so that the controller's connections lead to the stand-in and nowhere else. */
const cidr = '127.77.0.0/16';
const credentials = { accessKeyId: 'AKIAFLEETBENCH', secretAccessKey: 'not-a-secret' };

/** About 15 s. `env` is added to the controller's, e.g. for a profile. */
export async function openFleetSite(env: NodeJS.ProcessEnv): Promise<FleetSite> {
  const dir = mkdtempSync(path.join(tmpdir(), 'ridgeline-fleet-'));
  const runtime = new FakeRuntime({ startMs: 200, stopMs: 200 });
  const cloud = await startCloud({
    runtime,
    dir: path.join(dir, 'cloud'),
    labId: 'fleet',
    region: labRegion({
      name: region,
      cidr,
      gateway: '127.77.0.1',
      nameServer: '127.77.0.2',
      images: [images.trixie],
    }),
    credentials,
    listen: { api: { host: '127.0.0.1', port: 0 } },
    seed: { buckets: [stateBucket], zones: [] },
  });
  const aws = {
    AWS_ENDPOINT_URL: `http://127.0.0.1:${cloud.ports.api}`,
    AWS_REGION: region,
    AWS_ACCESS_KEY_ID: credentials.accessKeyId,
    AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey,
    AWS_EC2_METADATA_DISABLED: 'true',
  };
  const binaries = await ensureBinaries((line) => console.error(line));
  const plane = await startControlPlane({ dir: path.join(dir, 'kube'), lifetime: 'child', binaries });
  const kubectl = new Kubectl(binaries.kubectl, plane.kubeconfig);
  const hosts = new FleetHosts();
  const controllerDir = path.join(dir, 'controller');
  const close = async () => {
    await stopController(controllerDir);
    hosts.close();
    await plane.stop();
    await cloud.close();
    rmSync(dir, { recursive: true, force: true });
  };
  try {
    await installManifests(kubectl);
    await createAccount(kubectl, aws);
    const account = { spec: { maxServers: 2_000, ssh: { port: await hosts.open() } } };
    await kubectl.run([
      'patch',
      'cloudaccount',
      'default',
      '--type=merge',
      `--patch=${JSON.stringify(account)}`,
    ]);
    const { metricsUrl } = await startController({
      dir: controllerDir,
      kubeconfig: plane.controllerKubeconfig,
      lifetime: 'child',
      aws,
      env,
    });
    const machines = async () => (await runtime.running()).size;
    const checkController = () => {
      if (runningPid(controllerDir, 'controller') !== undefined) return;
      const log = readFileSync(path.join(controllerDir, 'controller.log'), 'utf8');
      throw new Error(`the controller ended:\n${log.trimEnd().split('\n').slice(-5).join('\n')}`);
    };
    return { kubectl, hosts, aws, metricsUrl, checkController, machines, close };
  } catch (error) {
    await close();
    throw error;
  }
}
