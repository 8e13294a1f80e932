import { existsSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'libsql';
import type { Clock } from '../../clock.js';
import { configError, type SyncError } from '../../errors.js';
import { definedFields } from '../../model/defined-fields.js';
import type { Trail, TrailExtent } from '../trail.js';
import { type EmbeddedTrailOptions, openEmbeddedTrail } from './embedded-trail.js';
import { extentFrom } from './topic-copy.js';
import { readIndexState, type TopicIndexState } from './topic-index-state.js';

/** An index that reads the topic every few seconds is not further behind than this, also if Kafka or the machine is slow. */
const BEHIND_MS = 60_000;

/**
 * Answers from the index of a topic, which another process may write at the same time. Throws SyncError ERR_CONFIG if there is
 * none, or it was never complete.
 */
export async function openIndexTrail(
  options: EmbeddedTrailOptions & { readonly clock: Pick<Clock, 'now'> },
): Promise<Trail> {
  const { directory, clock } = options;
  const path = join(directory, 'decisions.db');
  if (!existsSync(path)) throw noIndex(directory);
  const database = new Database(path, { readonly: true, timeout: 5_000 });
  try {
    completeState(database, directory);
    return await openEmbeddedTrail({
      ...options,
      toExtent: (extent) => toExtent(extent, completeState(database, directory), clock.now()),
      onClosed: () => void database.close(),
    });
  } catch (error) {
    database.close();
    throw error;
  }
}

type CompleteState = TopicIndexState & { readonly until: string };

function completeState(database: Database.Database, directory: string): CompleteState {
  const state = readIndexState(database);
  if (state.until === undefined) throw noIndex(directory);
  return { ...state, until: state.until };
}

function toExtent(extent: TrailExtent, state: CompleteState, now: number): TrailExtent {
  const { until, begin = 'whole', gaps, holes, broken } = state;
  const [, latest = begin] = [begin, extent.first ?? begin].toSorted();
  // What a log waits for may still come; until then it is missing.
  const waiting = Object.values(holes)
    .map(({ time }) => time)
    .toSorted()
    .slice(0, 1)
    .map((after) => ({ after, until }));
  return {
    ...extentFrom(extent, begin === 'whole' ? begin : latest),
    index: {
      until,
      // The clock may have been set back.
      isBehind: Math.abs(Date.parse(until) - now) > BEHIND_MS,
      gaps: [...gaps, ...waiting],
      ...definedFields({ broken }),
    },
  };
}

function noIndex(directory: string): SyncError {
  return configError(
    `there is no complete index of the topic in ${directory}: scopemesh run makes it with decisions.index: on (the default); ` +
      'wait until its first read of the topic ends, run this where it runs, or add --from-topic',
  );
}
