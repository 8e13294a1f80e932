import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { OURS, type Row, type Sample } from '../support/row.js';
import { type TrailSize, writeTrail } from '../support/trail-file.js';
import { askTrail, type Question } from '../support/trail-questions.js';

const DECISIONS = 10_000_000;
const SERVICES = 2_000;
const CALLERS = 20;
const TIMES = 20;
const SECOND = [{ atMost: 1 }];

/** Questions at random instants of a long log. */
export const trail: Row = {
  name: 'trail',
  title: 'questions to an embedded log of ten million decisions (16 GB, written first: takes half an hour)',
  needs: [],
  figures: [
    { id: 'whoCanCall', label: 'who-can-call --at, slowest', unit: 's', targets: SECOND },
    { id: 'explain', label: 'explain --at, slowest', unit: 's', targets: SECOND },
    { id: 'whatCan', label: 'what-can --at, slowest', unit: 's', targets: SECOND },
    { id: 'history', label: 'history of a service, 100 newest, slowest', unit: 's', targets: SECOND },
    { id: 'busyHistory', label: 'history of the busiest service, slowest', unit: 's', targets: SECOND },
    { id: 'memory', label: 'memory after the questions', unit: 'MB' },
  ],
  async open(bench) {
    const directory = await mkdtemp(join(tmpdir(), 'scopemesh-bench-'));
    const decisions = bench.scaled(DECISIONS);
    const services = Math.max(1, Math.min(SERVICES, decisions / CALLERS / 10));
    const size = { decisions, services, callers: CALLERS };
    await writeTrail(directory, size, (message) => bench.progress(message));
    return {
      contestants: new Map([[OURS, () => slowest(directory, size)]]),
      close: () => rm(directory, { recursive: true, force: true }),
    };
  },
};

async function slowest(directory: string, size: TrailSize): Promise<Sample> {
  const took = await askTrail(directory, size, TIMES);
  const most = (question: Question) => Math.max(...took[question].map(({ seconds }) => seconds));
  return {
    whoCanCall: most('whoCanCall'),
    explain: most('explain'),
    whatCan: most('whatCan'),
    history: most('history'),
    busyHistory: most('busyHistory'),
    memory: process.memoryUsage.rss() / 1e6,
  };
}
