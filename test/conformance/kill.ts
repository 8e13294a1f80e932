import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { idle, type Store, work } from './store-harness.js';

/** Where a process of its own can open the store, and this one after it. */
export interface StorePlace {
  /** For `burst-child.ts`. */
  readonly childArguments: readonly string[];
  open(): Promise<Store>;
  dispose(): Promise<void>;
}

export interface BurstChild {
  /** The ids that it said of each word so far. */
  readonly said: ReadonlyMap<string, ReadonlySet<string>>;
  /** Resolves once it said `word` this many times; rejects if it ends before. */
  until(word: string, times: number): Promise<void>;
  /** SIGKILL; resolves when it is gone and everything it said was read. */
  kill(): Promise<void>;
}

export function startBurst(childArguments: readonly string[], first: number): BurstChild {
  const script = fileURLToPath(new URL('./burst-child.ts', import.meta.url));
  const child: ChildProcess = spawn(
    process.execPath,
    ['--import', 'tsx', script, ...childArguments, String(first)],
    {
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  );
  const said = new Map<string, Set<string>>();
  const watchers = new Set<() => void>();
  if (child.stdout === null) throw new Error('no output to read');
  const lines = createInterface(child.stdout);
  lines.on('line', (line) => {
    const [word = '', id = ''] = line.split(' ');
    said.set(word, (said.get(word) ?? new Set()).add(id));
    for (const watch of watchers) watch();
  });
  // When the output ends the process may not have let go of its locks yet.
  const ended = Promise.all([once(lines, 'close'), once(child, 'exit')]);
  return {
    said,
    until(word, times) {
      return new Promise((resolve, reject) => {
        const watch = () => {
          if ((said.get(word)?.size ?? 0) < times) return;
          watchers.delete(watch);
          resolve();
        };
        watchers.add(watch);
        ended.then(() => reject(new Error(`the child ended before it said ${word} ${times} times`)));
        watch();
      });
    },
    async kill() {
      child.kill('SIGKILL');
      await ended;
    },
  };
}

/** What a kill of the process at any moment must leave intact, in queue and journal. */
export function describeKill(name: string, start: () => Promise<StorePlace>, rounds: number): void {
  describe(`${name} killed in the middle of a burst`, () => {
    it('loses nothing that was acknowledged, and doubles no decision', async () => {
      const place = await start();
      try {
        const acknowledged = new Set<string>();
        const ran = new Set<string>();
        const recorded = new Set<string>();
        const settled = new Set<string>();
        for (let round = 0; round < rounds; round++) {
          const child = startBurst(place.childArguments, 1 + round * 1_000_000);
          await child.until('acknowledged', 300 + Math.floor(Math.random() * 300));
          await child.kill();
          for (const id of child.said.get('acknowledged') ?? []) acknowledged.add(id);
          for (const id of child.said.get('ran') ?? []) ran.add(id);
          for (const id of child.said.get('recorded') ?? []) recorded.add(id);
          for (const id of child.said.get('settled') ?? []) settled.add(id);
        }
        const left = [...acknowledged].filter((id) => !ran.has(id));

        const store = await place.open();
        const working = work(store.queue, async (job) => {
          for (const each of job.triggers) ran.add(each.cause.eventId ?? '');
          return { kind: 'done' };
        });
        await idle(store.queue, 60_000);
        await working.stop();
        expect([...acknowledged].filter((id) => !ran.has(id))).toEqual([]);
        // Else nothing was under way when it was killed, and the test showed nothing.
        expect(left.length).toBeGreaterThan(0);

        const outbox = await store.journal.outbox(1_000_000);
        const published = outbox.map(({ id }) => id);
        expect(new Set(published).size).toBe(published.length);
        expect([...settled].filter((id) => !published.includes(id))).toEqual([]);
        const { pendingKeys } = await store.journal.overview();
        const pending = (await Promise.all(pendingKeys.map((key) => store.journal.read(key)))).flatMap(
          (record) => record.pending.map(({ id }) => id),
        );
        expect(pending.filter((id) => published.includes(id))).toEqual([]);
        const known = new Set([...published, ...pending]);
        expect([...recorded].filter((id) => !known.has(id))).toEqual([]);
        const last = new Map<string, number>();
        for (const { subject, revision } of outbox) {
          expect(revision).toBe((last.get(subject) ?? 0) + 1);
          last.set(subject, revision);
        }
        await store.close();
      } finally {
        await place.dispose();
      }
    }, 180_000);
  });
}
