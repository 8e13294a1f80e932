import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { spreadOf } from './support/statistics.js';
import { writeTrail } from './support/trail-file.js';
import { askTrail, type Took } from './support/trail-questions.js';

/*
 * Questions to a long embedded log: `npx tsx bench/questions.ts DIRECTORY [DECISIONS] [TIMES]`. Makes the log unless the
 * directory has it, and keeps it. Prints one JSON line for each question, and one with the memory.
 */

const [directory = '', decisions = '10000000', times = '20'] = process.argv.slice(2);
const size = { decisions: Number(decisions), services: 2_000, callers: 20 };
const isNew = !existsSync(join(directory, 'decisions.db'));
if (isNew) {
  mkdirSync(directory, { recursive: true });
  await writeTrail(directory, size, (message) => process.stderr.write(`${message}\n`));
}
for (const [question, took] of Object.entries(await askTrail(directory, size, Number(times))))
  console.log(JSON.stringify({ question, ...figuresOf(took) }));
// To make a log takes more memory than to ask it.
console.log(JSON.stringify({ peakMegabytes: Math.round(process.resourceUsage().maxRSS / 1_000), isNew }));

function figuresOf(took: readonly Took[]) {
  const figures = (key: keyof Took) => {
    const { median, max } = spreadOf(took.map((each) => each[key])) ?? { median: 0, max: 0 };
    return { median: Number(median.toFixed(3)), slowest: Number(max.toFixed(3)) };
  };
  return { seconds: figures('seconds'), cpuSeconds: figures('cpuSeconds') };
}
