/** The first story: one server whose page shows an input that was set on the Deployment. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Kubectl } from '../../kube/kubectl.ts';
import type { Story } from '../story.ts';

const namespace = 'first';

export const firstServer: Story = {
  name: 'first-server',
  namespace,
  timeoutSeconds: 180,

  async visit(kubectl) {
    const url = `http://${await addressOf(kubectl, 'web')}/`;
    return `GET ${url}\n\n${await fetchPage(url)}`;
  },

  tryNext: [
    'kubectl -n first get rl                            # everything of ours in the namespace',
    'kubectl -n first describe rlsrv web                # conditions and events tell what happened',
    'kubectl -n first get rlr web-boot-1 -o yaml        # the boot log, step by step',
    'kubectl create -f examples/first-server/say-hello.yaml   # runs an operation on the server',
    'node lab/main.ts crash web                         # end the machine without asking anybody',
    'kubectl -n first delete rlsrv web                  # runs the goodbye script, then terminates',
    'kubectl explain rlsrv.spec                         # every field, explained',
  ],
};

async function addressOf(kubectl: Kubectl, server: string): Promise<string> {
  const path = '--output=jsonpath={.status.privateIP}';
  return kubectl.run(['--namespace', namespace, 'get', 'servers.ridgeline.dev', server, path]);
}

/** The server is Healthy, so the first try should do; a few more are cheaper than a puzzled reader. */
async function fetchPage(url: string): Promise<string> {
  for (let left = 5; ; left -= 1) {
    try {
      const response = await fetch(url, { signal: AbortSignal.timeout(2_000) });
      if (response.ok) return await response.text();
      throw new Error(`${url} answered ${response.status}`);
    } catch (error) {
      if (left === 0) throw new Error(`no page from ${url}: ${String(error)}`, { cause: error });
      await sleep(500);
    }
  }
}
