// Measures scopemesh as a user runs it beside the raw work of the same run: `npm run bench -- --help`.
import { writeFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { ROWS } from './rows/rows.js';
import { machine, type Report, tableOf } from './support/report.js';
import type { Bench } from './support/row.js';
import { type RowResult, runRow } from './support/runner.js';

const USAGE = `usage: npm run bench -- [options]

Builds scopemesh, starts the real servers and prints one table of all rows.

  --only ROW,ROW   only these rows; --list names them
  --scale NUMBER   multiplies every size: 0.1 for a quick look (default 1)
  --sources N      callers of each destination in the first syncs (default 1)
  --repeat N       repetitions, contestants in turn (default 3)
  --json FILE      where the results are written as JSON (default bench-results.json)
  --list           prints the rows and ends
  --help           prints this text

The exit status is 0 whatever the figures are, and 1 for a wrong option.
`;

const OPTIONS = {
  only: { type: 'string' },
  scale: { type: 'string', default: '1' },
  sources: { type: 'string', default: '1' },
  repeat: { type: 'string', default: '3' },
  json: { type: 'string', default: 'bench-results.json' },
  list: { type: 'boolean', default: false },
  help: { type: 'boolean', default: false },
} as const;

process.exitCode = await main();

async function main(): Promise<number> {
  let values: ReturnType<typeof parseOptions>;
  try {
    values = parseOptions();
  } catch (error) {
    process.stderr.write(`bench: ${error instanceof Error ? error.message : error}\n\n${USAGE}`);
    return 1;
  }
  if (values.help) process.stdout.write(USAGE);
  else if (values.list)
    for (const { name, title } of ROWS) process.stdout.write(`${name.padEnd(20)} ${title}\n`);
  else await measure(values);
  return 0;
}

function parseOptions() {
  const { values } = parseArgs({ options: OPTIONS });
  const positive = (name: 'scale' | 'sources' | 'repeat') => {
    const value = Number(values[name]);
    if (!(value > 0)) throw new Error(`--${name} takes a number above 0`);
    return value;
  };
  const names = values.only?.split(',');
  const unknown = names?.filter((name) => !ROWS.some((row) => row.name === name)) ?? [];
  if (unknown.length > 0) throw new Error(`--only: no such row: ${unknown.join(', ')}`);
  return {
    ...values,
    rows: ROWS.filter(({ name }) => names === undefined || names.includes(name)),
    scale: positive('scale'),
    sources: positive('sources'),
    repeat: positive('repeat'),
  };
}

async function measure({
  rows,
  scale,
  sources,
  repeat,
  json,
}: ReturnType<typeof parseOptions>): Promise<void> {
  const begun = performance.now();
  const startedAt = new Date().toISOString();
  const bench: Bench = {
    scale,
    sources,
    scaled: (size, least = 10) => Math.max(Math.min(least, size), Math.round(size * scale)),
    progress: (message) => {
      const seconds = ((performance.now() - begun) / 1000).toFixed(0);
      process.stderr.write(`${seconds.padStart(5)} s  ${message}\n`);
    },
  };
  const results: RowResult[] = [];
  for (const row of rows) {
    const result = await runRow(row, repeat, bench);
    for (const remark of result.remarks) bench.progress(`${row.name}: ${remark}`);
    results.push(result);
    // After each row, so that a run that is broken off leaves what it has measured.
    const report: Report = {
      startedAt,
      machine: machine(),
      options: { scale, sources, repeat },
      rows: results,
    };
    await writeFile(json, `${JSON.stringify(report, null, 2)}\n`);
  }
  const sizes =
    scale === 1 ? '' : `\nSizes and the labels that name them are to be multiplied by ${scale}.\n`;
  process.stdout.write(`${tableOf(results)}\n${sizes}\n`);
  bench.progress(`done; the results are in ${json}`);
}
