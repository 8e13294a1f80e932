const [LINE_FEED, CARRIAGE_RETURN] = [10, 13];

/**
 * The lines of a file or a stream as bytes, many at a time: `node:readline` costs as much as the hash of each line. Leaves
 * out empty ones.
 */
export async function* readLines(
  chunks: AsyncIterable<Uint8Array | string>,
): AsyncIterable<readonly Buffer[]> {
  /** The pieces of the line that has no end yet. */
  let pieces: Buffer[] = [];
  for await (const each of chunks) {
    const chunk =
      typeof each === 'string' ? Buffer.from(each) : Buffer.from(each.buffer, each.byteOffset, each.length);
    const lines: Buffer[] = [];
    let begin = 0;
    for (let end = chunk.indexOf(LINE_FEED); end !== -1; end = chunk.indexOf(LINE_FEED, begin)) {
      const piece = chunk.subarray(begin, end);
      lines.push(toLine(pieces.length === 0 ? piece : Buffer.concat([...pieces, piece])));
      if (pieces.length > 0) pieces = [];
      begin = end + 1;
    }
    if (begin < chunk.length) pieces.push(chunk.subarray(begin));
    yield lines.filter(isFilled);
  }
  yield [toLine(Buffer.concat(pieces))].filter(isFilled);
}

function isFilled({ length }: Buffer): boolean {
  return length > 0;
}

function toLine(line: Buffer): Buffer {
  return line.at(-1) === CARRIAGE_RETURN ? line.subarray(0, -1) : line;
}
