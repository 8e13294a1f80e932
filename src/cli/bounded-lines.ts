import { StringDecoder } from 'node:string_decoder';

export interface BoundedLine {
  /** Without its end. Of a longer line: its beginning. */
  readonly text: string;
  readonly isCut: boolean;
}

/** The lines of a UTF-8 stream. Of a line with more characters than `limit`, only so many are kept and the rest is dropped. */
export async function* boundedLines(
  input: AsyncIterable<string | Uint8Array>,
  limit: number,
): AsyncIterable<BoundedLine> {
  const decoder = new StringDecoder('utf8');
  let held = '';
  let isCut = false;
  const add = (text: string) => {
    isCut ||= held.length + text.length > limit;
    held = (held + text).slice(0, limit);
  };
  const take = (): BoundedLine => {
    const line = { text: held.endsWith('\r') ? held.slice(0, -1) : held, isCut };
    held = '';
    isCut = false;
    return line;
  };
  for await (const chunk of input) {
    const [first = '', ...others] = (
      typeof chunk === 'string' ? chunk : decoder.write(Buffer.from(chunk))
    ).split('\n');
    add(first);
    for (const text of others) {
      yield take();
      add(text);
    }
  }
  add(decoder.end());
  if (held !== '') yield take();
}
