import { isCaller } from '../model/catalog.js';
import { confirmedServices, type OAuthClient } from '../model/client.js';
import { compareText } from '../model/compare-text.js';
import { definedFields } from '../model/defined-fields.js';
import { groupBy } from '../model/group-by.js';
import type { ServiceName } from '../model/intention.js';
import { isSourceName, statedClaim } from '../plan/claim-status.js';
import { type ClientId, clientText, findClient, serviceText } from '../plan/world.js';
import type { ClaimEvidence, Guess, ProposalInput, ProposedClaim } from './proposal.js';
import type { AllowedEdge } from './read-edges.js';

type PossibleClaim = Pick<ProposedClaim, 'service' | 'client'>;

export interface Claims {
  /** Sorted by service. */
  readonly proposed: readonly ProposedClaim[];
  /** Claims that count or may count one day and explain nothing: what opens for them must be allowed too. */
  readonly doubtful: readonly PossibleClaim[];
  /** By `serviceText`: why no client is known for a service. */
  readonly unclear: ReadonlyMap<string, string>;
}

/** Finds the client of each service: the one that it claims, else the only one that names it, else the first guess. */
export function proposeClaims(
  input: Omit<ProposalInput, 'entries' | 'canWrite'>,
  edges: readonly AllowedEdge[],
): Claims {
  const { world, settings, mapping } = input;
  const proposed: ProposedClaim[] = [];
  const doubtful: PossibleClaim[] = [];
  const unclear = new Map<string, string>();
  const clients = clientsOf(world);
  const namings = clients.flatMap((client) =>
    [...new Set(confirmedServices(client))].map((name) => ({ name, client })),
  );
  const byAttribute = groupBy(namings, ({ name }) => name);
  const guessesOf = createGuesses(clients, input);
  const services = new Map((world.catalog?.services ?? []).map((each) => [serviceText(each.name), each]));
  const sources = new Map(edges.map(({ source }) => [serviceText(source), source]));
  const names = new Map([...sources, ...[...services].map(([key, { name }]) => [key, name] as const)]);
  const sorted = [...names].toSorted(([a], [b]) => compareText(a, b));
  for (const [key, serviceName] of sorted) {
    if (mapping.select?.hasPlace(serviceName) === false) continue;
    if (!isSourceName(serviceName.name)) {
      unclear.set(key, 'a service with this name cannot be the source of an intention of scopemesh');
      continue;
    }
    const known = services.get(key);
    const stated = known === undefined ? undefined : statedClaim(known, settings, mapping.providers);
    if (stated?.kind === 'several') {
      unclear.set(key, 'its instances claim different clients, or do not name the provider of the client');
      doubtful.push(...stated.clients.map((client) => ({ service: serviceName, client })));
      continue;
    }
    const candidates: readonly (readonly [ClaimEvidence, readonly ClientId[]])[] =
      stated?.kind === 'client'
        ? [['claim', [stated.client]]]
        : [
            ['attribute', (byAttribute.get(serviceName.name) ?? []).map(({ client }) => client)],
            ...guessesOf(serviceName),
          ];
    const [evidence, found] = candidates.find(([, each]) => each.length > 0) ?? ['name', []];
    const [client, ...others] = found;
    if (client === undefined) continue;
    const why =
      others.length > 0
        ? `several clients could belong to it: ${found.map(nameOf).join(', ')}`
        : faultOf(client, serviceName, { world, mapping });
    if (why !== undefined) {
      unclear.set(key, why);
      doubtful.push(...found.map((each) => ({ service: serviceName, client: each })));
      continue;
    }
    const id = { provider: client.provider, clientId: client.clientId };
    const record = findClient(world, id);
    const named = record === undefined ? [] : confirmedServices(record);
    const needsAttribute = mapping.claims === 'confirmed' && !named.includes(serviceName.name);
    const naming = byAttribute.get(serviceName.name) ?? [];
    if (evidence === 'claim' && needsAttribute && naming.length > 0) {
      const other = naming.map(({ client }) => nameOf(client)).join(', ');
      unclear.set(key, `it claims ${nameOf(client)}, but ${other} names it`);
      doubtful.push({ service: serviceName, client });
      continue;
    }
    proposed.push({
      service: serviceName,
      client: id,
      evidence: evidence === 'claim' && needsAttribute ? 'unconfirmed' : evidence,
      needsMeta: evidence !== 'claim',
      needsAttribute,
      ...definedFields({ internalId: record?.internalId }),
      named,
      isRegistered: known?.instances.some(isCaller) ?? false,
    });
  }
  doubtful.push(...existingClaims(namings, [...names.values()], { world, mapping }));
  const claims = { proposed, doubtful, unclear };
  return ofSources(mapping.claims === 'first' ? onePerClient(claims) : claims, sources);
}

