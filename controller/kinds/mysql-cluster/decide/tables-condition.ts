/** What is told of tables that a failover or a restart would not keep. Pure. */
import { type ConditionOf, findCondition, saying } from '../../../api/conditions.ts';
import { countNoun } from '../../../base/plural.ts';
import type { Flavor } from '../../../database/port.ts';
import type { Observed } from './plan.ts';

type Said = ConditionOf<'MySQLCluster', 'UnsafeTables'>;

/** MySQL copies nothing but InnoDB to a new replica. */
const risks: Readonly<Record<Flavor, string>> = {
  MariaDB: 'A crash or a failover loses rows of theirs that were acknowledged',
  MySQL:
    'A crash or a failover loses rows of theirs that were acknowledged, and new replicas have them empty',
};
const emptied =
  '; a restart empties MEMORY tables, and a replica that writes this down as a transaction of its own is replaced';

/** What was found while the controller ran before stands until a primary is asked. */
export function unsafeTablesCondition({ unsafeTables, status, cluster }: Observed): Said {
  const { yes, no, unknown } = saying('MySQLCluster', 'UnsafeTables');
  if (unsafeTables === undefined) {
    const before = findCondition(status, 'UnsafeTables') as Said | undefined;
    return before ?? unknown('NotChecked', 'No primary was asked for its tables yet.');
  }
  const { tables, total } = unsafeTables;
  if (total === 0) return no('NoneFound', 'All tables are of a transactional storage engine.');
  const more = total > tables.length ? ` and ${total - tables.length} more` : '';
  const names = tables.map(({ name, engine }) => `${name} (${engine})`).join(', ');
  const risk = `${risks[cluster.spec.engine.flavor]}${tables.some(isMemory) ? emptied : ''}`;
  const remedy = tables.map((table) => table.remedy).join(' ');
  return yes(
    'TablesFound',
    `${countNoun(total, 'table')} of another engine than InnoDB: ${names}${more}. ${risk}. On the primary: ${remedy}`,
  );
}

function isMemory({ engine }: { readonly engine: string }): boolean {
  return engine === 'MEMORY';
}
