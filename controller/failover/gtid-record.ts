/** GTIDs as a Promotion keeps them: how they differ from what the epoch began with, because former primaries add up. Pure. */
import type { GtidAlgebra } from '../database/gtid.ts';
import type { Gtids } from '../database/port.ts';

/** Stands for all that the epoch began with; no GTID is called so. */
const baseWord = 'base';
const lacking = ' - ';
const beyond = ' + ';

/**
 * `base - what is missing + what is new`, where that says the same as the whole text: a MariaDB position that is behind
 * another cannot be said so.
 */
export function shortenGtids(gtids: Gtids, base: Gtids, algebra: GtidAlgebra): string {
  const whole = algebra.normalize(gtids);
  const missing = algebra.subtract(base, whole);
  const added = algebra.subtract(whole, base);
  const short = `${baseWord}${missing === '' ? '' : lacking + missing}${added === '' ? '' : beyond + added}`;
  const isSame = short.length < whole.length && expandGtids(short, base, algebra) === whole;
  return isSame ? short : whole;
}

/** The whole text again; the base is the one that it was shortened by. */
export function expandGtids(text: string, base: Gtids, algebra: GtidAlgebra): Gtids {
  if (!text.startsWith(baseWord)) return text;
  const [rest = '', added = ''] = text.slice(baseWord.length).split(beyond);
  const missing = rest.startsWith(lacking) ? rest.slice(lacking.length) : '';
  return algebra.union(algebra.subtract(base, missing), added);
}
