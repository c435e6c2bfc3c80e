/** Supervision and durability against MySQL of Debian's sid on hosts of the lab. */
import { images } from '../../../lab/config.ts';
import { whenBuilt } from '../../lab/hosts/when-built.ts';
import { describeSupervision } from './story.ts';

await whenBuilt('sid', 'MySQL', () =>
  describeSupervision('MySQL 9.7', { flavor: 'MySQL', series: '9.7', imageID: images.sid.id }),
);
