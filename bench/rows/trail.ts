import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openEmbeddedTrail } from '../../src/decisions/embedded/embedded-trail.js';
import type { Trail } from '../../src/decisions/trail.js';
import { silentLogger } from '../../src/observe.js';
import { callAt } from '../../src/trail/call-at.js';
import { historyOf } from '../../src/trail/history.js';
import { whatCan } from '../../src/trail/what-can.js';
import { whoCanCall } from '../../src/trail/who-can-call.js';
import { OURS, type Row, type Sample } from '../support/row.js';
import { instantOf, serviceName, writeTrail } from '../support/trail-file.js';

const DECISIONS = 10_000_000;
const SERVICES = 2_000;
const CALLERS = 20;
const QUESTIONS = 20;
const SECOND = [{ atMost: 1 }];

/** Questions at random instants of a long log. */
export const trail: Row = {
  name: 'trail',
  title: 'questions to an embedded log of ten million decisions (10 GB, written first: takes ten minutes)',
  needs: [],
  figures: [
    { id: 'whoCanCall', label: 'who-can-call --at, slowest', unit: 's', targets: SECOND },
    { id: 'explain', label: 'explain --at, slowest', unit: 's', targets: SECOND },
    { id: 'whatCan', label: 'what-can --at, slowest', unit: 's', targets: SECOND },
    { id: 'history', label: 'history of a service, 100 newest, slowest', unit: 's', targets: SECOND },
    { id: 'memory', label: 'memory after the questions', unit: 'MB' },
  ],
  async open(bench) {
    const directory = await mkdtemp(join(tmpdir(), 'scopemesh-bench-'));
    const decisions = bench.scaled(DECISIONS);
    const services = Math.max(1, Math.min(SERVICES, decisions / CALLERS / 10));
    await writeTrail(directory, { decisions, services, callers: CALLERS }, (message) =>
      bench.progress(message),
    );
    return {
      contestants: new Map([[OURS, () => askAll(directory, decisions, services)]]),
      close: () => rm(directory, { recursive: true, force: true }),
    };
  },
};

async function askAll(directory: string, decisions: number, services: number): Promise<Sample> {
  const slowest = async (ask: (trail: Trail, service: string, at: string) => Promise<unknown>) => {
    let most = 0;
    for (let index = 0; index < QUESTIONS; index++) {
      const service = serviceName(Math.floor(Math.random() * services));
      const at = instantOf(Math.floor(Math.random() * decisions));
      const begun = performance.now();
      // As the command line does: opened for one question.
      const opened = await openEmbeddedTrail({ directory, logger: silentLogger });
      await ask(opened, service, at);
      await opened.close();
      most = Math.max(most, (performance.now() - begun) / 1_000);
    }
    return most;
  };
  const sample = {
    whoCanCall: await slowest(whoCanCall),
    explain: await slowest((opened, destination, at) => {
      const source = serviceName(Number(destination.slice('service-'.length)) + 1);
      return callAt(opened, { source, destination }, at);
    }),
    whatCan: await slowest((opened, service, at) => whatCan(opened, `${service}-app`, at)),
    history: await slowest((opened, service, to) => historyOf(opened, service, { to, limit: 100 })),
  };
  return { ...sample, memory: process.memoryUsage.rss() / 1e6 };
}
