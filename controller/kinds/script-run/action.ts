/** What acting on one server takes: the move with its surroundings, and the ports. Types only. */
import type { ScriptRun } from '../../api/script-run.ts';
import type { Instant } from '../../base/clock.ts';
import type { Failpoints } from '../../base/failpoints.ts';
import type { Shell } from '../../shell/port.ts';
import type { Move } from './decide/facts.ts';
import type { Result } from './decide/record.ts';
import type { JobMemory } from './memory.ts';
import type { RunPass } from './observe.ts';
import type { PlacePorts } from './place.ts';

export interface ActPorts extends PlacePorts {
  readonly shell: Shell;
  readonly failpoints: Failpoints;
  readonly memory: JobMemory;
}

/** One move of a run, where it happens, and the server's record before it. */
export interface Action {
  readonly run: ScriptRun;
  readonly move: Move;
  readonly before: Result;
  /** Absent for servers that nobody looked at in this pass. */
  readonly site: RunPass | undefined;
  readonly now: Instant;
}
