import { isCaller } from '../../model/catalog.js';
import { confirmedServices, type OAuthClient } from '../../model/client.js';
import type { ServiceName } from '../../model/intention.js';
import { isSourceName, statedClaim } from '../claims.js';
import { compareText } from '../compare.js';
import { type ClientId, clientText, findClient, isUnreadable, serviceText } from '../world.js';
import { groupBy } from './group-by.js';
import type { ClaimEvidence, ProposalInput, ProposedClaim } from './proposal.js';
import type { AllowedEdge } from './read-edges.js';

export interface Claims {
  /** Sorted by service. */
  readonly proposed: readonly ProposedClaim[];
  /** Claims that may count one day and explain nothing: what opens for them must be allowed too. */
  readonly doubtful: readonly Pick<ProposedClaim, 'service' | 'client'>[];
  /** By `serviceText`: why no client is known for a service. */
  readonly unclear: ReadonlyMap<string, string>;
}

/** Finds the client of each service: the one that it claims, else the only one that names it, else the one of its name. */
export function proposeClaims(
  { world, settings, mapping }: Pick<ProposalInput, 'world' | 'settings' | 'mapping'>,
  edges: readonly AllowedEdge[],
): Claims {
  const proposed: ProposedClaim[] = [];
  const doubtful: Pick<ProposedClaim, 'service' | 'client'>[] = [];
  const unclear = new Map<string, string>();
  const clients = clientsOf(world);
  const naming = clients.flatMap((client) =>
    [...new Set(confirmedServices(client))].map((name) => ({ name, client })),
  );
  const byAttribute = groupBy(naming, ({ name }) => name);
  const byName = groupBy(clients, ({ clientId }) => clientId);
  const services = new Map((world.catalog?.services ?? []).map((each) => [serviceText(each.name), each]));
  const names = new Map(
    [...edges.map(({ source }) => source), ...[...services.values()].map(({ name }) => name)].map((name) => [
      serviceText(name),
      name,
    ]),
  );
  const sorted = [...names].toSorted(([a], [b]) => compareText(a, b));
  for (const [key, service] of sorted) {
    if (mapping.select?.hasPlace(service) === false) continue;
    const known = services.get(key);
    const stated = known === undefined ? undefined : statedClaim(known, settings, mapping.providers);
    const candidates: readonly [ClaimEvidence, readonly ClientId[]][] =
      stated?.kind === 'client'
        ? [['claim', [stated.client]]]
        : [
            ['attribute', (byAttribute.get(service.name) ?? []).map(({ client }) => client)],
            ['name', byName.get(service.name) ?? []],
          ];
    const [evidence, found] = candidates.find(([, each]) => each.length > 0) ?? ['name', []];
    const [client, ...others] = found;
    const why = !isSourceName(service.name)
      ? 'a service with this name cannot be the source of an intention of scopemesh'
      : stated?.kind === 'several'
        ? 'its instances claim different clients, or do not name the provider of the client'
        : client !== undefined && others.length > 0
          ? `several clients could be its own: ${found.map(nameOf).join(', ')}`
          : client === undefined
            ? undefined
            : faultOf(client, service, { world, mapping });
    if (why !== undefined) {
      unclear.set(key, why);
      if (client !== undefined && others.length === 0) doubtful.push({ service, client });
    } else if (client !== undefined) {
      const id = { provider: client.provider, clientId: client.clientId };
      const named = confirmedServices(findClient(world, id) ?? NO_ATTRIBUTES);
      proposed.push({
        service,
        client: id,
        evidence,
        needsMeta: evidence !== 'claim',
        needsAttribute: mapping.claims === 'confirmed' && !named.includes(service.name),
        named,
        isRegistered: known?.instances.some(isCaller) ?? false,
      });
    }
  }
  return mapping.claims === 'first'
    ? onePerClient({ proposed, doubtful, unclear })
    : { proposed, doubtful, unclear };
}

function faultOf(
  client: ClientId,
  service: ServiceName,
  { world, mapping }: Pick<ProposalInput, 'world' | 'mapping'>,
): string | undefined {
  if (isUnreadable(world, client)) return `the record of its client ${nameOf(client)} cannot be read`;
  const found = findClient(world, client);
  if (found === undefined) return `the identity provider has no client ${nameOf(client)}`;
  if (mapping.select?.hasClient(client) === false) return `its client ${nameOf(client)} is outside select`;
  if (!found.enabled) return `its client ${nameOf(client)} is disabled`;
  const record = mapping.claims === 'first' ? world.claimRecords.get(clientText(client)) : undefined;
  if (record !== undefined && serviceText(record.service) !== serviceText(service))
    return `the service ${record.service.name} claimed its client ${nameOf(client)} first`;
  return undefined;
}

const NO_ATTRIBUTES = { attributes: {} };

/** With `claims: first` one service alone keeps a client. */
function onePerClient({ proposed, doubtful, unclear }: Claims): Claims {
  const counts = groupBy(proposed, ({ client }) => clientText(client));
  const isAlone = ({ client }: ProposedClaim) => counts.get(clientText(client))?.length === 1;
  const shared = proposed.filter((claim) => !isAlone(claim));
  return {
    proposed: proposed.filter(isAlone),
    doubtful: [...doubtful, ...shared],
    unclear: new Map([
      ...unclear,
      ...shared.map(({ service, client }): [string, string] => [
        serviceText(service),
        `several services could claim its client ${nameOf(client)}, and with claims: first one of them gets it`,
      ]),
    ]),
  };
}

/** Of all directories, sorted. */
export function clientsOf({
  directories,
}: Pick<ProposalInput['world'], 'directories'>): readonly OAuthClient[] {
  const clients = [...directories.values()].flatMap((directory) => [...directory.values()]);
  return clients.toSorted((a, b) => compareText(clientText(a), clientText(b)));
}

export function nameOf({ provider, clientId }: Pick<OAuthClient, 'provider' | 'clientId'>): string {
  return `${provider}/${clientId}`;
}
