/** Proxies against the next HAProxy, that of Debian's sid: the shared suite, and every golden file. */
import { afterAll, beforeAll } from 'vitest';
import { images } from '../../../lab/config.ts';
import { whenBuilt } from '../../lab/hosts/when-built.ts';
import { describeGoldenFiles, ProxyHost } from './proxy-host.ts';
import { describeProxies } from './suite.ts';

let site: ProxyHost;

await whenBuilt('sid', 'HAProxy', () => {
  beforeAll(async () => {
    site = await ProxyHost.boot(images.sid.id);
  });
  afterAll(() => site.end());

  describeProxies("sid's HAProxy", async () => site.fixture());
  describeGoldenFiles(() => site);
});
