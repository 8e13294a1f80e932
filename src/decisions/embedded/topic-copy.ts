import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isoInstant } from '../../clock.js';
import type { Runtime } from '../../runtime.js';
import type { DecisionLog } from '../log.js';
import type { NoteVerifier } from '../signed-note.js';
import type { Trail } from '../trail.js';
import { EmbeddedTopicIndex } from './embedded-topic-index.js';
import { openEmbeddedTrail } from './embedded-trail.js';

/**
 * Answers from an index of everything that the topic has now, in a directory that `close` deletes. Throws the reason of a signal
 * that aborts: an answer would miss what was not read.
 */
export async function copyTopic(
  log: Pick<DecisionLog, 'check' | 'readParts'>,
  options: Runtime & { readonly verifiers: readonly NoteVerifier[] },
  signal: AbortSignal,
): Promise<Trail> {
  await log.check();
  const readAt = isoInstant(options.clock);
  const parts = await log.readParts(signal);
  const directory = await mkdtemp(join(tmpdir(), 'scopemesh-trail-'));
  const remove = () => rm(directory, { recursive: true });
  try {
    const index = new EmbeddedTopicIndex({ ...options, directory, isOnce: true });
    await index.take(parts, readAt, signal).finally(() => index.close());
    signal.throwIfAborted();
    return await openEmbeddedTrail({ ...options, directory, onClosed: remove });
  } catch (error) {
    await remove();
    throw error;
  }
}
