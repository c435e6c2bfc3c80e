/** Proxies against the next HAProxy, that of Debian's sid: the shared suite, and every golden file. */
import { existsSync } from 'node:fs';
import { afterAll, beforeAll, expect, it, test } from 'vitest';
import { imageRoot } from '../../../lab/ami/build.ts';
import { images, paths } from '../../../lab/config.ts';
import { models } from '../../unit/balancer/models.ts';
import { ProxyHost } from './proxy-host.ts';
import { describeProxies } from './suite.ts';

let site: ProxyHost;

if (existsSync(await imageRoot('sid', paths.cache))) {
  beforeAll(async () => {
    site = await ProxyHost.boot(images.sid.id);
  });
  afterAll(() => site.end());

  describeProxies("sid's HAProxy", async () => site.fixture());

  it.each(Object.keys(models))('golden file %s is accepted without a warning', async (name) => {
    expect(await site.check(models[name]!)).not.toMatch(/WARNING|ALERT/);
  });
} else {
  // test/report.ts says it loudly.
  test.skip('the image of Debian sid is not built', () => undefined);
}
