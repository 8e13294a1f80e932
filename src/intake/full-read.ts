import { type Clock, isoInstant } from '../clock.js';
import { providerKey } from '../model/key.js';
import type { Metrics } from '../observe.js';
import type { Queue } from '../queue/queue.js';

export interface FullReadDeps {
  readonly queue: Pick<Queue, 'add'>;
  readonly clock: Clock;
  readonly metrics: Metrics;
}

/** Queues the complete comparison with a provider's directory. `reason`: why events may be lost. */
export async function requestFullRead(
  provider: string,
  deps: FullReadDeps,
  reason?: 'log' | 'silence' | 'missed' | 'subscription' | 'store',
): Promise<void> {
  const receivedAt = isoInstant(deps.clock);
  await deps.queue.add([
    { key: providerKey(provider), fullRead: true, cause: { kind: 'full-read', receivedAt } },
  ]);
  if (reason !== undefined) deps.metrics.count('scopemesh_event_gaps_total', { provider, reason });
}
