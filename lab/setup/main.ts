/** Makes this machine ready, once: packages, the machine image and the control plane; seconds when all is there. */
import { ensureImage } from '../ami/build.ts';
import { network, paths } from '../config.ts';
import { ensureBinaries } from '../kube/build.ts';
import { preflight } from '../launcher/preflight.ts';

const say = (line: string) => console.log(line);
const prefixed = (name: string) => (line: string) => console.log(`${name}: ${line.trim()}`);

try {
  await preflight(network.cidr, paths.lab, say);
  // Side by side: the image mostly waits for packages, the control plane for the compiler.
  const parts = await Promise.allSettled([
    ensureImage({ suite: 'trixie', cache: paths.cache, progress: prefixed('image') }),
    ensureBinaries(prefixed('kubernetes')),
  ]);
  for (const part of parts) if (part.status === 'rejected') throw part.reason;
} catch (error) {
  console.error(`\nSet-up failed: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 1;
}
