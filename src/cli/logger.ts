import { createRequire } from 'node:module';
import { Writable } from 'node:stream';
import pino, { type DestinationStream } from 'pino';
import { inertJson, inertText } from '../model/printable.js';
import type { Logger } from '../observe.js';

/**
 * JSON lines on stderr, or readable lines on a terminal. Callers never log secrets; the redaction here is a second
 * barrier.
 */
export function createLogger(options: {
  readonly level: string;
  readonly isTerminal: boolean;
  readonly colour: boolean;
  /** Gets each line instead of stderr. */
  readonly destination?: DestinationStream;
}): Logger {
  const sink = options.destination ?? pino.destination({ dest: 2, sync: true });
  const lines = options.isTerminal
    ? loadPretty()({
        destination: toInert(sink),
        colorize: options.colour,
        // pino-pretty would print `name` and `caller` unescaped, between the time and the message.
        ignore: 'pid,hostname,name,caller',
        translateTime: 'SYS:HH:MM:ss.l',
      })
    : { write: (line: string) => sink.write(inertJson(line)) };
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

/** Only where somebody reads: it takes long to load. */
function loadPretty(): typeof import('pino-pretty') {
  return createRequire(import.meta.url)('pino-pretty');
}

function toInert(sink: DestinationStream): Writable {
  return new Writable({
    decodeStrings: false,
    write(chunk, _encoding, done) {
      sink.write(inertText(String(chunk)));
      done();
    },
  });
}
