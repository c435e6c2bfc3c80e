/** One rule of the product, or of a database, broken at a time by its source text: a harness that does not notice proves nothing. */

export interface Edit {
  /** From the root of the repository. */
  readonly file: string;
  /** Occurs once. */
  readonly from: string;
  readonly to: string;
}

const rules = 'controller/failover/rules.ts';
const databases = 'test/fakes/databases.ts';
const writer = 'controller/kinds/mysql-cluster/durability.ts';
const decide = 'controller/kinds/mysql-cluster/decide';
const classify = 'controller/supervision/classify.ts';

export const mutants: Readonly<Record<string, readonly Edit[]>> = {
  // What a change of primary rests on.
  'nobody is frozen': [
    {
      file: rules,
      from: 'freeze: async ({ server, database }, stamp) => ({ server, ...(await database.freeze(stamp)) }),',
      to: `freeze: async ({ server, database }) => {
        const { executed, replication } = await database.look(1_000);
        return { server, executed, received: replication?.received ?? executed };
      },`,
    },
  ],
  'one acker less is frozen': [
    { file: rules, from: 'needed: neededFrozen,', to: 'needed: (record) => neededFrozen(record) - 1,' },
  ],
  'elected by what is applied': [
    { file: rules, from: 'held: ({ received }) => received,', to: 'held: ({ executed }) => executed,' },
  ],
  'promoted before all is applied': [
    {
      file: rules,
      from: 'catchUp: ({ database }, target, timeout) => database.catchUp(target, timeout),',
      to: 'catchUp: async () => true,',
    },
    { file: databases, from: 'keepsReceived: true,', to: 'keepsReceived: false,' },
  ],
  'the new epoch forgets what it began with': [{ file: rules, from: '    baseGTIDs: base,\n', to: '' }],

  // What databases and their hosts promise.
  'nodes take commands of earlier epochs': [
    { file: databases, from: 'checksEpoch: true,', to: 'checksEpoch: false,' },
  ],
  'nodes take orders that come from an earlier record': [
    { file: databases, from: 'checksSerial: true,', to: 'checksSerial: false,' },
  ],
  'commits are visible before they are acknowledged': [
    { file: databases, from: "waitPoint: 'AFTER_SYNC',", to: "waitPoint: 'AFTER_COMMIT'," },
  ],
  'commits stop waiting after a while': [
    { file: databases, from: 'ackTimeout: Number.POSITIVE_INFINITY,', to: 'ackTimeout: 500,' },
  ],

  // What commits wait for.
  'commits wait no more before that is on record': [
    {
      file: writer,
      from: "    await writer.write({ state: 'Degrading' });\n",
      to: "    await writer.primary.requireAcks(0, writer.stamp);\n    await writer.write({ state: 'Degrading' });\n",
    },
  ],
  'commits wait again, and what came before is forgotten': [
    {
      file: writer,
      from: "await writer.write({ state: 'Protected', requiredAcks: 1, baseGTIDs });",
      to: "await writer.write({ state: 'Protected', requiredAcks: 1 });",
    },
  ],
  'commits never wait for long': [
    {
      file: `${decide}/durability.ts`,
      from: "return wanted === 'Balanced' && lostFor >= degradeAfter;",
      to: "return wanted === 'Balanced';",
    },
  ],
  'the only acker is let go while commits wait for it': [
    {
      file: `${decide}/durability.ts`,
      from: 'if (out !== undefined && (hasOther || !isWaiting)) {',
      to: 'if (out !== undefined) {',
    },
  ],

  'commits wait again without a proof that they do': [
    {
      file: writer,
      from: '    baseGTIDs = await writer.holdAll();\n  } catch',
      to: "    baseGTIDs = '';\n  } catch",
    },
  ],
  'who acknowledges is let go before another holds what it has': [
    {
      file: writer,
      from: "const base = writer.record.state === 'Protected' ? { baseGTIDs: await writer.holdAll() } : {};\n  await writer.write({ ackers, ...base });",
      to: 'await writer.write({ ackers });',
    },
  ],
  'Strict stops waiting, too': [
    {
      file: `${decide}/durability.ts`,
      from: "return wanted === 'Balanced' && lostFor >= degradeAfter;",
      to: 'return lostFor >= degradeAfter;',
    },
  ],

  // Who is in the cluster.
  'a cluster that was opened begins anew': [
    { file: `${decide}/joining.ts`, from: '  if (wasOpened(observed)) return false;\n', to: '' },
  ],
  'members are given up while the primary is in doubt': [
    {
      file: `${decide}/roster.ts`,
      from: 'const maySpare = isSettled(observed);',
      to: 'const maySpare = true;',
    },
  ],
  'the last copy is not kept': [
    {
      file: `${decide}/roster.ts`,
      from: 'const isKeeping = !isRedundant(observed);',
      to: 'const isKeeping = false;',
    },
  ],
  'one more is given up than there are too many': [
    {
      file: `${decide}/roster.ts`,
      from: '.slice(0, Math.max(0, well.length - instances));',
      to: '.slice(0, Math.max(0, well.length - instances + 1));',
    },
  ],
  'an old primary goes on as a member': [
    {
      file: `${decide}/roster.ts`,
      from: "place === 'Active' && !isPrimary && oldPrimaries.includes(name),",
      to: "place === 'Active' && !isPrimary && oldPrimaries.includes(name) && false,",
    },
  ],
  'who stopped following is left alone': [
    {
      file: `${decide}/upkeep.ts`,
      from: '...(primary?.look === undefined ? [] : astray), ...planRevivals(observed)];',
      to: '...planRevivals(observed)];',
    },
  ],
  'rows of a replica of its own are not seen': [
    {
      file: `${decide}/upkeep.ts`,
      from: "if (beyond === '') return undefined;",
      to: 'if (beyond.length >= 0) return undefined;',
    },
  ],

  'what was set by hand stays': [
    {
      file: `${decide}/upkeep.ts`,
      from: 'const restores = planRestores(observed);',
      to: 'const restores = planRestores(observed).slice(0, 0);',
    },
  ],
  'copies are made of whoever answers': [
    {
      file: `${decide}/joining.ts`,
      from: 'return isComparable && isInStep && findTrouble(observed, member) === undefined;',
      to: 'return isComparable || isInStep;',
    },
    {
      file: `${decide}/joining.ts`,
      from: "if (trouble?.kind === 'Errant') return false;",
      to: "if (trouble?.kind === 'Unwell') return false;",
    },
  ],
  'a copy that can never follow is waited for': [
    {
      file: `${decide}/joining.ts`,
      from: 'if (lost !== undefined) return cloneAgain(observed, member, lost);',
      to: '',
    },
  ],
  'who has rows of its own is not kept': [
    {
      file: `${decide}/roster.ts`,
      from: "return troubles.get(name)?.kind === 'Errant';",
      to: "return troubles.get(name)?.kind === 'Unwell';",
    },
  ],
  'what is put aside is soon deleted': [
    {
      file: `${decide}/roster.ts`,
      from: "return state === 'Terminated' || (times.length > 0 && now >= Math.max(...times));",
      to: 'return times.length > 0;',
    },
  ],
  'the sound go before the useless': [
    {
      file: `${decide}/roster.ts`,
      from: 'rank(a) - rank(b) || b.createdAt',
      to: 'rank(b) - rank(a) || b.createdAt',
    },
  ],

  // Who is dead.
  'silence is believed at once': [
    {
      file: classify,
      from: 'const isPatient = silence.misses >= missLimit && quiet >= signs.silence;',
      to: 'const isPatient = quiet >= 0;',
    },
  ],
  'that nobody acknowledges is not seen': [
    {
      file: classify,
      from: 'if (acks.armed && acks.connected < acks.required) {',
      to: 'if (acks.armed && acks.required > 9) {',
    },
    { file: classify, from: 'if (ackers < required) {', to: 'if (ackers + 9 < required) {' },
  ],
  'silence is never death': [{ file: classify, from: "verdict: 'DeadHost',", to: "verdict: 'Suspected'," }],
  'whom we do not hear is dead': [
    {
      file: classify,
      from: 'if (isHostMute && isDeafToAll(observers))',
      to: 'if (isHostMute)',
    },
  ],
  'a host that refuses is not believed': [
    {
      file: classify,
      from: 'if (refused === undefined || refused.last - refused.first < refusalGap) return undefined;',
      to: 'if (refused === undefined || refused.first > 0) return undefined;',
    },
  ],
};
