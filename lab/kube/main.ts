/** The control plane by itself: `node lab/kube/main.ts build | up <dir> | down <dir>`. */
import { ensureBinaries } from './build.ts';
import { startControlPlane, stopControlPlane } from './control-plane.ts';

const [verb, dir] = process.argv.slice(2);
const report = (line: string) => console.error(line);

if (verb === 'build') {
  for (const [name, file] of Object.entries(await ensureBinaries(report))) console.log(`${name}  ${file}`);
} else if (verb === 'up' && dir !== undefined) {
  const binaries = await ensureBinaries(report);
  const plane = await startControlPlane({ dir, lifetime: 'daemon', binaries });
  console.log(`export KUBECONFIG=${plane.kubeconfig}`);
} else if (verb === 'down' && dir !== undefined) {
  await stopControlPlane(dir);
} else {
  console.error('usage: node lab/kube/main.ts build | up <dir> | down <dir>');
  process.exitCode = 2;
}
