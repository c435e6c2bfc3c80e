/** From a planned step to the call that takes it. */
import type { FileOutcome, Observation, Proxy } from './port.ts';
import type { Step } from './plan.ts';

/** Takes one step on the HAProxy that `seen` shows; only writing the file can end in more than one way. */
export async function carryOut(
  proxy: Proxy,
  seen: Observation,
  step: Step,
): Promise<FileOutcome | undefined> {
  switch (step.do) {
    case 'write': {
      const { config, reload } = step;
      const setAside = seen.file.isEdited || (seen.file.base === undefined && seen.fileDigest !== '');
      return await proxy.write({ config, expected: seen.fileDigest, reload, setAside });
    }
    case 'add':
      await proxy.add(step.backend, step.server);
      return undefined;
    case 'weigh':
      await proxy.weigh(step.backend, step.server, step.weight);
      return undefined;
    case 'limit':
      await proxy.limit(step.backend, step.server, step.limit);
      return undefined;
    case 'maintain':
      await proxy.setMaintenance(step.on);
      return undefined;
    default:
      await proxy[step.do](step.backend, step.server);
      return undefined;
  }
}
