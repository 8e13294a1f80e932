import fc from 'fast-check';
import { expect, it } from 'vitest';
import { pageOf } from '../../../src/console/api/page-of.js';

const rows = fc.uniqueArray(fc.record({ value: fc.nat(3), name: fc.string({ maxLength: 3 }) }), {
  selector: ({ name }) => name,
});

it('the pages together are all rows in their order, each once', () => {
  fc.assert(
    fc.property(rows, fc.integer({ min: 1, max: 4 }), (all, limit) => {
      const found: unknown[] = [];
      let cursor: string | undefined;
      do {
        const page = pageOf(all, (row) => row, { cursor, limit });
        expect(page.total).toBe(all.length);
        expect(page.rows.length).toBeLessThanOrEqual(limit);
        found.push(...page.rows);
        cursor = page.next ?? undefined;
      } while (cursor !== undefined);
      const sorted = all.toSorted((a, b) => b.value - a.value || (a.name < b.name ? -1 : 1));
      expect(found).toEqual(sorted);
    }),
  );
});

it('a row that comes between two pages moves no other', () => {
  const named = (...all: readonly string[]) => all.map((name) => ({ value: 0, name }));
  const first = pageOf(named('b', 'c', 'd'), (row) => row, { limit: 2 });
  const cursor = first.next ?? undefined;
  expect(pageOf(named('a', 'b', 'c', 'd'), (row) => row, { cursor, limit: 2 }).rows).toEqual(named('d'));
});

it('a cursor that no page gave is the first page', () => {
  const all = [{ value: 0, name: 'a' }];
  for (const cursor of ['', '{}', '[1]', 'x', '[null,null]'])
    expect(pageOf(all, (row) => row, { cursor, limit: 1 }).rows).toEqual(all);
});
