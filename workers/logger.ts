import pino, { type DestinationStream } from 'pino';
import pretty from 'pino-pretty';
import type { Logger } from '../src/observe.js';

/** JSON lines on stderr; readable lines where stderr is a terminal. Fields that hold secrets are never logged; this is the second net. */
export function createLogger(options: {
  readonly level: string;
  readonly isTerminal: boolean;
  readonly colour: boolean;
  /** Instead of stderr: gets each JSON line. */
  readonly destination?: DestinationStream;
}): Logger {
  const toStderr = (): DestinationStream =>
    options.isTerminal
      ? pretty({
          destination: 2,
          colorize: options.colour,
          ignore: 'pid,hostname',
          translateTime: 'SYS:HH:MM:ss.l',
        })
      : pino.destination({ dest: 2, sync: true });
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
    options.destination ?? toStderr(),
  );
}
