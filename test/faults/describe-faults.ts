import { afterAll, beforeAll, describe, it } from 'vitest';
import { until } from '../stack/process.js';
import { isSoak } from '../support/soak.js';
import { beginWatch, type Expected, expectHealed } from './healed.js';
import type { World } from './world.js';

/** One row of a page in docs/faults. */
export interface Fault<W extends World> extends Expected {
  /** What is broken; the row's title. */
  readonly name: string;
  /** Breaks it. Then the identity provider changes. */
  readonly begin: (world: W) => Promise<unknown> | unknown;
  /** How long it stays broken after the change; 0 by default. */
  readonly seconds?: number;
  /** Checks what holds while it is broken. */
  readonly meanwhile?: (world: W) => Promise<unknown> | unknown;
  /** Mends it, as its owner would, and touches nothing of scopemesh. */
  readonly end?: (world: W) => Promise<unknown> | unknown;
  /** Only with FAULTS=all: it takes long, or another row samples it. */
  readonly soak?: boolean;
}

/** Plays the rows one after the other in one world, where that can be: each begins where the one before has healed. */
export function describeFaults<W extends World>(
  name: string,
  start: () => Promise<W>,
  rows: readonly Fault<W>[],
  canPlay = true,
): void {
  describe.skipIf(!canPlay)(name, () => {
    let world: W;
    beforeAll(async () => {
      world = await start();
    });
    afterAll(() => world?.stop());

    for (const row of rows) {
      it.skipIf(row.soak === true && !isSoak)(row.name, { timeout: 420_000 }, async () => {
        const watch = await beginWatch(world);
        try {
          await row.begin(world);
          const began = performance.now();
          world.change();
          await row.meanwhile?.(world);
          const lastsMs = (row.seconds ?? 0) * 1000;
          await until('the fault has lasted', () => performance.now() - began >= lastsMs, {
            timeoutMs: lastsMs + 5000,
          });
          await row.end?.(world);
          world.putBack();
          console.log(`${name}, ${row.name}: ${await expectHealed(world, watch, row)}`);
        } finally {
          await watch.end();
        }
      });
    }
  });
}
