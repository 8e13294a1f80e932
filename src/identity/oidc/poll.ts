import type { Clock } from '../../clock.js';
import { clientKey } from '../../model/key.js';
import { digestOf } from '../digest.js';
import { membersRead } from '../effects.js';
import { KEEP_FREE, type RequestBudget } from '../request-budget.js';
import type { EventPoll, IdentityEvent } from '../source.js';
import { digestsOf, inTextOrder } from './client-digest.js';
import type { DocumentDirectory, Person } from './document.js';
import type { LastReads } from './last-reads.js';

interface OidcPollOptions {
  readonly directory: DocumentDirectory;
  /** Notes every other read of the same directory. */
  readonly lastReads: Pick<LastReads, 'differFrom'>;
  readonly clock: Clock;
  readonly budget?: RequestBudget;
}

/** With more changed clients, one complete comparison costs less than a read of each. */
const MAX_EVENTS = 200;
/** Not in a digest. */
const MARK = '/';

/**
 * The backstop of a provider without a log of events: reads the document (an unchanged page costs a 304) and compares it
 * with the last poll. The cursor is a digest of all clients and people. After a restart only the digest is known: if it
 * differs, something unknown changed, which is a gap. A client is named too, in each poll, while its last read shows other
 * than the document: either may be wrong, and a later change may be in neither. A record that is missing or has less than
 * before is only inferred, so the events carry no evidence.
 */
export function createOidcPoll(options: OidcPollOptions): EventPoll {
  const { directory, lastReads, clock, budget } = options;
  const { provider } = directory;
  let last:
    | { readonly cursor: string; readonly digests: ReadonlyMap<string, string>; readonly people: string }
    | undefined;
  /**
   * How often this process named what a complete read showed. It is part of the cursor: if such events are not stored, there is
   * a gap.
   */
  let named = 0;

  return {
    provider,
    async poll(cursor, signal) {
      const read = () => directory.readAll(signal);
      const snapshot = await (budget === undefined ? read() : budget.bulk(read, KEEP_FREE));
      const digests = digestsOf(snapshot);
      const people = digestOfPeople(snapshot.people);
      const digest = digestOfAll(digests, people);
      const differing = lastReads.differFrom(digests);
      if (differing.complete.length > 0) named++;
      const current = { cursor: named === 0 ? digest : `${digest}${MARK}${named}`, digests, people };
      const before = last;
      last = current;
      const nothing = { events: [], cursor: current.cursor, gap: false };
      if (cursor === undefined) return nothing;
      // Another process counted before a restart.
      const isSame = before === undefined ? cursor.split(MARK)[0] === digest : cursor === current.cursor;
      if (!isSame && before?.cursor !== cursor) return { ...nothing, gap: true };
      const listed = isSame || before === undefined ? [] : changedIds(before.digests, digests);
      const changed = [...new Set([...listed, ...differing.complete])].sort();
      if (changed.length > MAX_EVENTS) return { ...nothing, gap: true };
      const ids = [...new Set([...changed, ...differing.alone])].slice(0, MAX_EVENTS);
      // What was known may be lost, and a loss must not wait behind grants.
      const known = new Set([...(before?.digests.keys() ?? []), ...differing.alone]);
      return {
        ...nothing,
        events: [
          ...ids.map((clientId) => toEvent(clientId, known.has(clientId))),
          ...(isSame || people === before?.people ? [] : [toPeopleEvent()]),
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

function digestOfPeople(people: readonly Person[] | undefined): string {
  if (people === undefined) return '';
  return digestOf(
    inTextOrder(people.map(({ subject, enabled, groups }) => [subject, enabled, [...groups].sort()])),
  );
}

function digestOfAll(digests: ReadonlyMap<string, string>, people: string): string {
  const clients = inTextOrder(digests);
  return `sha256:${digestOf(people === '' ? clients : [clients, people])}`;
}
