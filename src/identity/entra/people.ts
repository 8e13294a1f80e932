import { digestOf } from '../digest.js';
import { membersRead, sessionOrder } from '../effects.js';
import type { IdentityEvent } from '../source.js';
import { chunks } from './changes.js';
import type { DeltaChange, DeltaRound, PeopleCollection } from './delta.js';

/** People and groups that one trigger names. Triggers of one key are processed together. */
const MAX_NAMED = 500;

/**
 * One event for a round of changes of users or groups: the members of the mapped groups are read again. Graph itself says
 * whose account ended and who left which group, so that is evidence, and whose sessions an administrator ended, which is an
 * order.
 */
export function toPeopleEvents(
  collection: PeopleCollection,
  round: DeltaRound,
  context: { readonly provider: string; readonly link: string | undefined; readonly receivedAt: string },
): readonly IdentityEvent[] {
  const { provider, link, receivedAt } = context;
  const changes = round.changes.filter((change) => isRelevant(collection, change));
  // A first round says nothing about the changes before it, so it always leads to a read.
  if (changes.length === 0 && link !== undefined && !round.gap) return [];
  const parts = changes.length === 0 ? [[]] : chunks(changes, MAX_NAMED);
  return parts.map((part) => {
    const id = `delta/${collection}/${digestOf([link ?? receivedAt, part])}`;
    const cause = { kind: 'poll', eventId: id, receivedAt } as const;
    const groups = collection === 'groups' ? part.map((change) => change.id) : [];
    const people = part.flatMap(lostPeople);
    const named = {
      ...(groups.length === 0 ? {} : { groups }),
      ...(people.length === 0 ? {} : { people }),
    };
    const evidence = groups.length + people.length === 0 ? [] : [{ provider, ...named }];
    const orders = part.flatMap((change) => {
      const at = sessionsEndedAt(change, receivedAt);
      return at === undefined ? [] : [sessionOrder(provider, change.id, at, cause)];
    });
    return { id, triggers: [membersRead(provider, cause, { evidence })], orders };
  });
}

/** A group that only changes its name does not matter. */
function isRelevant(collection: PeopleCollection, change: DeltaChange): boolean {
  return collection === 'users' || change['@removed'] !== undefined || change['members@delta'] != null;
}

/** A login to Consul lasts for a day at most, so an earlier instant ends nothing. */
const LONGEST_LOGIN_MS = 25 * 3600_000;

/**
 * What was issued to the person before this instant is invalid: revokeSignInSessions sets it
 * (https://learn.microsoft.com/graph/api/resources/user, https://learn.microsoft.com/graph/api/user-revokesigninsessions). A
 * change of anything else shows the same instant again, which ends nothing more.
 */
function sessionsEndedAt(change: DeltaChange, receivedAt: string): string | undefined {
  const instant = Date.parse(change.signInSessionsValidFromDateTime ?? '');
  const latest = Date.parse(receivedAt);
  if (Number.isNaN(instant) || latest - instant > LONGEST_LOGIN_MS) return undefined;
  // Graph states whole seconds. A later time would end what is not issued yet.
  return new Date(Math.min(instant + 999, latest)).toISOString();
}

function lostPeople(change: DeltaChange): readonly string[] {
  const left = (change['members@delta'] ?? []).filter((member) => member['@removed'] !== undefined);
  const ended = change['@removed'] !== undefined || change.accountEnabled === false;
  return [...left.map(({ id }) => id), ...(ended ? [change.id] : [])];
}
