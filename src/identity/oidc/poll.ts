import { createHash } from 'node:crypto';
import type { Clock } from '../../clock.js';
import type { OAuthClient } from '../../model/client.js';
import { clientKey, providerKey } from '../../model/key.js';
import type { EventPoll, IdentityEvent } from '../source.js';
import type { DocumentDirectory, Person } from './document.js';

export interface OidcPollOptions {
  readonly directory: DocumentDirectory;
  readonly clock: Clock;
}

/** Above this many changed clients, one complete comparison costs less than a read of each. */
const MOST_EVENTS = 200;

/**
 * The backstop of a provider that has no log of events: the document itself is read (unchanged pages cost a
 * 304) and compared with what it said last time. The cursor is the digest of all clients and people. After a restart
 * only the digest is known: if it differs, something changed that cannot be named any more, which is a gap.
 */
export function createOidcPoll(options: OidcPollOptions): EventPoll {
  const { directory, clock } = options;
  const { provider } = directory;
  let last:
    | { readonly cursor: string; readonly digests: ReadonlyMap<string, string>; readonly people: string }
    | undefined;

  return {
    provider,
    async poll(cursor, signal) {
      const snapshot = await directory.readAll(signal);
      const digests = new Map([
        ...snapshot.clients.map((client) => [client.clientId, digestOf(client)] as const),
        // Readable or not is a change as well; one that nobody can name is left to the complete comparison.
        ...snapshot.unreadable.flatMap(({ clientId, why }) =>
          clientId === undefined ? [] : [[clientId, `unreadable: ${why}`] as const],
        ),
      ]);
      const people = digestOfPeople(snapshot.people);
      const current = { cursor: digestOfAll(digests, people), digests, people };
      const before = last;
      last = current;
      const nothing = { events: [], cursor: current.cursor, gap: false };
      if (cursor === undefined || cursor === current.cursor) return nothing;
      if (before?.cursor !== cursor) return { ...nothing, gap: true };
      const changed = changedIds(before.digests, digests);
      if (changed.length > MOST_EVENTS) return { ...nothing, gap: true };
      return {
        ...nothing,
        events: [
          ...changed.map((clientId) => toEvent(clientId, before.digests.has(clientId))),
          ...(people === before.people ? [] : [toPeopleEvent()]),
        ],
      };
    },
  };

  /** Somebody's membership changed: who belongs where is read anew, and nobody is named, as below. */
  function toPeopleEvent(): IdentityEvent {
    const now = clock.now();
    const id = `people/${now}`;
    const cause = { kind: 'poll', eventId: id, receivedAt: new Date(now).toISOString() } as const;
    return {
      id,
      triggers: [{ key: providerKey(provider), cause, members: true, urgent: true }],
      orders: [],
    };
  }

  function toEvent(clientId: string, wasKnown: boolean): IdentityEvent {
    const now = clock.now();
    // With the instant, because a client that changes back is a second event and not the first one again.
    const id = `directory/${encodeURIComponent(clientId)}/${now}`;
    const cause = { kind: 'poll', eventId: id, receivedAt: new Date(now).toISOString() } as const;
    // What is merely missing or less than before is an inference, so there is no evidence.
    const trigger = { key: clientKey(provider, clientId), cause, ...(wasKnown ? { urgent: true } : {}) };
    return { id, triggers: [trigger], orders: [] };
  }
}

function changedIds(before: ReadonlyMap<string, string>, after: ReadonlyMap<string, string>): string[] {
  const ids = new Set([...before.keys(), ...after.keys()]);
  return [...ids].filter((id) => before.get(id) !== after.get(id)).sort();
}

/** Over everything that scopemesh reads of a client, whatever order it came in. */
function digestOf(client: OAuthClient): string {
  const { attributes, grants, grantTypes, ...rest } = client;
  const text = JSON.stringify([
    Object.entries(rest).sort(byText),
    Object.entries(attributes).sort(byText),
    grants.map(({ api, name }) => [api ?? null, name]).sort(byText),
    [...grantTypes].sort(),
  ]);
  return createHash('sha256').update(text).digest('base64url');
}

function digestOfPeople(people: readonly Person[] | undefined): string {
  if (people === undefined) return '';
  const text = JSON.stringify(
    people.map(({ subject, enabled, groups }) => [subject, enabled, [...groups].sort()]).sort(byText),
  );
  return createHash('sha256').update(text).digest('base64url');
}

function digestOfAll(digests: ReadonlyMap<string, string>, people: string): string {
  const clients = [...digests].sort(byText);
  const text = JSON.stringify(people === '' ? clients : [clients, people]);
  return `sha256:${createHash('sha256').update(text).digest('base64url')}`;
}

function byText(a: unknown, b: unknown): number {
  const [x, y] = [JSON.stringify(a), JSON.stringify(b)];
  return x === y ? 0 : x < y ? -1 : 1;
}
