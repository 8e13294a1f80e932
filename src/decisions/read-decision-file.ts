import { open } from 'node:fs/promises';
import type { Decision } from '../model/decision.js';
import { ChainCheck } from './chain-check.js';
import { parseLogEvent } from './log.js';
import { readLines } from './read-lines.js';
import { toTrailRecord } from './trail-record.js';

/**
 * The decisions of a file that `scopemesh decisions export` wrote, in their order. `keys`: the public keys that you trust, as
 * `trail-key.pub` has them. Throws SyncError ERR_EVENT_INVALID at a line that is no event, that does not continue the chain or
 * that none of the keys signed; ERR_CONFIG for a key that is none; and the error of the file system.
 */
export async function* readDecisionFile(path: string, keys: readonly string[]): AsyncIterable<Decision> {
  const chain = new ChainCheck(keys);
  const file = await open(path);
  try {
    for await (const lines of readLines(file.createReadStream({ autoClose: false })))
      for (const line of lines) {
        chain.see(toTrailRecord(line));
        const decision = parseLogEvent(line.toString());
        if (decision !== undefined) yield decision;
      }
  } finally {
    await file.close();
  }
}
