/** Moves one local proxy to another primary, for good: what is running, the file, and every session. */
import { carryOut } from '../balancer/carry-out.ts';
import type { ProxyModel } from '../balancer/model.ts';
import { hasNewTerm, planChanges } from '../balancer/plan.ts';
import type { Observation, Proxies, Proxy } from '../balancer/port.ts';
import { AppError } from '../base/errors.ts';
import type { Failpoints } from '../base/failpoints.ts';
import type { ProxyHost } from './sources.ts';

export interface MovePorts {
  readonly proxies: Proxies;
  readonly failpoints: Failpoints;
}

/** What one local proxy is to become. */
export interface Move {
  readonly model: ProxyModel;
  /** What was seen there a moment ago: a look costs time, and the host refuses a change of another file than this. */
  readonly known: Observation | undefined;
}

/** Somebody may change the file between the look at it and the change. */
const rounds = 3;

/** Why it did not move; undefined when it did, and no session to another server is left. May be repeated. */
export async function moveProxy(
  ports: MovePorts,
  { host }: ProxyHost,
  move: Move,
): Promise<string | undefined> {
  if (host === undefined) return 'its address or host key is not known yet';
  try {
    const proxy = ports.proxies.of(host, move.model.layout);
    if (await write(ports, proxy, move)) await proxy.endOldWorkers();
    return undefined;
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    return error.message;
  }
}

/**
 * Whether sessions with another server may be left: also when the file was right, because whoever wrote it may not have come
 * so far; not when it led to this server all the time and only the epoch is new. Readers that join or leave do so at rest.
 */
async function write({ failpoints }: MovePorts, proxy: Proxy, { model, known }: Move): Promise<boolean> {
  for (let round = 1; round <= rounds; round += 1) {
    const isGuess = round === 1 && known !== undefined;
    const seen = isGuess ? known : await proxy.observe();
    const isNewTerm = hasNewTerm(model, seen.file);
    const step = planChanges({ ...seen, model })
      .filter((one) => one.do === 'write')
      .find(({ reload }) => reload || isNewTerm);
    if (step === undefined && isGuess) continue;
    if (step === undefined) return true;
    failpoints.hit('balancer.before-step');
    const outcome = await carryOut(proxy, seen, step);
    failpoints.hit('balancer.after-step');
    if (outcome === undefined || outcome.result === 'applied') return step.reload;
    if (outcome.result !== 'drifted') throw new AppError('proxy.refused', outcome.message);
  }
  throw new AppError('proxy.refused', 'somebody else keeps changing its configuration');
}
