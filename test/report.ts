/** Adds up what the suites reported. Pure: what counts as a failure is decided here and tested. */
import path from 'node:path';

/** The part of vitest's JSON report that is read. */
export interface Report {
  /** False also for errors outside any test. */
  readonly success: boolean;
  readonly testResults: readonly {
    readonly name: string;
    readonly status: string;
    readonly assertionResults: readonly TestResult[];
  }[];
}

interface TestResult {
  readonly status: string;
  readonly fullName: string;
  /** One per error, each with its stack. */
  readonly failureMessages?: readonly string[];
}

export interface Verdict {
  /** To be printed last; the very last is the sum. */
  readonly lines: readonly string[];
  readonly ok: boolean;
}

interface Suite {
  readonly name: string;
  /** Undefined when the suite died without one. */
  readonly report: Report | undefined;
}

interface Counts {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
  readonly lines: readonly string[];
}

const mysqlDidNotRun =
  "MYSQL DID NOT RUN: Debian sid's image is not built here, so nothing was proved about MySQL. To see why: node lab/main.ts ami build sid";

/** Files that not every machine can run, and what then was not tested: said loudly, right above the sum. */
const mayBeSkipped: Readonly<Record<string, string>> = {
  'aws-cli.test.ts': 'THE AWS CLI DID NOT RUN: this system has no package of it (Ubuntu 24.04 has none).',
  'real-mysql.test.ts': mysqlDidNotRun,
  'mysql.test.ts': mysqlDidNotRun,
  'real-sid.test.ts':
    "THE NEXT HAPROXY DID NOT RUN: Debian sid's image is not built here. To see why: node lab/main.ts ami build sid",
};

const linesPerReason = 12;
const lettersPerLine = 400;

/** Nothing run is a failure; so is a skipped test of the real suites, which would hide that a machine cannot run them. */
export function sumReports(suites: readonly Suite[]): Verdict {
  const counted = suites.map(countSuite);
  const total = (key: 'passed' | 'failed' | 'skipped') => counted.reduce((sum, suite) => sum + suite[key], 0);
  const realSkipped = suites.some(({ name, report }) => name === 'real' && hasForbiddenSkips(report));
  return {
    lines: [
      ...counted.flatMap((suite) => suite.lines),
      ...(realSkipped
        ? ['Tests of real parts may not be skipped: the machine must be able to run them.']
        : []),
      ...suites.flatMap(({ report }) => warnings(report)),
      `${total('passed')} passed, ${total('failed')} failed, ${total('skipped')} skipped`,
    ],
    ok: total('failed') === 0 && total('passed') > 0 && !realSkipped,
  };
}

function hasForbiddenSkips(report: Report | undefined): boolean {
  return skippedFiles(report).some((name) => mayBeSkipped[path.basename(name)] === undefined);
}

function warnings(report: Report | undefined): string[] {
  return [...new Set(skippedFiles(report).flatMap((name) => mayBeSkipped[path.basename(name)] ?? []))];
}

function skippedFiles(report: Report | undefined): string[] {
  const files = (report?.testResults ?? []).filter((file) => countFile(file).skipped > 0);
  return files.map(({ name }) => name);
}

function countSuite({ name, report }: Suite): Counts {
  if (report === undefined) return oneFailure(`${name}: ended without a report`);
  const files = report.testResults.map(countFile);
  const counts = files.reduce(add, { passed: 0, failed: 0, skipped: 0, lines: [] });
  const hidden = !report.success && counts.failed === 0;
  return hidden ? add(counts, oneFailure(`${name}: an error outside any test`)) : counts;
}

/** A file that fails without a failed test did not load; it counts as one. */
function countFile(file: Report['testResults'][number]): Counts {
  const failed = file.assertionResults.filter(({ status }) => status === 'failed');
  if (file.status === 'failed' && failed.length === 0)
    return oneFailure(`failed: ${file.name}: did not load`);
  const passed = file.assertionResults.filter(({ status }) => status === 'passed').length;
  const skipped = file.assertionResults.length - passed - failed.length;
  const lines = failed.flatMap((test) => [`failed: ${file.name}: ${test.fullName}`, ...reasons(test)]);
  if (skipped > 0) lines.push(`skipped: ${file.name}: ${skipped} of ${file.assertionResults.length}`);
  return { passed, failed: failed.length, skipped, lines };
}

/** Why it failed, without stacks: often the end of the output is all that people get to see. */
function reasons({ failureMessages = [] }: TestResult): string[] {
  return failureMessages.flatMap((message) =>
    message
      .split('\n')
      .filter((line) => line.trim() !== '' && !/^\s+at /.test(line))
      .slice(0, linesPerReason)
      .map((line) => `  ${line.slice(0, lettersPerLine)}`),
  );
}

function oneFailure(line: string): Counts {
  return { passed: 0, failed: 1, skipped: 0, lines: [line] };
}

function add(a: Counts, b: Counts): Counts {
  return {
    passed: a.passed + b.passed,
    failed: a.failed + b.failed,
    skipped: a.skipped + b.skipped,
    lines: [...a.lines, ...b.lines],
  };
}
