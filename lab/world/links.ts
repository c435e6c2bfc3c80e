/** The impaired network as machines see it: which end of which cable does what to which packets. Pure. */
import type { Impairment, MachineLink } from './runtime.ts';
import type { State } from './state.ts';

/** What may be asked of a rule; `null` takes it back. */
export type ImpairmentChange = Readonly<Partial<Record<ImpairmentField, number | null>>>;
export type ImpairmentField = Exclude<keyof Impairment, 'from' | 'to'>;

/** Largest value of each; all begin at 0. */
export const impairmentLimits: Readonly<Record<ImpairmentField, number>> = {
  delayMs: 60_000,
  jitterMs: 60_000,
  loss: 100,
  reorder: 100,
  duplicate: 100,
  bitsPerSecond: 10_000_000_000,
};

/** The rule with the change made; undefined when nothing of it is left. A zero is no impairment. */
export function changedImpairment(before: Impairment, change: ImpairmentChange): Impairment | undefined {
  const { from, to, ...fields } = before;
  const left = Object.entries({ ...fields, ...change }).filter(([, value]) => value !== null && value !== 0);
  return left.length === 0 ? undefined : { from, to, ...Object.fromEntries(left) };
}

/**
 * One link per machine that some rule is about. A rule works at the end of the cable of the machine it comes from; when
 * that is anybody, or no machine, at the end of the one it goes to: so each packet meets it once.
 */
export function machineLinks(state: State): readonly MachineLink[] {
  const rules = [...state.impairments.values()];
  const alive = [...state.instances.values()].filter((instance) => instance.state !== 'terminated');
  const addresses = new Set(alive.map(({ privateIp }) => privateIp));
  return alive
    .map(({ id, privateIp }) => ({
      instanceId: id,
      privateIp,
      rules: rules.filter(({ from, to }) => (addresses.has(from) ? from : to) === privateIp),
    }))
    .filter((link) => link.rules.length > 0);
}
