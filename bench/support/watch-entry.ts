import type { BenchConsul, Entry } from './consul.js';

/**
 * Resolves with the instant at which Consul shows an entry like this, by a blocking query that waits on Consul's side
 * and costs nothing meanwhile. Begin it before the change is caused.
 */
export function seenAt(
  consul: BenchConsul,
  destination: string,
  isLike: (sources: ReadonlySet<string>) => boolean,
  timeoutMs = 120_000,
): Promise<number> {
  const found = look(consul, destination, isLike, timeoutMs);
  // It may fail before it is awaited, when the change that it waits for could not be caused.
  found.catch(() => {});
  return found;
}

async function look(
  consul: BenchConsul,
  destination: string,
  isLike: (sources: ReadonlySet<string>) => boolean,
  timeoutMs: number,
): Promise<number> {
  const deadline = performance.now() + timeoutMs;
  let index: number | undefined;
  for (;;) {
    const answer = await consul.entry(destination, index);
    const at = performance.now();
    if (isLike(sourcesOf(answer.entry))) return at;
    if (at > deadline) throw new Error(`${destination} did not change within ${timeoutMs} ms`);
    index = answer.index;
  }
}

export function sourcesOf(entry: Entry | undefined): ReadonlySet<string> {
  return new Set(entry?.Sources.map(({ Name }) => Name));
}
