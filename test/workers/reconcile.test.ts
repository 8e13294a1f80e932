import { expect, it, vi } from 'vitest';
import { Progress } from '../../src/daemon/progress.js';
import type { Agenda } from '../../src/queue/agenda.js';
import type { Queue } from '../../src/queue/queue.js';
import type { ReconcilerDeps } from '../../src/reconcile/deps.js';
import { runReconcile } from '../../workers/reconcile.js';

it('lets any number of jobs listen to its signals', async () => {
  const [ended, lost] = [new AbortController(), new AbortController()];
  const stop = new AbortController().signal;
  ended.abort();
  const progress = new Progress({ now: () => 0, sleep: async () => {} });
  const run = (signal: AbortSignal, end: AbortSignal) =>
    runReconcile({} as ReconcilerDeps, {} as Agenda, {} as Queue, progress, signal, end);
  await run(ended.signal, lost.signal);
  await run(stop, ended.signal);
  const warn = vi.spyOn(process, 'emitWarning').mockReturnValue();
  for (const signal of [stop, lost.signal])
    for (let job = 0; job < 20; job++) signal.addEventListener('abort', () => {});
  expect(warn).not.toHaveBeenCalled();
  warn.mockRestore();
});
