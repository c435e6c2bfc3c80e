/** Moves one local proxy to another primary, for good: what is running, the file, and every session. */
import { carryOut } from '../../balancer/carry-out.ts';
import type { ProxyModel } from '../../balancer/model.ts';
import { planChanges } from '../../balancer/plan.ts';
import type { Proxies, Proxy } from '../../balancer/port.ts';
import { AppError } from '../../base/errors.ts';
import type { Failpoints } from '../../base/failpoints.ts';
import type { ProxyHost } from './router-sources.ts';

export interface MovePorts {
  readonly proxies: Proxies;
  readonly failpoints: Failpoints;
}

/** Somebody may change the file between the look at it and the change. */
const rounds = 3;

/** Why it did not move; undefined when it did, and no session to another server is left. May be repeated. */
export async function moveProxy(
  ports: MovePorts,
  { host }: ProxyHost,
  model: ProxyModel,
): Promise<string | undefined> {
  if (host === undefined) return 'its address or host key is not known yet';
  try {
    const proxy = ports.proxies.of(host, model.layout);
    await write(ports, proxy, model);
    // Also when the file was right: whoever wrote it may not have come this far.
    await proxy.endOldWorkers();
    return undefined;
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    return error.message;
  }
}

/** Only what needs a reload; readers that join or leave do so at rest. */
async function write({ failpoints }: MovePorts, proxy: Proxy, model: ProxyModel): Promise<void> {
  for (let round = 1; round <= rounds; round += 1) {
    const seen = await proxy.observe();
    const step = planChanges({ ...seen, model }).find((one) => one.do === 'write' && one.reload);
    if (step === undefined) return;
    failpoints.hit('balancer.before-step');
    const outcome = await carryOut(proxy, seen, step);
    failpoints.hit('balancer.after-step');
    if (outcome === undefined || outcome.result === 'applied') return;
    if (outcome.result !== 'drifted') throw new AppError('proxy.refused', outcome.message);
  }
  throw new AppError('proxy.refused', 'somebody else keeps changing its configuration');
}
