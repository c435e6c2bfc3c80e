/** Which epoch an acknowledgement belongs to. */
import type { Operation } from './history.ts';

/** Host name of the server that led each epoch. */
export type Leaders = Readonly<Record<number, string>>;

/**
 * Corrects what sessions say of their epoch. The row they read it from is written by the first beat of an epoch, which may
 * come after the first clients: it tells the true epoch or an earlier one, and the next epoch their node led is the true one.
 * A node that led none since keeps what it said, and is found to overlap.
 */
export function withTrueEpochs(operations: readonly Operation[], leaders: Leaders): readonly Operation[] {
  const led = Object.entries(leaders).map(([epoch, node]) => ({ epoch: Number(epoch), node }));
  return operations.map((operation) => {
    const { node, epoch: said = 0 } = operation;
    const since = led.filter((one) => one.node === node && one.epoch >= said);
    return since.length === 0
      ? operation
      : { ...operation, epoch: Math.min(...since.map(({ epoch }) => epoch)) };
  });
}
