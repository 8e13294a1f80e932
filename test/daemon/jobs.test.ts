import { type ChildProcess, fork } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { Jobs } from '../../src/daemon/jobs.js';
import { silentLogger } from '../../src/observe.js';
import { createMovableClock } from '../support/movable-clock.js';
import { until } from '../support/until.js';

const PERIOD = { from: '2026-01-01T00:00:00.000Z', to: '2026-04-01T00:00:00.000Z' };
const HOUR_MS = 3_600_000;

let root = '';
let jobs: Jobs;
let clock: ReturnType<typeof createMovableClock>;
let children: ChildProcess[] = [];

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'jobs-'));
  clock = createMovableClock();
});
afterEach(async () => {
  await jobs.close();
  rmSync(root, { recursive: true });
  children = [];
});

/** Jobs whose command is a script of the test. It knows `out`, where the files belong. */
function jobsOf(script: string): void {
  const program = join(root, 'program.mjs');
  writeFileSync(
    program,
    `import { mkdirSync, truncateSync, writeFileSync } from 'node:fs';
     const out = process.argv.find((each) => each.startsWith('--out=')).slice(6);
     const print = (files) => console.log(JSON.stringify({ files, ...${JSON.stringify(PERIOD)}, verified: true }));
     ${script}`,
  );
  const startCommand = (args: readonly string[]) => {
    const child = fork(program, args, { stdio: ['ignore', 'pipe', 'pipe', 'ipc'] });
    children.push(child);
    return child;
  };
  jobs = new Jobs({ startCommand, directory: join(root, 'evidence'), clock, logger: silentLogger });
}

const ended = () =>
  until('the end of the job', () => jobs.list().find(({ keptUntil }) => keptUntil !== null));
const WRITES_ONE = `mkdirSync(out); writeFileSync(out + '/report.html', 'text'); print(['report.html']);`;
const WAITS = 'process.send({ checked: 7, of: 9 }); setInterval(() => {}, 1000);';

it('keeps the files of a report for an hour, and then removes them', async () => {
  jobsOf(WRITES_ONE);
  const { id } = jobs.start(PERIOD, 'ana');
  expect(await ended()).toMatchObject({
    state: 'done',
    verified: true,
    files: [{ name: 'report.html', bytes: 4 }],
  });
  const path = jobs.fileOf(id, 'report.html') ?? '';
  expect(existsSync(path)).toBe(true);
  expect(jobs.fileOf(id, '../program.mjs')).toBeUndefined();
  clock.advance(HOUR_MS);
  await until('the file is gone', () => !existsSync(path));
  expect(jobs.list()).toEqual([]);
});

it('makes one report at a time, says how far it is, and a stop ends it and leaves no file', async () => {
  jobsOf(WAITS);
  jobs.start(PERIOD, 'ana');
  expect(() => jobs.start(PERIOD, 'bob')).toThrow(expect.objectContaining({ code: 'ERR_BUSY' }));
  await until('the progress', () => jobs.list()[0]?.checked === 7);
  expect(jobs.list()).toMatchObject([{ state: 'running', of: 9, by: 'ana' }]);
  await jobs.close();
  expect(children.map(({ signalCode }) => signalCode)).toEqual(['SIGKILL']);
  expect(existsSync(join(root, 'evidence'))).toBe(false);
});

it('says why a report was not made, and can make another one', async () => {
  jobsOf(`console.error('scopemesh: the log \\u0007 cannot be read'); process.exitCode = 1;`);
  jobs.start(PERIOD, 'ana');
  expect((await ended()).error).toBe('the log \\u{7} cannot be read');
  jobs.start(PERIOD, 'ana');
});

it('a report that needs too much memory, time or space is none, and the reader hears what to do', async () => {
  jobsOf(
    `mkdirSync(out); writeFileSync(out + '/a', ''); truncateSync(out + '/a', 200_000_001); print(['a']);`,
  );
  const { id } = jobs.start(PERIOD, 'ana');
  expect(await ended()).toMatchObject({ state: 'failed', files: [] });
  expect(jobs.list()[0]?.error).toContain('choose a shorter period');
  expect(existsSync(join(root, 'evidence', id))).toBe(false);
  jobsOf(WAITS);
  jobs.start(PERIOD, 'ana');
  children.at(-1)?.kill('SIGKILL');
  expect((await ended()).error).toContain('choose a shorter period');
});

it('keeps three reports, so that nobody fills the disk', async () => {
  jobsOf(WRITES_ONE);
  const ids: string[] = [];
  for (let count = 1; count <= 4; count++) {
    const { id } = jobs.start(PERIOD, 'ana');
    ids.push(id);
    await until('its end', () => jobs.list().find((job) => job.id === id && job.keptUntil !== null));
  }
  expect(jobs.list().map(({ id }) => id)).toEqual(ids.slice(1).toReversed());
  await until('the first is gone', () => !existsSync(join(root, 'evidence', ids[0] ?? '')));
});
