import { expect, test } from 'vitest';
import { ALLOW, entriesOf, entry, ourSource, planOf, scene } from '../scene.js';

test.each([
  ['names', (at: number) => `ghost-${at}`],
  [
    'names that differ only in case',
    (at: number) =>
      [...'abcdefghij'].map((letter, bit) => ((at >> bit) % 2 ? letter.toUpperCase() : letter)).join(''),
  ],
])('an entry with 1,000 marked %s is planned without a search of all for each of them', (_, nameOf) => {
  let reads = 0;
  const marked = Array.from({ length: 1_000 }, (_each, at) =>
    Object.defineProperty(ourSource(nameOf(at), ALLOW), 'name', {
      get: () => {
        reads++;
        return nameOf(at);
      },
    }),
  );
  const { changes } = planOf(scene({ entries: entriesOf(entry('orders', ...marked)) }));
  expect(changes.filter(({ verb }) => verb === 'deleted')).toHaveLength(1_000);
  expect(reads).toBeLessThan(100 * marked.length);
});
