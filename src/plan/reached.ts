import type { ServiceName } from '../model/intention.js';
import type { Evidence, Job } from '../model/trigger.js';
import type { ProviderEvidence } from './provider-evidence.js';
import { clientText } from './world.js';

/** The destinations that the change of a client reaches, with its evidence. */
export interface Reached {
  readonly clientId: string;
  readonly isNamed: boolean;
  readonly evidence: readonly Evidence[];
  readonly urgent: boolean;
  /** It may do less than before. */
  readonly loses: boolean;
  readonly at: readonly ServiceName[];
}

/** What a complete read of a directory found. */
interface CompleteRead {
  readonly provider: string;
  readonly reported: ProviderEvidence;
  /** The clients that were known before, and those that the read changed or reopened. */
  readonly before: Iterable<string>;
  readonly changed: readonly string[];
  /** By `clientText`: those that may do less than before. */
  readonly losing: ReadonlySet<string>;
}

/** The clients whose destinations are planned after a complete read. `at`: where a client has, or had, access. */
export function reachedClients(
  { provider, reported, before, changed, losing }: CompleteRead,
  job: Job,
  at: (clientId: string) => readonly ServiceName[],
): readonly Reached[] {
  // A recheck comes long after the event. It is urgent only if it finds a loss.
  const isRecheck = job.triggers.every((trigger) => trigger.isRecheck);
  // Evidence about a scope plans every destination: the scope may have been lost before the last read.
  const known = reported.forEveryClient.length > 0 ? before : [];
  return [...new Set([...known, ...reported.clientIds, ...changed])].map((clientId) => {
    const evidence = reported.forClient(clientId);
    const loses = losing.has(clientText({ provider, clientId }));
    return {
      clientId,
      isNamed: reported.clientIds.has(clientId),
      evidence,
      urgent: (evidence.length > 0 && !isRecheck) || loses,
      loses,
      at: at(clientId),
    };
  });
}
