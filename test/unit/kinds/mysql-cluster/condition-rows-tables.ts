/** What a cluster says of tables that a failover or a restart would not keep. */
import type { UnsafeTable } from '../../../../controller/database/port.ts';
import { ago, type ConditionRow, well } from './condition-scene.ts';

const table = (name: string, engine: string): UnsafeTable => ({
  name: `\`shop\`.\`${name}\``,
  engine,
  remedy: `ALTER TABLE \`shop\`.\`${name}\` ENGINE=InnoDB;`,
});

const before = {
  type: 'UnsafeTables',
  status: 'True',
  reason: 'TablesFound',
  message: '1 table.',
  lastTransitionTime: ago(60),
};
const none = 'All tables are of a transactional storage engine.';

export const tableRows: readonly ConditionRow[] = [
  ['there are none', well(), ['False', 'NoneFound', none]],
  [
    'nobody was asked, ever',
    well({ unsafeTables: undefined }),
    ['Unknown', 'NotChecked', 'No primary was asked for its tables yet.'],
  ],
  [
    'nobody was asked since the controller began',
    well({ unsafeTables: undefined, status: { conditions: [before] } }),
    ['True', 'TablesFound', '1 table.'],
  ],
  ['they were converted', well({ status: { conditions: [before] } }), ['False', 'NoneFound', none]],
  [
    'one is of MyISAM',
    well({ unsafeTables: { total: 1, tables: [table('logs', 'MyISAM')] } }),
    [
      'True',
      'TablesFound',
      '1 table of another engine than InnoDB: `shop`.`logs` (MyISAM). A crash or a failover loses rows of theirs that were acknowledged. On the primary: ALTER TABLE `shop`.`logs` ENGINE=InnoDB;',
    ],
  ],
  [
    'some are in memory, and there are more than a message holds',
    well({ unsafeTables: { total: 9, tables: [table('logs', 'MyISAM'), table('sessions', 'MEMORY')] } }),
    [
      'True',
      'TablesFound',
      '9 tables of another engine than InnoDB: `shop`.`logs` (MyISAM), `shop`.`sessions` (MEMORY) and 7 more. A crash or a failover loses rows of theirs that were acknowledged; a restart empties MEMORY tables, and a replica that writes this down as a transaction of its own is replaced. On the primary: ALTER TABLE `shop`.`logs` ENGINE=InnoDB; ALTER TABLE `shop`.`sessions` ENGINE=InnoDB;',
    ],
  ],
];
