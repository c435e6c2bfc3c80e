/** The lab's API process, run by launcher/enter.sh inside the lab's namespaces: the cloud over the machine runtime. */
import { writeFileSync } from 'node:fs';
import { startCloud } from './api/server.ts';
import { cloudRegion, dnsZone, network, paths, stateBucket } from './config.ts';
import { controlGroup } from './launcher/lab.ts';
import { SandboxRuntime } from './sandbox/runtime.ts';
import { readSettings } from './settings.ts';

const settings = readSettings();
if (settings === undefined)
  throw new Error(`${paths.settings} is missing: start the lab with node lab/main.ts up`);

const runtime = new SandboxRuntime({
  folder: paths.sandbox,
  cgroup: controlGroup,
  images: new Map(Object.entries(settings.images)),
});
await startCloud({
  runtime,
  dir: paths.world,
  labId: settings.labId,
  region: cloudRegion(Object.keys(settings.images)),
  credentials: settings,
  listen: {
    api: { host: network.gateway, port: network.apiPort },
    metadata: { host: network.metadata, port: 80 },
    dns: { host: network.nameServer, port: 53 },
  },
  seed: { buckets: [stateBucket], zones: [dnsZone] },
});
// What `up` waits for. It differs for every start of this process, so that `restart-api` sees the new one.
writeFileSync(
  paths.ready,
  `${settings.labId} ready at ${new Date().toISOString()} as process ${process.pid}\n`,
);
