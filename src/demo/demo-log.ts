import { closeSync, openSync, writeSync } from 'node:fs';
import { z } from 'zod';
import { createLogger } from '../cli/logger.js';
import { inertJson } from '../model/printable.js';
import type { Logger } from '../observe.js';

/** A warning or an error of the daemon that the screen shows. */
export interface Warning {
  readonly message: string;
  /** Its fields as JSON. */
  readonly fields: string;
}

interface DemoLog {
  readonly logger: Logger;
  close(): void;
}

const LINE = z.looseObject({ level: z.string(), time: z.string(), msg: z.string() });

/** Warnings that the screen leaves out: it shows a hold as a decision, and nobody backs up the key of a demo. */
const LEFT_OUT = new Set([
  'a change is held',
  'made a key that signs the decisions; back it up, and give the public key to those who read or verify the log',
]);

/** Writes the daemon's log as JSON lines to a file; warnings and errors also go to `onWarning`. */
export function openDemoLog(file: string, level: string, onWarning: (warning: Warning) => void): DemoLog {
  const descriptor = openSync(file, 'a', 0o600);
  let isOpen = true;
  const write = (line: string) => {
    if (isOpen) writeSync(descriptor, line);
    const parsed = LINE.safeParse(JSON.parse(line));
    if (!parsed.success || LEFT_OUT.has(parsed.data.msg)) return;
    const { level: at, msg, time: _, ...fields } = parsed.data;
    if (at === 'warn' || at === 'error')
      onWarning({ message: msg, fields: inertJson(JSON.stringify(fields)) });
  };
  return {
    logger: createLogger({ level, isTerminal: false, colour: false, destination: { write } }),
    close() {
      isOpen = false;
      closeSync(descriptor);
    },
  };
}
