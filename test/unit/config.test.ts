/** Settings: what an empty environment means, and what a wrong one is told. */
import { expect, test } from 'vitest';
import { readConfig } from '../../controller/config.ts';

test('an empty environment is a pod that watches everything', () => {
  expect(readConfig({})).toMatchObject({
    kubeconfig: undefined,
    namespace: 'ridgeline-system',
    logLevel: 'info',
    watchNamespaces: [],
    metricsAddress: { host: '0.0.0.0', port: 8080 },
    healthAddress: { host: '0.0.0.0', port: 8081 },
    failpoint: undefined,
  });
});

test('lists and addresses', () => {
  const config = readConfig({
    WATCH_NAMESPACES: 'a, b,',
    METRICS_ADDRESS: '[::1]:9',
    HEALTH_ADDRESS: '127.0.0.1:0',
  });
  expect(config.watchNamespaces).toEqual(['a', 'b']);
  expect(config.metricsAddress).toEqual({ host: '::1', port: 9 });
  expect(config.healthAddress).toEqual({ host: '127.0.0.1', port: 0 });
});

test('every wrong setting has its line', () => {
  expect(() => readConfig({ METRICS_ADDRESS: '8080', LOG_LEVEL: 'loud' })).toThrow(
    /LOG_LEVEL: [^\n]+\nMETRICS_ADDRESS: must be host:port, is '8080'/,
  );
});
