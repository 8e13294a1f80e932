import { ClientUnreadable, SyncError } from '../errors.js';
import { mapBounded } from '../limiter.js';
import type { OAuthClient } from '../model/client.js';
import type { Runtime } from '../runtime.js';
import type { Directory, DirectorySnapshot, UnreadableClient } from './directory.js';
import { sampleOf } from './known-entries.js';
import { incomplete } from './read-errors.js';

/** As many more are asked for if one of the first five contradicts the list. */
const MAX_EXTRA = 50;
const WIDTH = 4;

/**
 * The same directory, whose complete read does not believe a list that cannot be true. An identity provider can answer a
 * list with status 200 that lacks what still exists: clients, grants, scopes, or accounts. So if clients are gone or hold
 * less than in the last complete read, up to five of them are read alone, however few they are:
 *
 * - Most clients have lost something, and one of the five has more alone: the complete read is incomplete.
 * - Half of the clients or fewer have: each of the five has what it has alone. If one has more than the list shows, up to 50
 *   others are read alone too. The list counts for all others, and where a single read fails.
 *
 * So somebody who controls a few clients can change them all the time, and neither stops the complete read nor keeps the
 * access of others. A list that shows a client as disabled counts, for a single read may be older.
 *
 * A grant that does not name its client leaves those clients unknown that lost something, and those that the last read did
 * not show. Without a last read, as after a start, that is every client that is enabled.
 */
export function withConfirmedLosses(
  directory: Directory,
  { logger, metrics }: Pick<Runtime, 'logger' | 'metrics'>,
): Directory {
  const { provider } = directory;
  let known: ReadonlyMap<string, OAuthClient> = new Map();

  const confirm = async (before: OAuthClient, listed: OAuthClient | undefined, signal: AbortSignal) => {
    const alone = await directory.read('clientId', before.clientId, signal).catch((error: unknown) => {
      if (error instanceof ClientUnreadable) return undefined;
      throw error;
    });
    if (alone === undefined || !losesAnything(alone, listed)) return;
    metrics.count('scopemesh_directory_short_lists_total', { provider });
    throw incomplete(
      `provider ${provider}, clients`,
      'most clients have lost something, but a client that was read alone has not',
    );
  };

  /** Puts what the clients have alone into `clients`. Resolves with whether one has more than the list shows. */
  const correct = async (
    clients: Map<string, OAuthClient>,
    asked: readonly OAuthClient[],
    unreadable: UnreadableClient[],
    signal: AbortSignal,
  ): Promise<boolean> => {
    let hasMore = false;
    // A provider that refuses one read would refuse the others: the list counts.
    let isSick = false;
    await mapBounded(asked, { width: WIDTH, signal }, async ({ clientId }, stop) => {
      if (isSick) return;
      try {
        const alone = await directory.read('clientId', clientId, stop);
        if (alone === undefined) clients.delete(clientId);
        else {
          hasMore ||= losesAnything(alone, clients.get(clientId));
          clients.set(clientId, alone);
        }
      } catch (error) {
        if (stop.aborted || !(error instanceof SyncError)) throw error;
        if (!(error instanceof ClientUnreadable)) isSick = true;
        // It exists, and the list lacks it.
        else if (!clients.has(clientId)) unreadable.push({ clientId, why: error.why });
      }
    });
    return hasMore;
  };

  return {
    ...directory,
    async readAll(signal, isUrgent) {
      const snapshot = withoutOwnersOf(known, await directory.readAll(signal, isUrgent));
      const clients = new Map(snapshot.clients.map((client) => [client.clientId, client]));
      const refused = new Set(snapshot.unreadable.map(({ clientId }) => clientId));
      const unreadable: UnreadableClient[] = [];
      // Nothing is taken from a client that cannot be read, nor, with a record without an ID, from one that is missing.
      const isUnknown = ({ clientId }: OAuthClient) =>
        refused.has(clientId) || (refused.has(undefined) && !clients.has(clientId));
      const losing = [...known.values()].filter(
        (before) => !isUnknown(before) && losesAnything(before, clients.get(before.clientId)),
      );
      if (losing.length * 2 > known.size)
        for (const before of sampleOf(losing)) await confirm(before, clients.get(before.clientId), signal);
      else {
        const asked = losing.filter(({ clientId }) => clients.get(clientId)?.enabled !== false);
        const first = sampleOf(asked);
        if (await correct(clients, first, unreadable, signal)) {
          metrics.count('scopemesh_directory_short_lists_total', { provider });
          logger.warn(
            { provider, losing: losing.length },
            'a list of the identity provider lacks what a client has when it is read alone: the client keeps it',
          );
          const others = asked.filter((before) => !first.includes(before));
          await correct(clients, others.slice(0, MAX_EXTRA), unreadable, signal);
        }
      }
      for (const { clientId } of unreadable) refused.add(clientId);
      known = new Map([...[...known].filter(([, before]) => isUnknown(before)), ...clients]);
      return {
        ...snapshot,
        clients: [...clients.values()],
        unreadable: [...snapshot.unreadable, ...unreadable],
      };
    },
  };
}

/** Takes those clients for unreadable that may hold a grant without an owner. */
function withoutOwnersOf(
  known: ReadonlyMap<string, OAuthClient>,
  snapshot: DirectorySnapshot,
): DirectorySnapshot {
  const { unownedGrant: why, ...rest } = snapshot;
  if (why === undefined) return snapshot;
  const mayHold = (client: OAuthClient) => {
    const before = known.get(client.clientId);
    // A client that is disabled opens nothing, whatever it holds.
    return client.enabled && (before === undefined || losesAnything(before, client));
  };
  const doubtful = rest.clients.filter(mayHold).map(({ clientId }) => ({ clientId, why }));
  return {
    ...rest,
    clients: rest.clients.filter((client) => !mayHold(client)),
    unreadable: [...rest.unreadable, ...doubtful],
  };
}

/** Whether a client may do less than before. */
function losesAnything(before: OAuthClient, after: OAuthClient | undefined): boolean {
  if (!before.enabled) return false;
  if (after === undefined || !after.enabled) return true;
  const held = new Set(after.grants.map(grantText));
  return (
    before.grants.some((grant) => !held.has(grantText(grant))) ||
    before.grantTypes.some((type) => !after.grantTypes.includes(type))
  );
}

function grantText({ api, name }: OAuthClient['grants'][number]): string {
  return JSON.stringify([api ?? null, name]);
}
