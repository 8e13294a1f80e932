// Runs the built demo as `npm start` does. Writes its result as a suite of one test to the file that is its argument.
import { writeFileSync } from 'node:fs';
import { tryDemo } from '../deploy/release/try-demo.mjs';

const [, , report] = process.argv;
const fault = await tryDemo(process.execPath, ['dist/workers/main.js']).then(
  () => undefined,
  (error) => error.message,
);
const isGood = fault === undefined;
console.log(isGood ? 'the demo works' : `the demo failed: ${fault}`);
const counts = { numPassedTests: isGood ? 1 : 0, numFailedTests: isGood ? 0 : 1, testResults: [] };
if (report !== undefined) writeFileSync(report, JSON.stringify(counts));
process.exitCode = isGood ? 0 : 1;
