import { beforeEach, describe, expect, it, vi } from 'vitest';
import { clientKey } from '../../src/model/key.js';
import { QUEUE_FILE } from '../../src/queue/embedded/schemas.js';
import { StateFile } from '../../src/queue/embedded/state-file.js';
import { createEmbeddedTriggers } from '../../src/queue/embedded/triggers.js';
import { PAGE } from '../../src/queue/inbox.js';
import { DONE, gate, idle, trigger, work } from '../conformance/store-harness.js';
import { createMovableClock } from '../support/movable-clock.js';
import { queueOver } from '../support/queue-over.js';
import { until } from '../support/until.js';
import { newDirectory } from '../support/use-directory.js';

describe('the queue over an embedded store', () => {
  let directory: string;
  beforeEach(() => {
    directory = newDirectory();
  });

  it('does not restart a run that began with the order before the order was on disk', async () => {
    const disk = gate();
    let syncs = 0;
    const file = new StateFile(directory, QUEUE_FILE, () => {
      syncs++;
      return disk.opened;
    });
    const queue = queueOver(createEmbeddedTriggers(file));
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
    let looks = 0;
    let isLost = true;
    const stored = createEmbeddedTriggers(file).fencedBy(() => {
      looks++;
      if (isLost) throw new Error('another replica leads now');
    });
    const queue = queueOver(stored, { clock, noteFailure: (_, meaning) => said.push(meaning) });
    const working = work(queue, async () => DONE);
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
    let syncs = 0;
    const file = new StateFile(directory, QUEUE_FILE, () => {
      syncs++;
      return disk.opened;
    });
    const queue = queueOver(createEmbeddedTriggers(file));
    let runs = 0;
    let isAnswered = false;
    const added = queue.add([trigger('', '1')]).then(() => {
      isAnswered = true;
    });
    await until('the sync', () => syncs === 1);
    const working = work(queue, async () => {
      runs += 1;
      return DONE;
    });
    await until('the run', () => runs === 1);
    expect(isAnswered).toBe(false);
    disk.open();
    await added;
    await working.stop();
    await queue.close();
    await file.close();
  });

  it('leaves in the store what comes behind as many keys as may wait, and runs it later, in order', async () => {
    const file = new StateFile(directory, QUEUE_FILE);
    const stored = createEmbeddedTriggers(file);
    const queue = queueOver(stored, { mostWaiting: 1 });
    const names = Array.from({ length: 2 * PAGE + 10 }, (_, index) => String(index));
    await stored.append(names.map((name) => trigger(name, name)));
    const first = gate();
    const ran: string[] = [];
    const working = work(
      queue,
      async ({ triggers }) => {
        ran.push(...triggers.map(({ cause }) => cause.eventId ?? ''));
        await first.opened;
        return DONE;
      },
      1,
    );
    await until('the first run', () => ran.length === 1);
    expect((await queue.state()).waiting).toBe(PAGE - 1);
    first.open();
    await until('all ran', () => ran.length === names.length);
    expect(ran).toEqual(names);
    await working.stop();
    await queue.close();
    await file.close();
  });

  it('answers for its state from memory, unless something came', async () => {
    const file = new StateFile(directory, QUEUE_FILE);
    const stored = createEmbeddedTriggers(file);
    let reads = 0;
    const counted = {
      ...stored,
      after: (seq: number, most: number) => {
        reads++;
        return stored.after(seq, most);
      },
    };
    const queue = queueOver(counted);
    const end = gate();
    const working = work(queue, async () => {
      await end.opened;
      return DONE;
    });
    await queue.add([trigger('a', '1')]);
    await until('the run', async () => (await queue.state()).active === 1);
    const before = reads;
    for (let times = 0; times < 5; times++) await queue.state();
    expect(reads).toBe(before);
    await queue.add([trigger('b', '2')]);
    const { waiting, active } = await queue.state();
    expect(waiting + active).toBe(2);
    end.open();
    await working.stop();
    await queue.close();
    await file.close();
  });

  // `AbortSignal.any` of Node 20 leaves an entry in a signal that lives long.
  it('waits for work without AbortSignal.any', async () => {
    const file = new StateFile(directory, QUEUE_FILE);
    const queue = queueOver(createEmbeddedTriggers(file));
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
