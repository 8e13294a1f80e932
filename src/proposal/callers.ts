import type { OAuthClient } from '../model/client.js';
import type { Access, ServiceName } from '../model/intention.js';
import { covers } from '../plan/access.js';
import { createOpener } from '../plan/openings.js';
import { findClient, serviceText } from '../plan/world.js';
import type { ProposalInput } from './proposal.js';
import { type Claims, nameOf } from './propose-claims.js';
import type { AllowedEdge } from './read-edges.js';

/** A service and the client that it has, or may get. */
export interface Claimant {
  readonly service: ServiceName;
  readonly client: OAuthClient;
}

/** What each service may call now, by exact intentions. */
export interface Callers {
  /** By the name of the destination, then by `serviceText` of the source. A destination is in the place of its source. */
  readonly actual: ReadonlyMap<string, ReadonlyMap<string, Access>>;
  /** Every service that gains by a rule that matches a scope of its client. */
  readonly holding: readonly Claimant[];
}

export function toCallers(
  edges: readonly AllowedEdge[],
  { proposed, doubtful }: Claims,
  { world }: Pick<ProposalInput, 'world'>,
): Callers {
  const holding = [...proposed, ...doubtful].flatMap(({ service, client: id }) => {
    const client = findClient(world, id);
    return client === undefined ? [] : { service, client };
  });
  return { actual: actualOf(edges), holding };
}

export function actualAt(
  { actual }: Pick<Callers, 'actual'>,
  serviceName: string,
  destination: string,
): Access | undefined {
  return actual.get(destination)?.get(serviceName);
}

function actualOf(edges: readonly AllowedEdge[]): Callers['actual'] {
  const actual = new Map<string, Map<string, Access>>();
  for (const { source, destination, access } of edges) {
    const name = destination.name.toLowerCase();
    const callers = actual.get(name) ?? new Map<string, Access>();
    actual.set(name, callers.set(serviceText(source), access));
  }
  return actual;
}

/** Without the claims that would open more than Consul allows now, by rules that the mapping has already. */
export function withoutWiderClaims(
  claims: Claims,
  edges: readonly AllowedEdge[],
  { world, mapping }: Pick<ProposalInput, 'world' | 'mapping'>,
): Claims {
  const actual = actualOf(edges);
  const open = createOpener(mapping);
  const isWider = ({ service, client, needsMeta, needsAttribute }: Claims['proposed'][number]) => {
    const found = findClient(world, client);
    if (found === undefined || !(needsMeta || needsAttribute)) return false;
    return open(found).openings.some(
      ({ destination, access }) => !covers(actualAt({ actual }, serviceText(service), destination), access),
    );
  };
  const wider = claims.proposed.filter(isWider);
  return {
    proposed: claims.proposed.filter((claim) => !wider.includes(claim)),
    doubtful: [...claims.doubtful, ...wider],
    unclear: new Map([
      ...claims.unclear,
      ...wider.map(({ service, client }): [string, string] => [
        serviceText(service),
        `with its client ${nameOf(client)} the rules of the configuration would open more than Consul allows now`,
      ]),
    ]),
  };
}
