import fc from 'fast-check';
import { expect, test } from 'vitest';
import { readLines } from '../../src/decisions/read-lines.js';

test('lines are whole however much each read gives', async () => {
  const line = fc.string({ unit: fc.constantFrom('a', ' ', 'é', '€'), maxLength: 20 });
  await fc.assert(
    fc.asyncProperty(
      fc.array(line, { maxLength: 8 }),
      fc.constantFrom('\n', '\r\n'),
      fc.boolean(),
      fc.integer({ min: 1, max: 50 }),
      async (lines, end, isEnded, size) => {
        const bytes = Buffer.from(lines.join(end) + (isEnded ? end : ''));
        let from = 0;
        const file = {
          async read(into: Buffer, offset: number, length: number) {
            const bytesRead = bytes.copy(into, offset, from, from + Math.min(length, size));
            from += bytesRead;
            return { bytesRead, buffer: into };
          },
        };
        const read: string[] = [];
        for await (const some of readLines(file)) read.push(...some.map(String));
        expect(read).toEqual(lines.filter((text) => text !== ''));
      },
    ),
    { numRuns: 20 },
  );
});
