/** Makes this machine ready, once: packages, the machine images and the control plane; seconds when all is there. */
import { ensureImage } from '../ami/build.ts';
import { network, paths } from '../config.ts';
import { ensureBinaries } from '../kube/build.ts';
import { preflight } from '../launcher/preflight.ts';

const say = (line: string) => console.log(line);
const prefixed = (name: string) => (line: string) => console.log(`${name}: ${line.trim()}`);

/** One after another: side by side they take longer. */
async function ensureImages(): Promise<void> {
  await ensureImage({ suite: 'trixie', cache: paths.cache, progress: prefixed('image') });
  try {
    await ensureImage({ suite: 'sid', cache: paths.cache, progress: prefixed('MySQL image') });
  } catch (error) {
    // sid changes every day and may be broken on this one; all but the tests with MySQL do without it.
    say(`MySQL image: ${messageOf(error)}\nGoing on without it: tests with MySQL will not run.`);
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

try {
  await preflight(network.cidr, paths.lab, say);
  // Side by side: the images mostly wait for packages, the control plane for the compiler.
  const parts = await Promise.allSettled([ensureImages(), ensureBinaries(prefixed('kubernetes'))]);
  for (const part of parts) if (part.status === 'rejected') throw part.reason;
} catch (error) {
  console.error(`\nSet-up failed: ${messageOf(error)}`);
  process.exitCode = 1;
}
