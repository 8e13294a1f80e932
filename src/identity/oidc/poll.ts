import type { Clock } from '../../clock.js';
import type { OAuthClient } from '../../model/client.js';
import { compareText } from '../../model/compare-text.js';
import { clientKey } from '../../model/key.js';
import { digestOf } from '../digest.js';
import { membersRead } from '../effects.js';
import { KEEP_FREE, type RequestBudget } from '../request-budget.js';
import type { EventPoll, IdentityEvent } from '../source.js';
import type { DocumentDirectory, Person } from './document.js';

export interface OidcPollOptions {
  readonly directory: DocumentDirectory;
  readonly clock: Clock;
  readonly budget?: RequestBudget;
}

/** With more changed clients, one complete comparison costs less than a read of each. */
const MAX_EVENTS = 200;

/**
 * The backstop of a provider without a log of events: reads the document (an unchanged page costs a 304) and compares it
 * with the last poll. The cursor is a digest of all clients and people. After a restart only the digest is known: if it
 * differs, something unknown changed, which is a gap. A record that is missing or has less than before is only an
 * inference, so the events carry no evidence.
 */
export function createOidcPoll(options: OidcPollOptions): EventPoll {
  const { directory, clock, budget } = options;
  const { provider } = directory;
  let last:
    | { readonly cursor: string; readonly digests: ReadonlyMap<string, string>; readonly people: string }
    | undefined;

  return {
    provider,
    async poll(cursor, signal) {
      const read = () => directory.readAll(signal);
      const snapshot = await (budget === undefined ? read() : budget.bulk(read, KEEP_FREE));
      const digests = new Map([
        ...snapshot.clients.map((client) => [client.clientId, digestOfClient(client)] as const),
        // A client that becomes unreadable has changed too. One without an ID is left to the complete comparison.
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
      if (changed.length > MAX_EVENTS) return { ...nothing, gap: true };
      return {
        ...nothing,
        events: [
          ...changed.map((clientId) => toEvent(clientId, before.digests.has(clientId))),
          ...(people === before.people ? [] : [toPeopleEvent()]),
        ],
      };
    },
  };

  function toPeopleEvent(): IdentityEvent {
    const { id, cause } = causeOf('people');
    return { id, triggers: [membersRead(provider, cause)], orders: [] };
  }

  function toEvent(clientId: string, wasKnown: boolean): IdentityEvent {
    const { id, cause } = causeOf(`directory/${encodeURIComponent(clientId)}`);
    const trigger = { key: clientKey(provider, clientId), cause, ...(wasKnown ? { urgent: true } : {}) };
    return { id, triggers: [trigger], orders: [] };
  }

  /** The ID contains the time, because a client that changes back is a second event and not the first one repeated. */
  function causeOf(what: string) {
    const now = clock.now();
    const id = `${what}/${now}`;
    return { id, cause: { kind: 'poll', eventId: id, receivedAt: new Date(now).toISOString() } as const };
  }
}

function changedIds(before: ReadonlyMap<string, string>, after: ReadonlyMap<string, string>): string[] {
  const ids = new Set([...before.keys(), ...after.keys()]);
  return [...ids].filter((id) => before.get(id) !== after.get(id)).sort();
}

/** Covers everything that scopemesh reads of a client, independent of the order. */
function digestOfClient(client: OAuthClient): string {
  const { attributes, grants, grantTypes, ...rest } = client;
  return digestOf([
    Object.entries(rest).sort(byText),
    Object.entries(attributes).sort(byText),
    grants.map(({ api, name }) => [api ?? null, name]).sort(byText),
    [...grantTypes].sort(),
  ]);
}

function digestOfPeople(people: readonly Person[] | undefined): string {
  if (people === undefined) return '';
  return digestOf(
    people.map(({ subject, enabled, groups }) => [subject, enabled, [...groups].sort()]).sort(byText),
  );
}

function digestOfAll(digests: ReadonlyMap<string, string>, people: string): string {
  const clients = [...digests].sort(byText);
  return `sha256:${digestOf(people === '' ? clients : [clients, people])}`;
}

function byText(a: unknown, b: unknown): number {
  return compareText(JSON.stringify(a), JSON.stringify(b));
}
