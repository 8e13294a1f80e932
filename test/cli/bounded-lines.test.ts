import { Readable } from 'node:stream';
import { expect, it } from 'vitest';
import { boundedLines } from '../../src/cli/bounded-lines.js';

async function lines(chunks: readonly (string | Uint8Array)[], limit = 10) {
  const found: unknown[] = [];
  for await (const { text, isCut } of boundedLines(Readable.from(chunks), limit)) found.push([text, isCut]);
  return found;
}

it('lines are found however the stream is cut, also within a character', async () => {
  const bytes = Buffer.from('aä\r\n\nlast');
  const chunks = [...bytes].map((byte) => Uint8Array.of(byte));
  expect(await lines(chunks)).toEqual([
    ['aä', false],
    ['', false],
    ['last', false],
  ]);
});

it('of a long line only the beginning is kept, and the next line is whole', async () => {
  expect(await lines(['x'.repeat(8), 'y'.repeat(8), 'z'.repeat(8), '\nnext\n'])).toEqual([
    ['xxxxxxxxyy', true],
    ['next', false],
  ]);
});