type Guesses = readonly (readonly [Guess, readonly ClientId[]])[];

/** A function for the clients that a service may have, the best guess first. Some providers make the ID, and people the name. */
function createGuesses(
  clients: readonly OAuthClient[],
  { clientPattern, clientsByToken }: Pick<ProposalInput, 'clientPattern' | 'clientsByToken'>,
): (serviceName: ServiceName) => Guesses {
  const byService = (serviceOf: (text: string) => string | undefined) => {
    const pairs = clients.flatMap((client) =>
      [...new Set([client.clientId, client.name ?? ''].map(serviceOf))].map((serviceName) => ({
        client,
        serviceName,
      })),
    );
    return groupBy(pairs, ({ serviceName }) => serviceName);
  };
  const byPattern = byService((text) => clientPattern?.match(text)?.service);
  const byName = byService((text) => text);
  const of = (pairs: typeof byName, { name }: ServiceName) =>
    (pairs.get(name) ?? []).map(({ client }) => client);
  return (serviceName) => [
    ['pattern', of(byPattern, serviceName)],
    ['name', of(byName, serviceName)],
    ['token', clientsByToken.get(serviceText(serviceName)) ?? []],
  ];
}

function faultOf(
  client: ClientId,
  serviceName: ServiceName,
  { world, mapping }: Pick<ProposalInput, 'world' | 'mapping'>,
): string | undefined {
  const found = findClient(world, client);
  if (found === undefined) return `the identity provider has no client ${nameOf(client)}`;
  if (mapping.select?.hasClient(client) === false) return `its client ${nameOf(client)} is outside select`;
  if (!found.enabled) return `its client ${nameOf(client)} is disabled`;
  if (mapping.claims === 'confirmed') {
    const named = confirmedServices(found);
    // A service may claim any client, so only the client's own word counts.
    return named.length === 0 || named.includes(serviceName.name)
      ? undefined
      : `the client ${nameOf(client)} names other services and not this one`;
  }
  const record = world.claimRecords.get(clientText(client));
  if (record?.unreadableKey !== undefined)
    return `the record of the claim on its client ${nameOf(client)} cannot be read`;
  if (record !== undefined && serviceText(record.service) !== serviceText(serviceName))
    return `the service ${record.service.name} claimed its client ${nameOf(client)} first`;
  return undefined;
}

/** The claims that count as soon as their service makes them: it may be registered, or register again, at any time. */
function existingClaims(
  namings: readonly { readonly name: string; readonly client: OAuthClient }[],
  services: readonly ServiceName[],
  { world, mapping }: Pick<ProposalInput, 'world' | 'mapping'>,
): readonly PossibleClaim[] {
  if (mapping.claims === 'first')
    return [...world.claimRecords.values()]
      .filter(({ unreadableKey }) => unreadableKey === undefined)
      .map(({ service, provider, clientId }) => ({ service, client: { provider, clientId } }));
  const places = new Map(services.map((each) => [`${each.partition}/${each.namespace}`, each]));
  const usable = namings.filter(({ name }) => isSourceName(name));
  return [...places.values()]
    .filter((place) => mapping.select?.hasPlace(place) !== false)
    .flatMap(({ partition, namespace }) =>
      usable.map(({ name, client }) => ({ service: { partition, namespace, name }, client })),
    );
}

/** Only a source of an intention needs a claim. */
function ofSources(
  { proposed, doubtful, unclear }: Claims,
  sources: ReadonlyMap<string, ServiceName>,
): Claims {
  const isSource = ({ service }: ProposedClaim) => sources.has(serviceText(service));
  return {
    proposed: proposed.filter(isSource),
    doubtful: [...doubtful, ...proposed.filter((each) => !isSource(each))],
    unclear,
  };
}

/** With `claims: first` one service alone keeps a client. */
function onePerClient({ proposed, doubtful, unclear }: Claims): Claims {
  const counts = groupBy(proposed, ({ client }) => clientText(client));
  const isAlone = ({ client }: ProposedClaim) => counts.get(clientText(client))?.length === 1;
  const ambiguous = proposed.filter((claim) => !isAlone(claim));
  return {
    proposed: proposed.filter(isAlone),
    doubtful: [...doubtful, ...ambiguous],
    unclear: new Map([
      ...unclear,
      ...ambiguous.map(({ service, client }): [string, string] => [
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
