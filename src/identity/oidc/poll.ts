import type { Clock } from '../../clock.js';
import { ClientUnreadable } from '../../errors.js';
import { clientKey } from '../../model/key.js';
import { digestOf } from '../digest.js';
import { membersRead } from '../effects.js';
import { KEEP_FREE, type RequestBudget } from '../request-budget.js';
import type { EventPoll, IdentityEvent } from '../source.js';
import { digestOfClient, digestsOf, inTextOrder, isUnreadable, unreadableDigest } from './client-digest.js';
import type { DocumentDirectory, Person } from './document.js';

interface OidcPollOptions {
  readonly directory: DocumentDirectory;
  readonly clock: Clock;
  readonly budget?: RequestBudget;
}

/** With more changed clients, one complete comparison costs less than a read of each. */
const MAX_EVENTS = 200;
/** Not in a digest. */
const MARK = '/';
/** Of a client that does not exist. */
const NONE = '';

/**
 * The backstop of a provider without a log of events: reads the document (an unchanged page costs a 304) and compares it
 * with what scopemesh last read of each client, here, in another complete read, or alone. So a document that stays behind a
 * single read is noticed too: either may be wrong, and a later change may be in neither. A record that is missing or has
 * less than before is only inferred, so the events carry no evidence.
 *
 * The cursor is a digest of all clients and people. After a restart only the digest is known: if it differs, something
 * unknown changed, which is a gap. The cursor has the number of polls with events too: if such events are not stored, there
 * is a gap.
 */
export function createOidcPoll({ directory, clock, budget }: OidcPollOptions) {
  const { provider } = directory;
  let last: { readonly cursor: string; readonly people: string } | undefined;
  let count = 0;
  /** What was last read, as digests. Undefined in a process that does not poll. */
  let known: Map<string, string> | undefined;

  const poll: EventPoll = {
    provider,
    async poll(cursor, signal) {
      const read = () => directory.readAll(signal);
      const snapshot = await (budget === undefined ? read() : budget.bulk(read, KEEP_FREE));
      const digests = digestsOf(snapshot);
      const people = digestOfPeople(snapshot.people);
      const digest = digestOfAll(digests, people);
      const before = last;
      const lastRead = known ?? digests;
      const changed = differing(lastRead, digests);
      const havePeopleChanged = before !== undefined && before.people !== people;
      if (changed.length > 0 || havePeopleChanged) count++;
      last = { cursor: count === 0 ? digest : `${digest}${MARK}${count}`, people };
      known = new Map(digests);
      const nothing = { events: [], cursor: last.cursor, gap: false };
      if (cursor === undefined) return nothing;
      // Another process counted before a restart.
      const isLast = before === undefined ? cursor.split(MARK)[0] === digest : cursor === before.cursor;
      if (!isLast || changed.length > MAX_EVENTS) return { ...nothing, gap: true };
      // What was known may be lost, and a loss must not wait behind grants.
      const events = changed.map((clientId) => toEvent(clientId, lastRead.has(clientId)));
      return { ...nothing, events: havePeopleChanged ? [...events, toPeopleEvent()] : events };
    },
  };

  const noting: DocumentDirectory = {
    ...directory,
    async readAll(signal) {
      const snapshot = await directory.readAll(signal);
      if (known !== undefined)
        known = new Map([...[...known.keys()].map((id) => [id, NONE] as const), ...digestsOf(snapshot)]);
      return snapshot;
    },
    async read(by, value, signal, proof) {
      try {
        const client = await directory.read(by, value, signal, proof);
        known?.set(value, client === undefined ? NONE : digestOfClient(client));
        return client;
      } catch (error) {
        if (error instanceof ClientUnreadable) known?.set(value, unreadableDigest(error));
        throw error;
      }
    },
  };

  /** `directory`: the same directory, which notes what it reads. */
  return { directory: noting, poll };

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

function differing(before: ReadonlyMap<string, string>, after: ReadonlyMap<string, string>): string[] {
  const ids = new Set([...before.keys(), ...after.keys()]);
  return [...ids].filter((id) => !isSame(before.get(id) ?? NONE, after.get(id) ?? NONE)).sort();
}

/** The reason why a record cannot be parsed names its place, which differs between a list and a single read. */
function isSame(a: string, b: string): boolean {
  return a === b || (isUnreadable(a) && isUnreadable(b));
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
