import { ClientUnreadable, SyncError } from '../errors.js';
import { mapBounded } from '../map-bounded.js';
import type { OAuthClient } from '../model/client.js';
import type { Logger, Metrics } from '../observe.js';
import type { Directory, DirectorySnapshot, UnreadableClient } from './directory.js';
import { someOf } from './known-entries.js';
import { incomplete } from './read-errors.js';

/** As many more if one of them still has what the list lacks. The others are unknown until a later read. */
const MOST_ASKED = 50;
const WIDTH = 4;

/** What a client that the complete read shows with less has alone. Neither if the loss is true. */
interface Alone {
  readonly clientId: string;
  /** It has something that the list lacks. */
  readonly client?: OAuthClient;
  /** Why nothing is known about it. */
  readonly why?: string;
  readonly failed?: boolean;
}

/**
 * The same directory, whose complete read does not believe a list that cannot be true. An identity provider can answer a
 * list with status 200 that lacks what still exists: clients, grants, scopes, or accounts. So if clients are gone, disabled
 * or hold less than in the last complete read, up to five of them are read alone, however few they are.
 *
 *   none has what the list lacks        all losses are true
 *   one has, and most have lost         the complete read is incomplete
 *   one has, and half or fewer have     up to 50 more are read alone. What a client has alone counts for it, the loss of one
 *                                       that is gone alone is true, and the others are unknown until a later read
 *
 * Those that had more alone in the last read are asked first.
 *
 * So somebody who controls a few clients can change them all the time and neither stop the complete read nor keep the access
 * of others. A client that the list shows as disabled is so, unless it is enabled when it is read alone. If the read of one
 * client fails, that client is unknown until the next complete read; then the list counts.
 *
 * A grant that does not name its client leaves those clients unknown that lost something, and those that the last read did
 * not show. Without a last read, as after a start, that is every client that is enabled.
 */
export function withConfirmedLosses(
  directory: Directory,
  { logger, metrics }: { readonly logger: Logger; readonly metrics: Metrics },
): Directory {
  const { provider } = directory;
  let known: ReadonlyMap<string, OAuthClient> = new Map();
  let keptBefore: ReadonlySet<string> = new Set();
  let failedBefore: ReadonlySet<string> = new Set();

  const readAlone = async (
    { clientId }: OAuthClient,
    listed: OAuthClient | undefined,
    mustAnswer: boolean,
    signal: AbortSignal,
  ): Promise<Alone> => {
    try {
      const alone = await directory.read('clientId', clientId, signal);
      return alone !== undefined && losesAnything(alone, listed) ? { clientId, client: alone } : { clientId };
    } catch (error) {
      if (error instanceof ClientUnreadable)
        // It exists. The list says what the client has, unless it lacks the client.
        return listed === undefined ? { clientId, why: error.why } : { clientId };
      if (mustAnswer || signal.aborted || !(error instanceof SyncError) || isRateLimit(error)) throw error;
      if (failedBefore.has(clientId) || isDisabled(listed)) return { clientId, failed: true };
      return {
        clientId,
        failed: true,
        why: `the list lacks what it had, and its own read failed (${error.code})`,
      };
    }
  };

  return {
    ...directory,
    async readAll(signal, isUrgent) {
      const snapshot = withoutOwnersOf(known, await directory.readAll(signal, isUrgent));
      const clients = new Map(snapshot.clients.map((client) => [client.clientId, client]));
      const unreadable = new Map(snapshot.unreadable.map((each) => [each.clientId, each]));
      // Nothing is taken from a client that cannot be read, nor, with a record without an ID, from one that is missing.
      const isUnknown = ({ clientId }: OAuthClient) =>
        unreadable.has(clientId) || (unreadable.has(undefined) && !clients.has(clientId));
      const losing = [...known.values()].filter(
        (before) => !isUnknown(before) && losesAnything(before, clients.get(before.clientId)),
      );
      const isMost = losing.length * 2 > known.size;
      const ask = (asked: readonly OAuthClient[]) =>
        mapBounded(asked, { width: WIDTH, signal }, (before, stop) =>
          readAlone(before, clients.get(before.clientId), isMost, stop),
        );

      const wasKept = ({ clientId }: OAuthClient) => keptBefore.has(clientId);
      const sample = [
        ...losing.filter(wasKept).slice(0, MOST_ASKED),
        ...someOf(losing.filter((before) => !wasKept(before))),
      ];
      let alone = await ask(sample);
      const doubtful: UnreadableClient[] = [];
      if (alone.some(({ client }) => client !== undefined)) {
        metrics.count('scopemesh_directory_short_lists_total', { provider });
        if (isMost)
          throw incomplete(
            `provider ${provider}, clients`,
            'most clients have lost something, but a client that was read alone has not',
          );
        logger.warn(
          { provider, losing: losing.length },
          'a list of the identity provider lacks what a client has when it is read alone: the client keeps it',
        );
        const others = losing.filter((before) => !sample.includes(before));
        alone = [...alone, ...(await ask(others.slice(0, MOST_ASKED)))];
        for (const { clientId } of others.slice(MOST_ASKED))
          if (!isDisabled(clients.get(clientId)))
            doubtful.push({ clientId, why: 'the list lacks what it had, and lacks what other clients have' });
      }
      for (const { clientId, client, why } of alone) {
        if (why !== undefined) doubtful.push({ clientId, why });
        if (client === undefined) continue;
        // At the end, so that the next read asks others first.
        clients.delete(clientId);
        clients.set(clientId, client);
      }
      for (const each of doubtful) {
        clients.delete(each.clientId ?? '');
        unreadable.set(each.clientId, each);
      }
      keptBefore = new Set(alone.flatMap(({ clientId, client }) => (client === undefined ? [] : clientId)));
      failedBefore = new Set(alone.flatMap(({ clientId, failed }) => (failed === true ? clientId : [])));
      known = new Map([...[...known].filter(([, before]) => isUnknown(before)), ...clients]);
      return {
        ...snapshot,
        clients: [...clients.values()],
        unreadable: [...snapshot.unreadable, ...doubtful],
      };
    },
  };
}

/** A limit is that of the provider, which ends by itself. No client alone can cause it. */
function isRateLimit({ code }: SyncError): boolean {
  return code === 'ERR_DIRECTORY_RATE_LIMITED';
}

function isDisabled(listed: OAuthClient | undefined): boolean {
  return listed !== undefined && !listed.enabled;
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
