import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { systemClock } from '../../../src/clock.js';
import { clientKey } from '../../../src/model/key.js';
import { noMetrics, silentLogger } from '../../../src/observe.js';
import { DEFAULT_BACKOFF } from '../../../src/queue/backoff.js';
import { EmbeddedQueue } from '../../../src/queue/embedded/queue.js';
import { QUEUE_FILE } from '../../../src/queue/embedded/schemas.js';
import { StateFile } from '../../../src/queue/embedded/state-file.js';
import { DONE, gate, idle, trigger, work } from '../../conformance/store-harness.js';
import { createMovableClock } from '../../support/movable-clock.js';
import { until } from '../../support/until.js';

describe('the embedded queue', () => {
  let directory: string;
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'scopemesh-queue-'));
  });
  afterEach(() => rmSync(directory, { recursive: true }));

  it('does not restart a run that began with the order before the order was on disk', async () => {
    const disk = gate();
    let syncs = 0;
    const file = new StateFile(directory, QUEUE_FILE, () => {
      syncs++;
      return disk.opened;
    });
    const deps = { logger: silentLogger, metrics: noMetrics, clock: systemClock, backoff: DEFAULT_BACKOFF };
    const queue = new EmbeddedQueue(file, deps);
    const { cause } = trigger('', '1');
    const at = cause.receivedAt;
    const order = { kind: 'secret-compromised', provider: 'main', clientId: 'web', at, cause } as const;
    const added = queue.add([trigger('', '1', { key: clientKey('main', 'web'), order, urgent: true })]);
    await until('the sync', () => syncs === 1);
    const signals: AbortSignal[] = [];
    const run = gate();
    const working = work(queue, async (_, signal) => {
      signals.push(signal);
      await run.opened;
      return DONE;
    });
    await until('the run', () => signals.length === 1);
    disk.open();
    await added;
    expect(signals.map(({ aborted }) => aborted)).toEqual([false]);
    run.open();
    await idle(queue);
    await working.stop();
    expect(signals).toHaveLength(1);
    await queue.close();
    await file.close();
  });

  it('logs once that it cannot be read, until it can again', async () => {
    const clock = createMovableClock();
    const file = new StateFile(directory, QUEUE_FILE);
    const said: string[] = [];
    const logger = { ...silentLogger, error: (_: object, message: string) => said.push(message) };
    const queue = new EmbeddedQueue(file, { logger, metrics: noMetrics, clock, backoff: DEFAULT_BACKOFF });
    let looks = 0;
    let isLost = true;
    const led = queue.fencedBy(() => {
      looks++;
      if (isLost) throw new Error('another replica leads now');
    });
    const working = work(led, async () => DONE);
    const lookOften = async () => {
      for (const before = looks; looks < before + 4; ) {
        clock.advance(1_000);
        await new Promise(setImmediate);
      }
    };
    await lookOften();
    expect(said).toEqual(['the queue cannot be read']);
    isLost = false;
    await queue.add([trigger('', '1')]);
    clock.advance(1_000);
    await idle(queue);
    isLost = true;
    await queue.add([trigger('', '2')]);
    await lookOften();
    expect(said).toEqual(['the queue cannot be read', 'the queue cannot be read']);
    await working.stop();
    await queue.close();
    await file.close();
  });

  it('begins a run while its triggers are still on the way to the disk, and answers only after that', async () => {
    const disk = gate();
    const file = new StateFile(directory, QUEUE_FILE, () => disk.opened);
    const deps = { logger: silentLogger, metrics: noMetrics, clock: systemClock, backoff: DEFAULT_BACKOFF };
    const queue = new EmbeddedQueue(file, deps);
    let runs = 0;
    const working = work(queue, async () => {
      runs += 1;
      return DONE;
    });
    let isAnswered = false;
    const added = queue.add([trigger('', '1')]).then(() => {
      isAnswered = true;
    });
    await until('the run', () => runs === 1);
    expect(isAnswered).toBe(false);
    disk.open();
    await added;
    await working.stop();
    await queue.close();
    await file.close();
  });

  // `AbortSignal.any` of Node 20 leaves an entry in a signal that lives long.
  it('waits for work without AbortSignal.any', async () => {
    const file = new StateFile(directory, QUEUE_FILE);
    const deps = { logger: silentLogger, metrics: noMetrics, clock: systemClock, backoff: DEFAULT_BACKOFF };
    const queue = new EmbeddedQueue(file, deps);
    let runs = 0;
    const working = work(queue, async () => (++runs < 4 ? { kind: 'retry', afterMs: 1 } : DONE));
    const any = vi.spyOn(AbortSignal, 'any');
    try {
      await queue.add([trigger('', '1')]);
      await until('the runs', () => runs === 4);
      expect(any).not.toHaveBeenCalled();
    } finally {
      any.mockRestore();
    }
    await working.stop();
    await queue.close();
    await file.close();
  });
});
