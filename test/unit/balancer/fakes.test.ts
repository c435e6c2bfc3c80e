/** FakeProxies keeps the contract that HAProxy keeps. */
import { frontEndLayout } from '../../../controller/balancer/layout.ts';
import type { Host } from '../../../controller/shell/port.ts';
import { describeProxies } from '../../contract/balancer/suite.ts';
import { FakeProxies } from '../../fakes/proxies.ts';

const host: Host = { address: '10.0.0.1', port: 22, user: 'admin', privateKey: '', hostKeys: ['ED25519:x'] };

describeProxies('the fake', async () => {
  const proxies = new FakeProxies();
  const fake = proxies.at(host.address);
  return {
    proxy: proxies.of(host, frontEndLayout),
    ports: [9001, 9002, 9003],
    setHealthy: async (port, healthy) => {
      if (healthy) fake.sick.delete(`127.0.0.1:${port}`);
      else fake.sick.add(`127.0.0.1:${port}`);
    },
    edit: async (line) => {
      fake.text = `${fake.text ?? ''}${line}\n`;
    },
    ask: async () => {
      const ports = fake.taking.map((id) => Number(id.split('-').at(-1)));
      const { running } = await fake.observe();
      return new Set(running?.maintenance === true || ports.length === 0 ? [0] : ports);
    },
    pass: async () => undefined,
    close: async () => undefined,
  };
});
