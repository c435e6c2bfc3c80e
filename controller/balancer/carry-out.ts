/** From a planned step to the call that takes it. */

import type { Step } from './plan.ts';
import type { FileOutcome, Observation, Proxy } from './port.ts';

type RuntimeStep = Exclude<Step, { do: 'write' }>;

/** Takes one step on the HAProxy that `seen` shows; only writing the file can end in more than one way. */
export async function carryOut(
  proxy: Proxy,
  seen: Observation,
  step: Step,
): Promise<FileOutcome | undefined> {
  if (step.do !== 'write') {
    await sendCommand(proxy, step);
    return undefined;
  }
  const { config, reload } = step;
  const setAside = seen.file.isEdited || (seen.file.base === undefined && seen.fileDigest !== '');
  return await proxy.write({ config, expected: seen.fileDigest, reload, setAside });
}

async function sendCommand(proxy: Proxy, step: RuntimeStep): Promise<void> {
  switch (step.do) {
    case 'add':
      return await proxy.add(step.backend, step.server);
    case 'weigh':
      return await proxy.weigh(step.backend, step.server, step.weight);
    case 'limit':
      return await proxy.limit(step.backend, step.server, step.limit);
    case 'maintain':
      return await proxy.setMaintenance(step.on);
    case 'admit':
    case 'drain':
    case 'retire':
    case 'revive':
      return await proxy[step.do](step.backend, step.server);
  }
}
