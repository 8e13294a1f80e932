import fc from 'fast-check';
import { expect } from 'vitest';
import { formatKey } from '../../src/model/key.js';
import type { JobResult } from '../../src/queue/queue.js';
import { DONE, idle, type StartHarness, trigger, work } from './store-harness.js';

/** Adds, restarts and crashes in any order, while handlers end in any way: every trigger is handled in the end. */
export async function playInterleavings(start: StartHarness, runs: number): Promise<void> {
  const step = fc.oneof(
    { weight: 6, arbitrary: fc.record({ add: fc.integer({ min: 0, max: 3 }), urgent: fc.boolean() }) },
    { weight: 3, arbitrary: fc.constant('turn' as const) },
    { weight: 1, arbitrary: fc.constant('restart' as const) },
    { weight: 1, arbitrary: fc.constant('crash' as const) },
  );
  const outcome = fc.record({
    kind: fc.constantFrom('done', 'retry', 'failed'),
    turns: fc.integer({ min: 0, max: 4 }),
  });
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { minLength: 1, maxLength: 30 }),
      fc.array(outcome, { maxLength: 20 }),
      async (steps, outcomes) => {
        await playRandomly(start, steps, outcomes);
      },
    ),
    { numRuns: runs },
  );
}

type Step = { readonly add: number; readonly urgent: boolean } | 'turn' | 'restart' | 'crash';

async function playRandomly(
  start: StartHarness,
  steps: readonly Step[],
  outcomes: readonly { readonly kind: string; readonly turns: number }[],
): Promise<void> {
  const harness = await start();
  try {
    const script = [...outcomes];
    const acknowledged: string[] = [];
    const succeeded = new Set<string>();
    const faults: string[] = [];

    const begin = async () => {
      const store = await harness.open();
      const running = new Set<string>();
      const life = { ended: false };
      const working = work(
        store.queue,
        async (job): Promise<JobResult> => {
          const text = formatKey(job.key);
          if (running.has(text)) faults.push(`${text} ran twice at once`);
          running.add(text);
          const ids = job.triggers.map((each) => Number(each.cause.eventId));
          if (ids.some((id, index) => index > 0 && id <= (ids[index - 1] ?? 0)))
            faults.push(`out of order: ${ids}`);
          const next = script.shift() ?? { kind: 'done', turns: 0 };
          for (let turn = 0; turn < next.turns; turn++) await new Promise((resolve) => setImmediate(resolve));
          running.delete(text);
          if (life.ended) await new Promise(() => {});
          if (next.kind === 'failed') throw new Error('as the script says');
          if (next.kind === 'retry') return { kind: 'retry', afterMs: 1 };
          for (const each of job.triggers) succeeded.add(String(each.cause.eventId));
          return DONE;
        },
        4,
        1000,
      );
      return { store, working, life };
    };

    let current = await begin();
    let count = 0;
    for (const step of steps) {
      if (step === 'turn') {
        await new Promise((resolve) => setImmediate(resolve));
      } else if (step === 'restart') {
        await current.working.stop();
        await current.store.close();
        current = await begin();
      } else if (step === 'crash') {
        current.life.ended = true;
        await harness.crash(current.store);
        current = await begin();
      } else {
        const id = String(++count);
        await current.store.queue.add([trigger(`k${step.add}`, id, { urgent: step.urgent })]);
        acknowledged.push(id);
      }
    }
    await idle(current.store.queue, 60_000);
    await current.working.stop();
    expect(faults).toEqual([]);
    expect(acknowledged.filter((id) => !succeeded.has(id))).toEqual([]);
  } finally {
    await harness.dispose();
  }
}
