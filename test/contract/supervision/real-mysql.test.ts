/** Supervision and durability against MySQL of Debian's sid on hosts of the lab. */
import { existsSync } from 'node:fs';
import { test } from 'vitest';
import { imageRoot } from '../../../lab/ami/build.ts';
import { images, paths } from '../../../lab/config.ts';
import { describeSupervision } from './story.ts';

if (existsSync(await imageRoot('sid', paths.cache))) {
  describeSupervision('MySQL 9.7', { flavor: 'MySQL', series: '9.7', imageID: images.sid.id });
} else {
  // test/report.ts says it loudly.
  test.skip('MySQL: the image of Debian sid is not built', () => undefined);
}
