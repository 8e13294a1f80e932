import { Writable } from 'node:stream';
import pino, { type DestinationStream } from 'pino';
import pretty from 'pino-pretty';
import type { Logger } from '../observe.js';
import { printable } from './terminal/screen.js';

/** JSON lines on stderr; readable lines where stderr is a terminal. Fields that hold secrets are never logged; this is the second net. */
export function createLogger(options: {
  readonly level: string;
  readonly isTerminal: boolean;
  readonly colour: boolean;
  /** Instead of stderr: gets each line. */
  readonly destination?: DestinationStream;
}): Logger {
  const sink = options.destination ?? pino.destination({ dest: 2, sync: true });
  const lines = options.isTerminal
    ? pretty({
        destination: toInert(sink),
        colorize: options.colour,
        // The last two would be written as they are, between the time and the message.
        ignore: 'pid,hostname,name,caller',
        translateTime: 'SYS:HH:MM:ss.l',
      })
    : sink;
  return pino(
    {
      level: options.level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      redact: {
        paths: [
          '*.token',
          '*.secret',
          '*.clientSecret',
          '*.password',
          '*.authorization',
          'headers.authorization',
        ],
        censor: '[secret]',
      },
    },
    lines,
  );
}

/** A line of a log but for its colours: nothing else in it may be obeyed by a terminal. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: colours begin with one.
const COLOUR_OR_BREAK = /(\u001b\[\d+m|\n)/;

function toInert(sink: DestinationStream): Writable {
  return new Writable({
    decodeStrings: false,
    write(chunk, _encoding, done) {
      const parts = String(chunk).split(COLOUR_OR_BREAK);
      sink.write(parts.map((part, at) => (at % 2 === 0 ? printable(part) : part)).join(''));
      done();
    },
  });
}
