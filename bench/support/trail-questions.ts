import { systemClock } from '../../src/clock.js';
import { openEmbeddedTrail } from '../../src/decisions/embedded/embedded-trail.js';
import type { Trail } from '../../src/decisions/trail.js';
import { silentLogger } from '../../src/observe.js';
import { callAt } from '../../src/trail/call-at.js';
import { historyOf } from '../../src/trail/history.js';
import { whatCan } from '../../src/trail/what-can.js';
import { whoCanCall } from '../../src/trail/who-can-call.js';
import { instantOf, serviceName, type TrailSize } from './trail-file.js';

type Ask = (trail: Trail, service: string, at: string) => Promise<unknown>;

const QUESTIONS = {
  whoCanCall,
  explain: (trail, destination, at) => {
    const source = serviceName(Number(destination.slice('service-'.length)) + 1);
    return callAt(trail, { source, destination }, at);
  },
  whatCan: (trail, service, at) => whatCan(trail, `${service}-app`, at),
  history: (trail, service, to) => historyOf(trail, service, { to, limit: 100 }),
  // One of ten decisions is about this one.
  busyHistory: (trail, _, to) => historyOf(trail, serviceName(0), { to, limit: 100 }),
} satisfies Record<string, Ask>;

/** What one question took, in seconds. */
export interface Took {
  readonly seconds: number;
  readonly cpuSeconds: number;
}

export type Question = keyof typeof QUESTIONS;

/** Asks each question so many times at random instants, as the command line does: the log is opened for each. */
export async function askTrail(
  directory: string,
  { decisions, services }: TrailSize,
  times: number,
): Promise<Record<Question, readonly Took[]>> {
  const timed = async (ask: Ask) => {
    const took: Took[] = [];
    for (let index = 0; index < times; index++) {
      const service = serviceName(Math.floor(Math.random() * services));
      const at = instantOf(Math.floor(Math.random() * decisions));
      const [begun, cpu] = [performance.now(), process.cpuUsage()];
      const opened = await openEmbeddedTrail({ directory, logger: silentLogger, clock: systemClock });
      await ask(opened, service, at);
      await opened.close();
      const { user, system } = process.cpuUsage(cpu);
      took.push({ seconds: (performance.now() - begun) / 1_000, cpuSeconds: (user + system) / 1e6 });
    }
    return took;
  };
  return {
    whoCanCall: await timed(QUESTIONS.whoCanCall),
    explain: await timed(QUESTIONS.explain),
    whatCan: await timed(QUESTIONS.whatCan),
    history: await timed(QUESTIONS.history),
    busyHistory: await timed(QUESTIONS.busyHistory),
  };
}
