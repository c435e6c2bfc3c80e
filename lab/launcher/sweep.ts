/** Removes what the kernel does not remove by itself when a lab's processes are gone: block devices and empty control groups. */
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { run, succeeds } from '../sandbox/command.ts';
import { backingPrefix } from '../sandbox/volumes.ts';

/** Idempotent; waits for dying processes first. `cgroup` is the lab's, below the cgroup2 mount. */
export async function sweep(cgroup: string): Promise<void> {
  await removeControlGroups(cgroup);
  await detachLoopDevices();
}

/** In a private mount namespace: where the cgroup2 tree is, and whether it is mounted at all, differs between machines. */
async function removeControlGroups(cgroup: string): Promise<void> {
  const script = `
    mount -t cgroup2 cgroup2 /sys/fs/cgroup && cd "/sys/fs/cgroup/$1" 2>/dev/null || exit 0
    for _ in $(seq 200); do grep -q 'populated 1' cgroup.events || break; sleep 0.05; done
    cd / && find "/sys/fs/cgroup/$1" -depth -type d -exec rmdir {} +`;
  await run('unshare', ['--mount', 'sh', '-c', script, 'sh', cgroup]);
}

async function detachLoopDevices(): Promise<void> {
  for (const name of readdirSync('/sys/block').filter((device) => device.startsWith('loop'))) {
    const file = backingFile(name);
    if (path.basename(file).startsWith(backingPrefix))
      await succeeds('losetup', ['--detach', `/dev/${name}`]);
  }
}

function backingFile(loop: string): string {
  try {
    return readFileSync(`/sys/block/${loop}/loop/backing_file`, 'utf8').trim();
  } catch {
    return '';
  }
}
