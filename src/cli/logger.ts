import { createRequire } from 'node:module';
import { Writable } from 'node:stream';
import type { DestinationStream } from 'pino';
import { inertJson, inertText } from '../model/printable.js';
import type { Logger } from '../observe.js';

interface LoggerOptions {
  readonly level: string;
  readonly isTerminal: boolean;
  readonly colour: boolean;
  /** Gets each line instead of stderr. */
  readonly destination?: DestinationStream;
}

const LEVELS: readonly string[] = ['debug', 'info', 'warn', 'error'];

/**
 * JSON lines on stderr, or readable lines on a terminal. Callers never log secrets; the redaction here is a second
 * barrier.
 */
export function createLogger(options: LoggerOptions): Logger {
  let opened: Logger | undefined;
  const lowest = LEVELS.indexOf(options.level);
  const log = (level: keyof Logger) => (fields: object, message: string) => {
    if (LEVELS.indexOf(level) < lowest) return;
    // Most commands log nothing, and pino takes long to load.
    opened ??= openLogger(options);
    opened[level](fields, message);
  };
  return { debug: log('debug'), info: log('info'), warn: log('warn'), error: log('error') };
}

function openLogger({ level, isTerminal, colour, destination }: LoggerOptions): Logger {
  const pino = loadPino();
  const sink = destination ?? pino.destination({ dest: 2, sync: true });
  const lines = isTerminal
    ? loadPretty()({
        destination: toInert(sink),
        colorize: colour,
        // pino-pretty would print `name` and `caller` unescaped, between the time and the message.
        ignore: 'pid,hostname,name,caller',
        translateTime: 'SYS:HH:MM:ss.l',
      })
    : { write: (line: string) => sink.write(inertJson(line)) };
  return pino(
    {
      level,
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

function loadPino(): typeof import('pino') {
  return createRequire(import.meta.url)('pino');
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
