// The results of all suites: `failed-files FILE...` names the files that failed, for one more run;
// `total DIRECTORY` prints each failure and then the line that adds up all suites.
import { existsSync, readFileSync } from 'node:fs';

// More than these are no accident, and would take too long.
const MOST_RERUN = 4;

const read = (path) => JSON.parse(readFileSync(path, 'utf8'));
const isFailed = (file) => file.status === 'failed';
const failedTests = (file) => file.assertionResults.filter(({ status }) => status === 'failed');

/** A file that does not load, or whose set-up fails, has no failed test to count, but it has failed. */
function failuresOf(file) {
  const tests = failedTests(file);
  if (tests.length > 0) return tests.map((test) => `${test.fullName}: ${test.failureMessages[0]}`);
  return isFailed(file) ? [String(file.message)] : [];
}

function count(files) {
  const tests = files.flatMap((file) => file.assertionResults);
  return {
    passed: tests.filter(({ status }) => status === 'passed').length,
    failed: files.reduce((sum, file) => sum + failuresOf(file).length, 0),
  };
}

function total(directory) {
  const lines = [];
  const sum = { passed: 0, failed: 0 };
  for (const suite of ['unit', 'unit-lts', 'demo-lts', 'console', 'stack']) {
    const path = `${directory}/${suite}.json`;
    if (!existsSync(path)) {
      lines.push(`FAILED ${suite}: no report`);
      sum.failed += 1;
      continue;
    }
    const second = existsSync(`${directory}/${suite}-again.json`)
      ? read(`${directory}/${suite}-again.json`)
      : undefined;
    const again = new Map((second?.testResults ?? []).map((file) => [file.name, file]));
    const files = read(path).testResults.map((file) => {
      const repeated = again.get(file.name);
      if (!isFailed(file) || repeated === undefined) return file;
      for (const failure of failuresOf(file)) lines.push(`FAILED AT FIRST ${suite} ${file.name}: ${failure}`);
      return repeated;
    });
    for (const file of files)
      for (const failure of failuresOf(file)) lines.push(`FAILED ${suite} ${file.name}: ${failure}`);
    for (const file of files) {
      const skipped = file.assertionResults.filter(
        ({ status }) => status === 'skipped' || status === 'pending',
      );
      for (const { fullName } of skipped) lines.push(`SKIPPED ${suite} ${file.name}: ${fullName}`);
    }
    const { passed, failed } = count(files);
    sum.passed += passed;
    sum.failed += failed;
  }
  // Again at the end, where they are found.
  for (const line of lines) console.log(line.slice(0, 600));
  console.log(`${sum.passed} passed, ${sum.failed} failed`);
  process.exitCode = sum.failed === 0 ? 0 : 1;
}

const [command, path] = process.argv.slice(2);
if (command === 'total') total(path);
else if (command === 'failed-files') {
  const files = existsSync(path) ? read(path).testResults.filter(isFailed) : [];
  if (files.length <= MOST_RERUN) for (const { name } of files) console.log(name);
} else throw new Error(`unknown command: ${command}`);
