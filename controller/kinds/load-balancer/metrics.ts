/** Load balancers as Prometheus metrics: who is up, what changes cost and how busy the servers are. */
import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import type { LoadBalancer } from '../../api/load-balancer.ts';
import type { View } from './view.ts';

export interface BalancerMetrics {
  seen(balancer: LoadBalancer, view: View): void;
  forget(balancer: Pick<LoadBalancer, 'metadata'>): void;
}

/** Registers the metrics; once per registry. */
export function createBalancerMetrics(registry: Registry): BalancerMetrics {
  const registers = [registry];
  const gauge = (name: string, help: string, ...more: readonly string[]) =>
    new Gauge({ name: `ridgeline_lb_${name}`, help, labelNames: ['namespace', 'name', ...more], registers });
  const members = gauge('members', 'Servers behind the front ends, by state: up, down, drained.', 'state');
  const frontends = gauge('frontends', 'Front ends, by state: serving, idle, silent.', 'state');
  const sessions = gauge('sessions', 'Requests and connections under way at all servers.');
  const queued = gauge('queued', 'Requests that wait in HAProxy for a server.');
  const reloads = new Counter({
    name: 'ridgeline_lb_reloads_total',
    help: 'Changes of the structure on front ends.',
    registers,
  });
  const seconds = new Histogram({
    name: 'ridgeline_lb_reload_seconds',
    help: 'From sending a configuration until HAProxy runs it.',
    buckets: [0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4],
    registers,
  });
  return {
    seen({ metadata }, view) {
      const who = { namespace: metadata.namespace ?? '', name: metadata.name };
      const set = (of: typeof members, state: string, count: number) => of.set({ ...who, state }, count);
      set(members, 'up', view.up.length);
      set(members, 'down', view.down.length);
      set(members, 'drained', view.drained.length);
      const silent = view.frontends.filter(({ running }) => running === undefined).length;
      const serving = view.frontends.filter(({ running, serves }) => running !== undefined && serves).length;
      set(frontends, 'silent', silent);
      set(frontends, 'serving', serving);
      set(frontends, 'idle', view.frontends.length - silent - serving);
      const loads = [...view.loads.values()];
      sessions.set(
        who,
        loads.reduce((sum, load) => sum + load.sessions, 0),
      );
      queued.set(
        who,
        loads.reduce((sum, load) => sum + load.queued, 0),
      );
      for (const { report } of view.frontends) {
        const changes = report.done.filter(({ reloadMilliseconds }) => reloadMilliseconds > 0);
        for (const { reloadMilliseconds } of changes) {
          reloads.inc();
          seconds.observe(reloadMilliseconds / 1000);
        }
      }
    },
    forget({ metadata }) {
      const who = { namespace: metadata.namespace ?? '', name: metadata.name };
      for (const state of ['up', 'down', 'drained']) members.remove({ ...who, state });
      for (const state of ['silent', 'serving', 'idle']) frontends.remove({ ...who, state });
      for (const plain of [sessions, queued]) plain.remove(who);
    },
  };
}
