import type { Decision, Resource } from '../model/decision.js';
import type { IntentionEntry } from '../model/intention.js';
import { plainDecision, type Stamp } from '../model/plain-decision.js';
import { classify } from '../plan/actor.js';
import { namesOf } from '../plan/grant-text.js';
import { isOfWrittenEdge, parseLastAppliedText } from '../plan/last-applied.js';
import { clientOfDescription, isOwnedHere } from '../plan/ownership.js';
import { intentionResource, intentionSubject } from '../plan/plan.js';
import type { ClientId } from '../plan/world.js';
import type { SettledDecision } from '../queue/journal.js';
import type { WorldState } from '../state/world-state.js';
import { viewOf } from './decision-drafts.js';

/** An object of scopemesh that Consul has and the decision log does not know. */
export interface FoundObject extends Pick<Decision, 'client' | 'person'> {
  readonly subject: string;
  readonly resource: Resource;
  /** As `after` of a decision shows it. */
  readonly content: unknown;
  readonly scopes: readonly string[];
}

/** Of an object that nobody changes: it says what the log begins with. */
export function foundDecision(
  { subject, resource, content, scopes, client, person }: FoundObject,
  stamp: Stamp,
): SettledDecision {
  return {
    ...plainDecision(
      {
        resource,
        verb: 'found',
        subject,
        outcome: 'observed',
        reason: 'Found',
        cause: { kind: 'resync', receivedAt: stamp.time },
        before: null,
        after: content,
      },
      stamp,
    ),
    ...(client === undefined ? {} : { client }),
    ...(person === undefined ? {} : { person }),
    scopes,
  };
}

/** The edges of an entry with a record of a write. A mark without a record proves nothing. */
export function recordedEdges(
  { destination, sources }: IntentionEntry,
  records: ReadonlyMap<string, string>,
  world: Pick<WorldState, 'mapping' | 'client'>,
): readonly FoundObject[] {
  const { namespace, partition } = destination;
  return sources.flatMap((source): readonly FoundObject[] => {
    const subject = intentionSubject(destination, source.name);
    const text = records.get(subject);
    if (!isOfWrittenEdge(text) || !isOwnedHere(world.mapping, source)) return [];
    // A subject does not name the namespace of its source.
    if (source.namespace !== namespace || source.partition !== partition) return [];
    const written = parseLastAppliedText(text);
    if (written === undefined || written.digest === 'uncertain') return [];
    const client = clientOfDescription(source.description);
    return [
      {
        subject,
        resource: intentionResource(destination, source.name),
        content: viewOf(source.access),
        scopes: namesOf(written.grants),
        ...(client === undefined ? {} : { client: foundClient(client, world) }),
      },
    ];
  });
}

/** At a start no directory was read yet, and the kind is unknown. */
export function foundClient(
  { provider, clientId }: ClientId,
  world: Pick<WorldState, 'mapping' | 'client'>,
): NonNullable<Decision['client']> {
  const known = world.client({ provider, clientId });
  const actorKind = known === undefined ? 'unknown' : classify(known, world.mapping);
  return { provider, clientId, actorKind };
}
