/** Settings with which the operator or replicas would be locked out of servers, or could do nothing there. Pure. */

/** Names without `loose_`, `skip_` and the like, and what is wrong with them; `unless` tells harmless values. */
export interface Rule {
  readonly names: RegExp;
  readonly unless?: RegExp | ((value: string) => boolean);
  readonly why: string;
}

const units: Readonly<Record<string, number>> = { '': 1, K: 2 ** 10, M: 2 ** 20, G: 2 ** 30, T: 2 ** 40 };

/** As option files write numbers; whatever is none is for the server to refuse. */
function atLeast(limit: number, ...others: readonly number[]): (value: string) => boolean {
  return (value) => {
    const [, digits, unit = ''] = /^(\d+)([KMGT])?$/i.exec(value) ?? [];
    const number = Number(digits) * (units[unit.toUpperCase()] ?? 1);
    return digits === undefined || number >= limit || others.includes(number);
  };
}

const mebibyte = 2 ** 20;

/**
 * What sessions inherit is not among them: `autocommit`, `sql_mode`, `init_connect`, time limits and the like are the
 * user's, for sessions of ours say themselves what they need (`session-settings.ts`). Nor are rules for passwords, which
 * do not bind our accounts (`account-passwords.ts`), and `require_secure_transport`: we come with TLS where it is asked for.
 */
export const lockouts: readonly Rule[] = [
  {
    names: /^(socket|user|chroot|basedir)$/,
    why: 'is managed by the operator and may not be set: it would not find the server',
  },
  { names: /^sql_log_bin$/, why: 'may not be set: nothing would reach the replicas' },
  {
    names: /^(transaction|tx)_read_only$/,
    unless: /^(off|0|false)$/i,
    why: 'must be OFF: replicas could apply nothing',
  },
  {
    names: /^max_connections$/,
    unless: atLeast(20),
    why: 'must be at least 20: replicas and checks need sessions beside those of applications',
  },
  {
    names: /^max_user_connections$/,
    unless: atLeast(20, 0),
    why: 'must be 0 or at least 20: it counts for the operator and replicas too',
  },
  {
    names: /^((slave|replica)_)?max_allowed_packet$/,
    unless: atLeast(mebibyte),
    why: 'must be at least 1M: replicas would stop at the first larger event',
  },
  {
    names: /^max_(connect|password)_errors$/,
    unless: atLeast(100),
    why: 'must be at least 100: hosts that only look whether a server lives would be shut out',
  },
  {
    names: /^(max_session_mem_used|(global_)?connection_memory_limit)$/,
    unless: atLeast(32 * mebibyte),
    why: 'must be at least 32M: the operator and replicas need some of it',
  },
  {
    names: /^(slave|replica)_max_statement_time$/,
    unless: /^0(\.0*)?$/,
    why: 'must be 0: a replica would stop at the first statement that takes longer',
  },
  {
    names: /^connect_timeout$/,
    unless: atLeast(3),
    why: 'must be at least 3: a busy server needs that long',
  },
  {
    names: /^thread_handling$/,
    unless: /^(one-thread-per-connection|pool-of-threads)$/i,
    why: 'may not be set to this: there would be one session, and none for the operator',
  },
  {
    names: /^authentication_policy$/,
    unless: /^(\*(:\w+)?|caching_sha2_password) *, *, *$/,
    why: 'may not ask for other or more factors than a password: the operator and replicas have no other',
  },
];

/** Where the server is MySQL. */
export const mySQLLockouts: readonly Rule[] = [
  {
    names: /^performance_schema$/,
    unless: /^(on|1|true)$/i,
    why: 'must be ON: the operator could not see how replicas stand',
  },
];
