// Runs the demo on free ports: a call that is allowed, one that is not, and a clean end.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';

/** Throws if the demo of this program does not do what it should. */
export async function tryDemo(command, args = []) {
  const ports = ['--port', '0', '--consul-port', '0', '--idp-port', '0'];
  const demo = spawn(command, [...args, 'demo', '--embedded', '--json', ...ports], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const late = setTimeout(() => demo.kill('SIGKILL'), 60_000);
  const exited = once(demo, 'exit');
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
      if (status !== expected)
        throw new Error(`${method} ${orders} answered ${status} instead of ${expected}`);
    }
  } finally {
    demo.kill('SIGINT');
    await exited;
    clearTimeout(late);
  }
  const [status] = await exited;
  if (status !== 0) throw new Error(`it ended with status ${status}`);
}
