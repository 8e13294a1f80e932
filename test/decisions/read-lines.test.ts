import { Readable } from 'node:stream';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { readLines } from '../../src/decisions/read-lines.js';

test('lines are whole however long each chunk is', async () => {
  const line = fc.string({ unit: fc.constantFrom('a', ' ', 'é', '€'), maxLength: 20 });
  await fc.assert(
    fc.asyncProperty(
      fc.array(line, { maxLength: 8 }),
      fc.constantFrom('\n', '\r\n'),
      fc.boolean(),
      fc.integer({ min: 1, max: 50 }),
      async (lines, end, isEnded, size) => {
        const bytes = Buffer.from(lines.join(end) + (isEnded ? end : ''));
        const chunks = Array.from({ length: Math.ceil(bytes.length / size) }, (_, at) =>
          bytes.subarray(at * size, (at + 1) * size),
        );
        const read: string[] = [];
        for await (const some of readLines(Readable.from(chunks))) read.push(...some.map(String));
        expect(read).toEqual(lines.filter((text) => text !== ''));
      },
    ),
    { numRuns: 20 },
  );
});
