import type { Config } from '../config/config.js';
import { updateTopicIndex } from '../src/decisions/update-topic-index.js';
import type { StoreParts } from '../src/queue/store-parts.js';
import type { Runtime } from '../src/runtime.js';
import { openDecisionLog, openTopicIndex } from './wire.js';

/**
 * Keeps the local index of the topic up to date until the signal aborts, apart from the relay, so that nothing here delays a
 * decision. Every replica has its own, the leader and the standbys. Never rejects.
 */
export async function runTrailIndex(
  config: Pick<Config, 'owner' | 'decisions' | 'state' | 'queue'>,
  { space }: { readonly space: Pick<StoreParts['space'], 'isLow'> },
  runtime: Runtime,
  signal: AbortSignal,
): Promise<void> {
  const { decisions, queue } = config;
  if (decisions.kind !== 'kafka' || !decisions.index) return;
  const openIndex = () => openTopicIndex(config, decisions.keepMs, runtime);
  const openLog = () => openDecisionLog(config, runtime);
  // On the disk of the embedded store it must not use up what is kept back for revocations.
  const isPaused = () => queue.kind === 'embedded' && space.isLow();
  await updateTopicIndex({ ...runtime, openIndex, openLog, isPaused }, signal);
}
