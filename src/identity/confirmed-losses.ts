import { ClientUnreadable } from '../errors.js';
import type { OAuthClient } from '../model/client.js';
import type { Directory, DirectorySnapshot } from './directory.js';
import { incomplete } from './read-errors.js';

/** Clients that are asked for alone. */
const SAMPLE = 5;

/**
 * The same directory, whose complete read fails if a list that it used cannot be true. An identity provider can answer a
 * list with status 200 that lacks what still exists: clients, grants, scopes, or accounts. So if more than half of the
 * clients are gone, disabled or hold less than in the last complete read, some of them are read alone. If one of these reads
 * shows what the complete read lacks, the complete read is incomplete. Somebody who controls a few clients cannot cause
 * that by changing them all the time.
 *
 * A grant that does not name its client leaves those clients unknown that lost something, and those that the last read did
 * not show. Without a last read, as after a start, that is every client that is enabled.
 */
export function withConfirmedLosses(directory: Directory): Directory {
  const { provider } = directory;
  let known: ReadonlyMap<string, OAuthClient> = new Map();

  const confirm = async (before: OAuthClient, listed: OAuthClient | undefined, signal: AbortSignal) => {
    const alone = await directory.read('clientId', before.clientId, signal).catch((error: unknown) => {
      if (error instanceof ClientUnreadable) return undefined;
      throw error;
    });
    if (alone !== undefined && losesAnything(alone, listed))
      throw incomplete(
        `provider ${provider}, clients`,
        'most clients have lost something, but a client that was read alone has not',
      );
  };

  return {
    ...directory,
    async readAll(signal, isUrgent) {
      const snapshot = withoutOwnersOf(known, await directory.readAll(signal, isUrgent));
      const clients = new Map(snapshot.clients.map((client) => [client.clientId, client]));
      const unreadable = new Set(snapshot.unreadable.map(({ clientId }) => clientId));
      // Nothing is taken from a client that cannot be read, nor, with a record without an ID, from one that is missing.
      const isUnknown = ({ clientId }: OAuthClient) =>
        unreadable.has(clientId) || (unreadable.has(undefined) && !clients.has(clientId));
      const losing = [...known.values()].filter(
        (before) => !isUnknown(before) && losesAnything(before, clients.get(before.clientId)),
      );
      if (losing.length * 2 > known.size) {
        const step = Math.ceil(losing.length / SAMPLE);
        for (let at = 0; at < losing.length; at += step) {
          const before = losing[at];
          if (before !== undefined) await confirm(before, clients.get(before.clientId), signal);
        }
      }
      known = new Map([...[...known].filter(([, before]) => isUnknown(before)), ...clients]);
      return snapshot;
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
