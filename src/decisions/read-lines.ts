/** As `FileHandle.read`. */
interface Source {
  read(into: Buffer, offset: number, length: number): Promise<{ readonly bytesRead: number }>;
}

const CHUNK_BYTES = 1 << 16;
const [LINE_FEED, CARRIAGE_RETURN] = [10, 13];

/**
 * The lines of a file as bytes, many at a time: `FileHandle.readLines` costs as much as the hash of each line. Leaves out
 * empty ones.
 */
export async function* readLines(file: Source): AsyncIterable<readonly Buffer[]> {
  let rest = Buffer.alloc(0);
  for (;;) {
    // Twice as much for a long line each time, which is not copied again for each chunk.
    const room = Math.max(CHUNK_BYTES, rest.length);
    const chunk = Buffer.allocUnsafe(rest.length + room);
    rest.copy(chunk);
    const { bytesRead } = await file.read(chunk, rest.length, room);
    const filled = chunk.subarray(0, rest.length + bytesRead);
    const lines: Buffer[] = [];
    let begin = 0;
    // What was left of the chunk before has no line feed.
    for (
      let end = filled.indexOf(LINE_FEED, rest.length);
      end !== -1;
      end = filled.indexOf(LINE_FEED, begin)
    ) {
      lines.push(lineOf(filled, begin, end));
      begin = end + 1;
    }
    rest = filled.subarray(begin);
    if (bytesRead === 0 && rest.length > 0) lines.push(lineOf(rest, 0, rest.length));
    yield lines.filter(({ length }) => length > 0);
    if (bytesRead === 0) return;
  }
}

function lineOf(bytes: Buffer, begin: number, end: number): Buffer {
  return bytes.subarray(begin, bytes[end - 1] === CARRIAGE_RETURN ? end - 1 : end);
}
