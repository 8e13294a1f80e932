import { createHash } from 'node:crypto';
import { providerKey } from '../../model/key.js';
import type { IdentityEvent } from '../source.js';
import type { Change, PeopleCollection, Round } from './delta.js';

/** So that no trigger grows without end; those of one key are worked off together. */
const MOST_NAMED = 500;

/**
 * One event for a whole round of changes of users or groups: whoever belongs to the mapped groups is read anew. Graph
 * itself said whose account ended and who left which group, so that is evidence.
 */
export function toPeopleEvents(
  collection: PeopleCollection,
  round: Round,
  context: { readonly provider: string; readonly link: string | undefined; readonly receivedAt: string },
): readonly IdentityEvent[] {
  const { provider, link, receivedAt } = context;
  const changes = round.changes.filter((change) => concerns(collection, change));
  // A round that begins tells nothing of what came before it.
  if (changes.length === 0 && link !== undefined && !round.gap) return [];
  const parts = Array.from({ length: Math.max(Math.ceil(changes.length / MOST_NAMED), 1) }, (_, at) =>
    changes.slice(at * MOST_NAMED, (at + 1) * MOST_NAMED),
  );
  return parts.map((part) => {
    const digest = createHash('sha256')
      .update(JSON.stringify([link ?? receivedAt, part]))
      .digest('base64url');
    const id = `delta/${collection}/${digest}`;
    const cause = { kind: 'poll', eventId: id, receivedAt } as const;
    const groups = collection === 'groups' ? part.map((change) => change.id) : [];
    const people = part.flatMap(lostPeople);
    const named = {
      ...(groups.length === 0 ? {} : { groups }),
      ...(people.length === 0 ? {} : { people }),
    };
    const evidence = groups.length + people.length === 0 ? {} : { evidence: [{ provider, ...named }] };
    const trigger = { key: providerKey(provider), cause, urgent: true, members: true, ...evidence };
    return { id, triggers: [trigger], orders: [] };
  });
}

/** Groups change their names too. */
function concerns(collection: PeopleCollection, change: Change): boolean {
  return collection === 'users' || change['@removed'] !== undefined || change['members@delta'] != null;
}

function lostPeople(change: Change): readonly string[] {
  const left = (change['members@delta'] ?? []).filter((member) => member['@removed'] !== undefined);
  const ended = change['@removed'] !== undefined || change.accountEnabled === false;
  return [...left.map(({ id }) => id), ...(ended ? [change.id] : [])];
}
