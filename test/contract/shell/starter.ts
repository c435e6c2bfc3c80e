/** A process that starts the job on its stdin and then polls it until somebody kills it. */
import { json } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { SshShell } from '../../../controller/shell/jobs.ts';
import type { Host, Job } from '../../../controller/shell/port.ts';

const { host, job } = (await json(process.stdin)) as { readonly host: Host; readonly job: Job };
const shell = new SshShell();
await shell.startJob(host, job);
process.stdout.write('started\n');
for (;;) {
  await shell.pollJob(host, job.id);
  await sleep(50);
}
