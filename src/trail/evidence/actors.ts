import { CLASSIFIED_KINDS } from '../../model/actor.js';
import type { Access } from '../../model/intention.js';
import { covers, union } from '../../plan/access.js';
import { asAccess } from '../content.js';
import type { Citation } from '../edge.js';
import type { ReviewedEdge, ReviewedObject } from './reviewed.js';

/** What the clients of one actor kind hold. */
export interface ActorSummary {
  readonly kind: (typeof CLASSIFIED_KINDS)[number];
  readonly clients: number;
  readonly edges: number;
  readonly aclObjects: number;
  readonly scopes: readonly string[];
  /** Of agents: edges to a service that no human client may call as widely. */
  readonly beyondHumans: readonly {
    readonly source: string;
    readonly destination: string;
    readonly decision: Citation;
  }[];
}

export function summariseActors(
  edges: readonly ReviewedEdge[],
  acl: readonly ReviewedObject[],
): readonly ActorSummary[] {
  const humans = new Map<string, Access | undefined>();
  for (const { client, destination, access } of edges)
    if (client?.actorKind === 'human')
      humans.set(destination, union(humans.get(destination), asAccess(access)));
  return CLASSIFIED_KINDS.map((kind) => {
    const own = edges.filter(({ client }) => client?.actorKind === kind);
    const objects = acl.filter(({ client, person }) => (person ?? client)?.actorKind === kind);
    const names = new Set(
      [...own, ...objects].flatMap(({ client }) =>
        client === undefined ? [] : `${client.provider}/${client.clientId}`,
      ),
    );
    return {
      kind,
      clients: names.size,
      edges: own.length,
      aclObjects: objects.length,
      scopes: [...new Set([...own, ...objects].flatMap(({ scopes }) => scopes))].toSorted(),
      beyondHumans:
        kind !== 'agent'
          ? []
          : own
              .filter(({ destination, access }) => !covers(humans.get(destination), asAccess(access)))
              .map(({ source, destination, decision }) => ({ source, destination, decision })),
    };
  });
}
