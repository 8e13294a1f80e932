import { readFileSync, writeFileSync } from 'node:fs';
import { freePort } from '../stack/ports.js';
import type { CommandLine } from './command-line.js';
import { until } from './until.js';

/** Runs the daemon of a configuration, has it compare everything, and calls `use` beside it. It stops afterwards. */
export async function besideDaemon<T>(
  cli: CommandLine,
  use: () => Promise<T>,
  { file = cli.configFile, args = [] }: { readonly file?: string; readonly args?: readonly string[] } = {},
): Promise<T> {
  const listen = `127.0.0.1:${await freePort()}`;
  const text = readFileSync(file, 'utf8');
  writeFileSync(
    file,
    text.replace(/(listen["']?: ?["']?)[\w.]+:\d+/, (_, key) => `${key}${listen}`),
  );
  const stop = new AbortController();
  const run = ['-c', file, '--log-level', 'error', 'run', ...args];
  const running = cli.run(run, { signal: stop.signal });
  const status = async () =>
    fetch(`http://${listen}/statusz`).then(
      async (answer) => (answer.ok ? Object(await answer.json()) : undefined),
      () => undefined,
    );
  try {
    let before = false;
    await until('an idle daemon', async () => {
      const found = await status();
      const wasIdle = before;
      const isCompared = args.length > 0 || (found?.leader === true && found.sweepAgeSeconds !== null);
      before = isCompared && found !== undefined && isIdle(found);
      return wasIdle && before;
    });
    return await use();
  } finally {
    stop.abort(new Error('stopped by a signal'));
    await running;
    writeFileSync(file, text);
  }
}

/** Once no job runs, and every decision is published. */
function isIdle({
  queue,
  outboxDecisions,
}: {
  readonly queue: { readonly waiting: number; readonly delayed: number; readonly active: number };
  readonly outboxDecisions: number;
}): boolean {
  return queue.waiting + queue.delayed + queue.active + outboxDecisions === 0;
}
