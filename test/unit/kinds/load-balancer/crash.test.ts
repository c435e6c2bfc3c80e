/** A controller that dies anywhere in a pass is followed by one that goes on, and no server is fed or cut wrongly. */
import { beforeEach, describe, expect, test } from 'vitest';
import type { LoadBalancer } from '../../../../controller/api/load-balancer.ts';
import { armFailpoint } from '../../../../controller/base/failpoints.ts';
import { Stage } from './stage.ts';

let stage: Stage;

beforeEach(() => {
  stage = new Stage();
});

describe('killed in the middle of a pass', () => {
  const places = ['balancer.before-step', 'balancer.after-step'].flatMap((name) =>
    [1, 2, 3, 4, 5, 6, 7].map((hit) => `${name}:${hit}`),
  );

  /** Reconciles with a controller that dies at `place`, and goes on with one that does not. */
  async function crashAndGoOn(place: string): Promise<LoadBalancer> {
    const die = () => {
      throw new Error('killed');
    };
    stage.controller = stage.aController(armFailpoint(place, die));
    await expect(stage.reconcile()).rejects.toThrow('killed');
    stage.controller = stage.aController();
    return await stage.reconcile();
  }

  test.each([...places, 'balancer.after-publish:1'])(
    'at %s, it ends as if nothing had happened',
    async (place) => {
      for (const number of [1, 2]) stage.front(number).sick.add('10.0.0.12:8000');
      stage.addBalancer({ dns: { name: 'www.example.com', ttlSeconds: 60 } });
      const balancer = await crashAndGoOn(place);
      expect(balancer.status).toMatchObject({ frontendsApplied: 2, upServers: ['app-a'] });
      for (const number of [1, 2]) {
        expect(stage.front(number).taking).toEqual(['app/i-0011-8000']);
        expect(stage.front(number).text).not.toContain('i-0012');
      }
      expect((await stage.reconcile()).status?.record?.addresses).toEqual(['10.0.0.1', '10.0.0.2']);
    },
  );

  test.each([
    'balancer.before-step:1',
    'balancer.before-step:2',
    'balancer.after-step:2',
    'balancer.after-step:3',
  ])('at %s while a server leaves, it is drained before anybody calls it so', async (place) => {
    stage.addBalancer();
    await stage.reconcile();
    for (const number of [1, 2]) stage.front(number).sessions.set('app/i-0012-8000', 1);
    stage.drain('app-b');
    expect((await crashAndGoOn(place)).status?.drainedServers).toEqual([]);
    for (const number of [1, 2]) {
      expect(stage.front(number).taking).toEqual(['app/i-0011-8000']);
      stage.front(number).sessions.clear();
    }
    expect((await stage.reconcile()).status?.drainedServers).toEqual(['app-b']);
  });
});
