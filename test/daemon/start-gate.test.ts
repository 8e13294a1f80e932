import { describe, expect, it } from 'vitest';
import { createStartGate } from '../../src/daemon/start-gate.js';
import { clientKey, directoryKey } from '../../src/model/key.js';
import { NO_FOLLOW_UPS } from '../../src/reconcile/deps.js';

/** Time goes on by the sleeps alone. */
function scene() {
  let now = 0;
  const sleepers: { readonly at: number; readonly wake: () => void }[] = [];
  const clock = {
    now: () => now,
    sleep: (ms: number, signal?: AbortSignal) =>
      new Promise<void>((wake, fail) => {
        const abort = () => fail(signal?.reason);
        signal?.addEventListener('abort', abort, { once: true });
        // As the clock of the system does: a signal that outlives many sleeps keeps none of their listeners.
        const end = () => {
          signal?.removeEventListener('abort', abort);
          wake();
        };
        sleepers.push({ at: now + ms, wake: end });
      }),
  };
  const advance = async () => {
    const next = sleepers.toSorted((a, b) => a.at - b.at)[0];
    if (next === undefined) return;
    sleepers.splice(sleepers.indexOf(next), 1);
    now = next.at;
    next.wake();
  };
  return { clock, advance };
}

const COUNTS = { waiting: 0, delayed: 0, active: 0, parked: [] };

type Looks = (looks: number) => Promise<typeof COUNTS>;

/** When each of the two resolved. `prepareMs`: Infinity if Consul stays away. */
async function heldMs(state: Looks, prepareMs = 0) {
  const { clock, advance } = scene();
  const end = new AbortController();
  let looks = 0;
  const queue = { state: () => state(looks++) };
  const prepared = prepareMs === Infinity ? new Promise<void>(() => {}) : clock.sleep(prepareMs);
  const { drained: written, soon } = createStartGate(queue, prepared, clock, end.signal);
  const at: { written?: number; soon?: number } = {};
  void written.then(() => {
    at.written ??= clock.now();
  });
  void soon.then(() => {
    at.soon ??= clock.now();
  });
  while (at.soon === undefined || (at.written === undefined && prepareMs < Infinity)) {
    await new Promise(setImmediate);
    if (at.written === undefined) await advance();
  }
  return at;
}

describe('what begins after the events that wait at the beginning of a term', () => {
  it('begins at once if there are none, also if some wait for their next try', async () => {
    expect(await heldMs(async () => ({ ...COUNTS, delayed: 3 }))).toEqual({ written: 0, soon: 0 });
  });

  it('begins when none waits or runs any more', async () => {
    const states = [{ waiting: 2 }, { active: 2 }, { active: 1 }];
    const held = await heldMs(async (looks) => ({ ...COUNTS, ...states[looks] }));
    expect(held).toEqual({ written: 60, soon: 60 });
  });

  it('begins after a second if they do not end', async () => {
    expect(await heldMs(async () => ({ ...COUNTS, active: 1 }))).toEqual({ written: 1_000, soon: 1_000 });
  });

  it('begins a second after the term, if it needs no jobs and Consul cannot be read', async () => {
    expect(await heldMs(async () => ({ ...COUNTS, active: 1 }), 900)).toEqual({
      written: 1_900,
      soon: 1_000,
    });
    expect(await heldMs(async () => COUNTS, Infinity)).toEqual({ soon: 1_000 });
  });

  it('begins at once if the store does not answer', async () => {
    expect(await heldMs(() => Promise.reject(new Error('away')))).toEqual({ written: 0, soon: 0 });
  });

  it('begins at the end of the term', async () => {
    const { clock } = scene();
    const end = new AbortController();
    const queue = { state: async () => ({ ...COUNTS, active: 1 }) };
    const { drained: written, soon } = createStartGate(queue, Promise.resolve(), clock, end.signal);
    end.abort();
    await expect(Promise.all([written, soon])).resolves.toHaveLength(2);
  });

  it('is not held back by a complete read that waits for the same', async () => {
    const { clock, advance } = scene();
    const end = new AbortController();
    const begun: string[] = [];
    let active = 2;
    const queue = { state: async () => ({ ...COUNTS, active }) };
    const { drained: written, hold } = createStartGate(queue, Promise.resolve(), clock, end.signal);
    const handler = hold(async ({ key }) => {
      begun.push(key.kind);
      return { kind: 'done' };
    });
    const worked = [directoryKey('main'), clientKey('main', 'web')].map((key) =>
      handler({ key, triggers: [], attempts: 0 }, end.signal, NO_FOLLOW_UPS),
    );
    await new Promise(setImmediate);
    expect(begun).toEqual(['client']);
    active = 1;
    await advance();
    await Promise.all([written, ...worked]);
    expect(begun).toEqual(['client', 'directory']);
    expect(clock.now()).toBe(20);
  });
});
