/** What happens in a round, by the name that `--fault` gives it. */
import { armed } from './armed-rounds.ts';
import type { ScenarioName } from './failover-options.ts';
import {
  death,
  killedInFailover,
  killedInSwitchover,
  staleReads,
  switchover,
  zombie,
} from './failover-rounds.ts';
import { secluded, seenByApplications, terminated, terminatedWhileWaiting } from './orderly-rounds.ts';
import type { Scenario } from './round.ts';
import { ackersLost, blind, noConnections, noProof, overload } from './spared-rounds.ts';

/** Some remember what they did last, so these are for one run. */
export function scenarios(): Readonly<Record<ScenarioName, Scenario>> {
  return {
    crash: death('crash'),
    'power-off': death('power-off'),
    hang: death('hang'),
    partition: death('partition'),
    sigterm: terminated,
    'sigterm-waiting': terminatedWhileWaiting,
    'cut-off': secluded(),
    'cut-off-seen': seenByApplications,
    'cut-off-sigterm': secluded('sigterm'),
    'cut-off-reboot': secluded('reboot'),
    'cut-off-stop': secluded('stop'),
    'cut-off-force': secluded('force'),
    blind,
    'ackers-lost': ackersLost,
    overload,
    'no-connections': noConnections,
    armed,
    switchover,
    zombie,
    'no-proof': noProof,
    'stale-reads': staleReads,
    'controller-killed': killedInFailover(),
    'switchover-killed': killedInSwitchover(),
  };
}
