/** The sum of the suites: no failure may hide in it. */
import { expect, test } from 'vitest';
import { type Report, sumReports } from '../report.ts';

function aReport(statuses: readonly string[], overrides: Partial<Report> = {}): Report {
  const failed = statuses.includes('failed');
  return {
    success: !failed,
    testResults: [
      {
        name: 'a.test.ts',
        status: failed ? 'failed' : 'passed',
        assertionResults: statuses.map((status, index) => ({ status, fullName: `test ${index}` })),
      },
    ],
    ...overrides,
  };
}

const passing = { name: 'unit', report: aReport(['passed', 'passed']) };
const unloadable = { name: 'b.test.ts', status: 'failed', assertionResults: [] };

test.each([
  [
    'all pass',
    [passing, { name: 'real', report: aReport(['passed']) }],
    '3 passed, 0 failed, 0 skipped',
    true,
  ],
  [
    'one fails',
    [passing, { name: 'real', report: aReport(['failed']) }],
    '2 passed, 1 failed, 0 skipped',
    false,
  ],
  ['a suite dies', [passing, { name: 'real', report: undefined }], '2 passed, 1 failed, 0 skipped', false],
  [
    'a file does not load',
    [passing, { name: 'real', report: aReport([], { success: false, testResults: [unloadable] }) }],
    '2 passed, 1 failed, 0 skipped',
    false,
  ],
  [
    'an error outside any test',
    [{ name: 'unit', report: aReport(['passed'], { success: false }) }],
    '1 passed, 1 failed, 0 skipped',
    false,
  ],
  [
    'a unit test is skipped',
    [{ name: 'unit', report: aReport(['passed', 'pending']) }],
    '1 passed, 0 failed, 1 skipped',
    true,
  ],
  [
    'a test of the AWS CLI is skipped',
    [
      {
        name: 'real',
        report: aReport(['passed'], {
          testResults: [
            {
              name: 'aws-cli.test.ts',
              status: 'passed',
              assertionResults: [
                { status: 'passed', fullName: 'a' },
                { status: 'skipped', fullName: 'b' },
              ],
            },
          ],
        }),
      },
    ],
    '1 passed, 0 failed, 1 skipped',
    true,
  ],
  [
    'a real test is skipped',
    [{ name: 'real', report: aReport(['passed', 'skipped']) }],
    '1 passed, 0 failed, 1 skipped',
    false,
  ],
  ['nothing ran', [{ name: 'unit', report: aReport([]) }], '0 passed, 0 failed, 0 skipped', false],
])('%s', (_, suites, lastLine, ok) => {
  const verdict = sumReports(suites);
  expect(verdict.lines.at(-1)).toBe(lastLine);
  expect(verdict.ok).toBe(ok);
});

test('what was not tested because of this machine is said right above the sum', () => {
  const skipped = aReport(['skipped', 'skipped']);
  const testResults = skipped.testResults.map((file) => ({ ...file, name: '/any/real-mysql.test.ts' }));
  const { lines, ok } = sumReports([passing, { name: 'real', report: { ...skipped, testResults } }]);
  expect(lines.at(-2)).toMatch(/^MYSQL DID NOT RUN: /);
  expect(ok).toBe(true);
});

test('each failed test is named', () => {
  const { lines } = sumReports([{ name: 'unit', report: aReport(['passed', 'failed']) }]);
  expect(lines).toContain('failed: a.test.ts: test 1');
});

test('a failed test says why, without its stack', () => {
  const [file] = aReport(['failed']).testResults;
  const failureMessages = [
    'Error: not within 60 s\n    at until (lab.ts:39:1)\n\nat the door',
    'Error: web: Stranded',
  ];
  const assertionResults = [{ status: 'failed', fullName: 'boots', failureMessages }];
  const report = aReport([], { success: false, testResults: [{ ...file!, assertionResults }] });
  const { lines } = sumReports([{ name: 'real', report }]);
  const why = ['  Error: not within 60 s', '  at the door', '  Error: web: Stranded'];
  expect(lines).toEqual(['failed: a.test.ts: boots', ...why, '0 passed, 1 failed, 0 skipped']);
});
