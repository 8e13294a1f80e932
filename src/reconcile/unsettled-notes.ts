import type { OAuthClient } from '../model/client.js';
import type { ServiceName } from '../model/intention.js';
import type { Trigger } from '../model/trigger.js';
import { withClientId } from '../plan/evidence.js';
import { fanOut } from './fan-out.js';

/**
 * What events reported about clients and no job has settled, as notes for the destinations of these clients. A complete
 * read often shows a loss before the job of the client runs: after an outage that job waits for its next try, and after a
 * crash for the lock of the process that died. Without a note the mass guard would count the removal as inferred.
 */
export function unsettledNotes(
  provider: string,
  unsettled: readonly Trigger[],
  clients: readonly OAuthClient[],
  reachedBy: (clientId: string) => readonly ServiceName[],
): readonly Trigger[] {
  const byId = new Map(clients.map((client) => [client.clientId, client]));
  const byInternalId = new Map(clients.map(({ internalId, clientId }) => [internalId, clientId]));
  return unsettled.flatMap((trigger) => {
    const evidence = (trigger.evidence ?? []).filter((each) => each.provider === provider);
    const named = evidence.flatMap(({ clients: ids = [], internalIds = [] }) => [
      ...ids,
      ...internalIds.flatMap((id) => byInternalId.get(id) ?? []),
    ]);
    const job = { key: trigger.key, triggers: [trigger], attempts: 0 };
    const urgent = trigger.urgent === true && trigger.isRecheck !== true;
    return [...new Set(named)].flatMap((clientId) => {
      const id = { provider, clientId };
      return fanOut(reachedBy(clientId), job, withClientId(evidence, id, byId.get(clientId)), urgent, id);
    });
  });
}
