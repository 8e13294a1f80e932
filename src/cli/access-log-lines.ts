import { createReadStream } from 'node:fs';
import { addAbortSignal, Readable } from 'node:stream';
import { configError } from '../errors.js';
import { isRecord } from '../model/is-record.js';
import { jsonIn } from '../model/json-in.js';
import { type BoundedLine, boundedLines } from './bounded-lines.js';
import type { Cli } from './cli.js';

/** Characters. Envoy's own limit of all headers is 60 KiB by default. */
export const MAX_LINE_LENGTH = 256 * 1024;

/** The lines of access logs; `-` or no file is the standard input. Throws ERR_CONFIG for a terminal. */
export async function* linesOf(files: readonly string[], cli: Cli): AsyncIterable<BoundedLine> {
  const { stdin } = cli.context;
  const sources = files.length === 0 ? ['-'] : files;
  if (sources.includes('-') && stdin.isTTY === true)
    throw configError('name a file, or pipe an access log into this command');
  for (const file of sources) {
    const input = file === '-' ? stdin : createReadStream(file);
    if (input instanceof Readable) addAbortSignal(cli.signal, input);
    yield* boundedLines(input, MAX_LINE_LENGTH);
  }
}

/** Undefined for a line that is no JSON object, or is too long. */
export function parseLine({ text, isCut }: BoundedLine): Readonly<Record<string, unknown>> | undefined {
  if (isCut) return undefined;
  const value = jsonIn(text);
  return isRecord(value) ? value : undefined;
}
