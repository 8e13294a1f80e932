// Runs the built demo as `npm start` does, on free ports: a call that is allowed, one that is not, and a clean end.
// Writes its result as a suite of one test to the file that is its argument.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { createInterface } from 'node:readline';

const [, , report] = process.argv;
const ports = ['--port', '0', '--consul-port', '0', '--idp-port', '0'];
const demo = spawn(process.execPath, ['dist/workers/main.js', 'demo', '--embedded', '--json', ...ports], {
  stdio: ['ignore', 'pipe', 'inherit'],
});
const late = setTimeout(() => demo.kill('SIGKILL'), 60_000);
const exited = once(demo, 'exit');

let fault;
try {
  const [line] = await Promise.race([
    once(createInterface({ input: demo.stdout }), 'line'),
    exited.then(([status]) => {
      throw new Error(`it ended with status ${status} before it was ready`);
    }),
  ]);
  const orders = `${JSON.parse(line).callers.web}/orders/v1/orders`;
  for (const [method, expected] of [
    ['GET', 200],
    ['POST', 403],
  ]) {
    const { status } = await fetch(orders, { method });
    if (status !== expected) throw new Error(`${method} ${orders} answered ${status} instead of ${expected}`);
  }
} catch (error) {
  fault = error.message;
}
demo.kill('SIGINT');
const [status] = await exited;
clearTimeout(late);
fault ??= status === 0 ? undefined : `it ended with status ${status}`;

const isGood = fault === undefined;
console.log(isGood ? 'the demo works' : `the demo failed: ${fault}`);
const counts = { numPassedTests: isGood ? 1 : 0, numFailedTests: isGood ? 0 : 1, testResults: [] };
if (report !== undefined) writeFileSync(report, JSON.stringify(counts));
process.exitCode = isGood ? 0 : 1;
