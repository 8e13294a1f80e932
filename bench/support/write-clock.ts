import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';
import type { BenchConsul } from './consul.js';

/** When writes appeared in Consul, on the clock of `performance.now()`. */
export interface Writes {
  /** The last look that did not show it yet. */
  readonly firstAt: number;
  readonly lastAt: number;
  /** When the last new entry appeared; later writes changed entries that were there. */
  readonly lastCreatedAt: number;
  /** Entries written since the clock began. */
  readonly entries: number;
  /** Entries a second between the first and the last. */
  readonly perSecond: number;
}

export interface WriteClock {
  /** The instant of the last look that showed a write, and the index it showed. */
  readonly seen: { readonly at: number; readonly index: number };
  /** Whether anything was written since the clock began. */
  readonly hasBegun: boolean;
  /** Ends the looking and places every entry that changed. */
  stop(): Promise<Writes>;
}

const EVERY_MS = 5;

const INDEXES = z.array(z.object({ CreateIndex: z.number(), ModifyIndex: z.number() }));
type Indexes = readonly z.infer<typeof INDEXES>[number][];

/** What is dated: one table of Consul. */
export interface Dated {
  /** The index of the table. */
  readonly look: () => Promise<number>;
  readonly list: () => Promise<Indexes>;
}

export const intentionsOf = (consul: BenchConsul): Dated => ({
  look: async () => (await consul.entry('no-such-destination')).index,
  list: () => consul.entries(),
});

export const keysOf = ({ send }: BenchConsul, folder: string): Dated => ({
  look: async () => (await send('GET', '/v1/kv/no-such-key', undefined, 404)).index,
  list: async () => INDEXES.parse(JSON.parse((await send('GET', `/v1/kv/${folder}?recurse`)).text)),
});

/**
 * Looks every few milliseconds at the index of a table, which a request for a missing object shows cheaply. The final list
 * has each object's own index. Together they date every write from what Consul reports alone.
 */
export async function startWriteClock(
  consul: BenchConsul,
  { look, list }: Dated = intentionsOf(consul),
): Promise<WriteClock> {
  const start = await look();
  /** Each look that showed a new index, and when the one before it was made. */
  const looks: { at: number; index: number; previousAt: number }[] = [];
  let lookedAt = performance.now();
  let isStopped = false;
  const looking = (async () => {
    while (!isStopped) {
      const index = await look();
      const at = performance.now();
      if (index > (looks.at(-1)?.index ?? start)) looks.push({ at, index, previousAt: lookedAt });
      lookedAt = at;
      await delay(EVERY_MS);
    }
  })();
  looking.catch(() => {});
  return {
    get seen() {
      return looks.at(-1) ?? { at: 0, index: start };
    },
    get hasBegun() {
      return looks.length > 0;
    },
    async stop() {
      isStopped = true;
      await looking;
      const entries = await list();
      const written = entries.map(({ ModifyIndex }) => ModifyIndex).filter((at) => at > start);
      if (written.length === 0) throw new Error('Consul shows nothing new');
      const lookOf = (index: number) => looks.find((each) => each.index >= index);
      const [first, last] = [lookOf(least(written)), lookOf(greatest(written))];
      const lastCreated = lookOf(greatest(entries.map(({ CreateIndex }) => CreateIndex)));
      const firstAt = first?.previousAt ?? lookedAt;
      const lastAt = last?.at ?? performance.now();
      const perSecond = written.length / Math.max(0.001, (lastAt - firstAt) / 1000);
      return {
        firstAt,
        lastAt,
        lastCreatedAt: lastCreated?.at ?? firstAt,
        entries: written.length,
        perSecond,
      };
    },
  };
}

/** `Math.min` of a spread list fails for very many. */
function least(values: readonly number[]): number {
  return values.reduce((a, b) => Math.min(a, b), Number.POSITIVE_INFINITY);
}

function greatest(values: readonly number[]): number {
  return values.reduce((a, b) => Math.max(a, b), 0);
}
