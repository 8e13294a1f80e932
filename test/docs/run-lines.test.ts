import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { createRunDirectory, isAlive, removeRunDirectory, until } from '../stack/process.js';
import { runLines } from './run-lines.js';

it('says what lines of the manual said that take too long, and ends what they started', async () => {
  const cwd = await createRunDirectory('lines');
  onTestFinished(() => removeRunDirectory(cwd));
  const stop = new AbortController();
  const lines =
    'echo printed; echo warned >&2; tail -f /dev/null & echo $! >new; mv new pid; until false; do wait; done';
  const failed = runLines(lines, cwd, stop.signal).catch((error: unknown) => String(error));
  const pid = Number(await until('the lines run', () => readFile(join(cwd, 'pid'), 'utf8')));
  stop.abort();
  expect(await failed).toMatch(/ended \(out of time\) after this: printed\n\nwarned/);
  await until('what they started has ended', async () => !(await isAlive(pid)));
});
