/** Marking the shapes of AWS's messages changes whether they may be left out, and nothing else. */
import { runInNewContext } from 'node:vm';
import { transformSync } from 'esbuild';
import { expect, test } from 'vitest';
import { markPure } from '../../../bundle/unused.ts';

const schemas = `const _a = "A";
const _k = "key";
export var Used$ = [3, _a,
    { [_k]: 1 },
    [[() => Other$, { [_k]: _a }]]
];
export var Other$ = [3, _a, { [_k]: 2 }];
var Odd = [0, "one; two", 3];
register(Other$);
`;

test('what nobody refers to can go, and what is used stays the same', () => {
  const used = transformSync(`${markPure(schemas)}; export { Used$ as default }`, { treeShaking: true }).code;
  expect(used).toContain('Used$');
  const none = transformSync(markPure(schemas).replaceAll('export ', ''), {
    treeShaking: true,
    format: 'esm',
  });
  expect(none.code).not.toContain('Used$');
  expect(none.code).toContain('register(Other$)');
  const evaluate = (text: string): unknown =>
    runInNewContext(
      `const register = () => undefined; ${text.replaceAll('export ', '')}; JSON.stringify([Used$, Other$, Odd])`,
    );
  expect(evaluate(markPure(schemas))).toEqual(evaluate(schemas));
});
