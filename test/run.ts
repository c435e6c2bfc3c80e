/** Runs every suite, one project after another, and ends with the sum: `N passed, N failed, N skipped`. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { down, isUp } from '../lab/launcher/lab.ts';
import { type Report, sumReports } from './report.ts';

/** In this order: the quick ones first. */
const projects = ['unit', 'real'] as const;

const root = path.dirname(import.meta.dirname);
const dir = mkdtempSync(path.join(tmpdir(), 'ridgeline-test-'));

function runProject(project: string): Report | undefined {
  const file = path.join(dir, `${project}.json`);
  const vitest = path.join(root, 'node_modules', 'vitest', 'vitest.mjs');
  const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${file}`];
  spawnSync(process.execPath, [vitest, 'run', '--project', project, ...reporters], {
    cwd: root,
    stdio: 'inherit',
  });
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as Report;
  } catch {
    return undefined; // It died before it could report; counted as a failure.
  }
}

const started = performance.now();
const labWasUp = await isUp();
const { lines, ok } = sumReports(projects.map((name) => ({ name, report: runProject(name) })));
rmSync(dir, { recursive: true, force: true });
// The suites start the lab; one that a person had running stays.
if (!labWasUp) await down();
console.log(`\nall suites: ${Math.round((performance.now() - started) / 1000)} s`);
for (const line of lines) console.log(line);
process.exitCode = ok ? 0 : 1;
