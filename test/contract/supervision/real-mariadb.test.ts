/** Supervision and durability against MariaDB 11.8 on hosts of the lab. */
import { images } from '../../../lab/config.ts';
import { describeSupervision } from './story.ts';

describeSupervision('MariaDB 11.8', { flavor: 'MariaDB', series: '11.8', imageID: images.trixie.id });
