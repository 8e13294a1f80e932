import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { DecisionFile } from '../../src/decisions/embedded/decision-file.js';
import { parseLogEvent } from '../../src/decisions/log.js';
import type { Decision } from '../../src/model/decision.js';
import { judgeEvent } from './event-schemas.js';

/** The decision log of a state directory, which a test reads again and again while a daemon appends. Checks every event. */
export interface DecisionReader {
  /** Every decision so far. */
  read(): Promise<readonly Decision[]>;
  close(): Promise<void>;
}

const PAGE = 500;

/** Keeps the file open and what it has read, so that awaiting a decision costs one small query a time. */
export function createDecisionReader(directory: string): DecisionReader {
  const seen: Decision[] = [];
  let file: DecisionFile | undefined;
  let last = 0;
  return {
    async read() {
      if (file === undefined && !existsSync(join(directory, 'decisions.db'))) return [];
      file ??= new DecisionFile(directory);
      for (;;) {
        const page = file.page(last, PAGE);
        for (const { seq, event } of page) {
          const decision = parseLogEvent(event);
          const fault = judgeEvent(JSON.parse(event));
          if (fault !== undefined) throw new Error(`an event that its schema refuses: ${fault}: ${event}`);
          if (decision !== undefined) seen.push(decision);
          last = seq;
        }
        if (page.length < PAGE) return [...seen];
      }
    },
    async close() {
      await file?.close();
      file = undefined;
    },
  };
}
