/** What the observer believes, and since when it misses what it does not see. */
import { describe, expect, it } from 'vitest';
import { Picture } from '../../../controller/cloud/picture.ts';
import type { Machine } from '../../../controller/cloud/port.ts';

function aMachine(changes: Partial<Machine> = {}): Machine {
  return {
    id: 'i-1',
    state: 'running',
    type: 't3.small',
    imageId: 'ami-1',
    zone: 'eu-west-1a',
    launchTime: 1_000,
    launchIndex: 0,
    tags: {},
    ...changes,
  };
}

describe('Picture', () => {
  it('tells what is new, changed and gone, once', () => {
    const picture = new Picture();
    expect(picture.replace([aMachine({ state: 'pending' })], 0)).toHaveLength(1);
    expect(picture.replace([aMachine()], 1)).toEqual([
      { id: 'i-1', before: aMachine({ state: 'pending' }), after: aMachine() },
    ]);
    expect(picture.replace([aMachine()], 2)).toEqual([]);
    expect(picture.replace([], 3)).toEqual([{ id: 'i-1', before: aMachine(), after: undefined }]);
    expect(picture.get('i-1')).toBeUndefined();
  });

  it('does not go back to an earlier state', () => {
    const picture = new Picture();
    picture.update([aMachine({ state: 'shutting-down' })]);
    expect(picture.replace([aMachine({ state: 'running' })], 0)).toEqual([]);
    expect(picture.get('i-1')?.state).toBe('shutting-down');
  });

  it('lets a stopped machine start again', () => {
    const picture = new Picture();
    picture.update([aMachine({ state: 'stopped' })]);
    picture.update([aMachine({ state: 'pending', launchTime: 2_000 })]);
    expect(picture.get('i-1')?.state).toBe('pending');
  });

  it('counts the sweeps that miss a machine, from the first of them', () => {
    const picture = new Picture();
    picture.replace([aMachine()], 10);
    expect(picture.missing('i-1')).toEqual({ sweeps: 0, since: undefined });
    picture.replace([], 20);
    picture.replace([], 30);
    expect(picture.missing('i-1')).toEqual({ sweeps: 2, since: 20 });
    picture.replace([aMachine()], 40);
    expect(picture.missing('i-1')).toEqual({ sweeps: 0, since: undefined });
  });

  it('misses an id it never saw since the first sweep', () => {
    const picture = new Picture();
    expect(picture.missing('i-9')).toEqual({ sweeps: 0, since: undefined });
    picture.replace([], 10);
    picture.replace([], 20);
    expect(picture.missing('i-9')).toEqual({ sweeps: 2, since: 10 });
  });

  it('believes a launch for five minutes against the sweeps', () => {
    const picture = new Picture();
    expect(picture.learn([aMachine()], 0)).toHaveLength(1);
    expect(picture.replace([], 299_999)).toEqual([]);
    expect(picture.get('i-1')).toBeDefined();
    expect(picture.replace([], 300_000)).toHaveLength(1);
    expect(picture.missing('i-1')).toEqual({ sweeps: 2, since: 299_999 });
  });
});
