import { type CatalogService, isCaller, type ServiceInstance } from '../model/catalog.js';
import { confirmedServices } from '../model/client.js';
import { compareText } from '../model/compare-text.js';
import type { ServiceName } from '../model/intention.js';
import type { Mapping } from '../model/rule.js';
import {
  type ClaimSettings,
  type ClientId,
  clientText,
  findClient,
  isUnreadable,
  mayOnlyLose,
  serviceText,
  type World,
} from './world.js';

/**
 * The status of a service's claim.
 *
 * | instances claim | confirmed / recorded | status |
 * |---|---|---|
 * | one client | yes | `claimed` |
 * | one client | no | `refused` (ClaimUnconfirmed, ClaimTaken) |
 * | one client | not recorded yet (`first`) | `unrecorded`: may lose, not gain |
 * | one client | its directory, or the catalog, was never read completely | `unknown`: keep the access |
 * | one client | the same, but the client was read alone | as if it were read: may lose, not gain |
 * | one client | its record at the identity provider cannot be parsed | `unknown`: keep the access |
 * | one client | the record of the claim cannot be parsed (`first`) | `unrecorded`: may lose, not gain |
 * | one client | its provider is not (or no longer) configured | `refused` (ClaimUnconfirmed) |
 * | nothing | | `none` |
 * | different clients, or one cannot be read | the old claim is still valid | `claimed`, but `addNothing` |
 * | (no instance left) | within the grace | `claimed` as before |
 * | (no instance left) | after the grace | `none`, `vanished` |
 * | a client outside `select` (not `unknown`), or in a place outside it | | `none`, `isOutside` |
 */
export type ClaimStatus =
  | {
      readonly kind: 'claimed';
      readonly service: ServiceName;
      readonly client: ClientId;
      readonly addNothing: boolean;
    }
  | {
      readonly kind: 'refused';
      readonly service: ServiceName;
      readonly client: ClientId;
      readonly reason: 'ClaimTaken' | 'ClaimAmbiguous' | 'ClaimUnconfirmed' | 'InvalidServiceName';
      readonly detail: string;
    }
  | {
      readonly kind: 'unrecorded';
      readonly service: ServiceName;
      readonly client: ClientId;
      /** The instances disagree, so the claim must not be recorded now. */
      readonly addNothing: boolean;
      /** The client was read alone, so the claim must not be recorded now: a complete read makes this another status. */
      readonly isAlone?: true;
      /** Of the record in KV, if there is one that cannot be read. */
      readonly unreadableKey?: string;
    }
  | { readonly kind: 'unknown'; readonly service: ServiceName; readonly client: ClientId }
  | {
      readonly kind: 'none';
      readonly service: ServiceName;
      readonly vanished: boolean;
      /** The claim or the place of the service is outside `select`. */
      readonly isOutside?: true;
    };

/** Names that may be a source of an intention: not `*`, and nothing that Consul could interpret differently. */
const SOURCE_NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/;

export function isSourceName(name: string): boolean {
  return SOURCE_NAME.test(name);
}

const NO_SUCH_CLIENT =
  'the identity provider has no such client; correct the claim in Consul, or create the client';

export type StatedClaim =
  | { readonly kind: 'client'; readonly client: ClientId }
  | { readonly kind: 'several'; readonly clients: readonly ClientId[] }
  | { readonly kind: 'nothing' | 'vacant' };

/**
 * What the instances of one service claim, before validation: one client, nothing, or several clients. An instance that cannot
 * be read may claim any. A gateway that claims
 * nothing does not count beside a service's own instances.
 */
export function statedClaim(
  catalogService: CatalogService,
  settings: ClaimSettings,
  providers: readonly string[],
): StatedClaim {
  const instances = catalogService.instances.filter(isCaller);
  if (instances.length === 0) return { kind: 'vacant' };
  const isOrdinary = instances.some(({ kind }) => kind === '');
  const claims = instances.flatMap((instance) => {
    const claim = claimsOfInstance(instance, settings, providers);
    return isOrdinary && instance.kind !== '' && claim.clients.length === 0 ? [] : claim;
  });
  const different = new Map(
    claims.flatMap(({ clients }) => clients.map((client) => [clientText(client), client] as const)),
  );
  const clients = [...different].toSorted(([a], [b]) => compareText(a, b)).map(([, client]) => client);
  const [first] = clients;
  if (instances.some(({ unreadableBytes }) => unreadableBytes !== undefined))
    return { kind: 'several', clients };
  if (first === undefined) return { kind: 'nothing' };
  const isOne =
    different.size === 1 && claims.every(({ clients, isClear }) => isClear && clients.length === 1);
  return isOne ? { kind: 'client', client: first } : { kind: 'several', clients };
}

/** The claim status of one service. `service` is undefined if a complete catalog does not contain it. */
export function claimStatusOf(
  name: ServiceName,
  catalogService: CatalogService | undefined,
  world: World,
  mapping: Mapping,
  settings: ClaimSettings,
): ClaimStatus {
  const { select } = mapping;
  const claimStatus = evaluate(name, catalogService, world, mapping, settings);
  if (select === undefined || claimStatus.kind === 'none') return claimStatus;
  // An opening stays in its place, so nothing there can be a source here.
  const isOutside =
    !select.hasPlace(name) || (claimStatus.kind !== 'unknown' && !select.hasClient(claimStatus.client));
  if (!isOutside) return claimStatus;
  const isVacant = catalogService?.instances.some(isCaller) !== true;
  return { kind: 'none', service: name, vanished: isVacant, isOutside: true };
}

function evaluate(
  name: ServiceName,
  catalogService: CatalogService | undefined,
  world: World,
  mapping: Mapping,
  settings: ClaimSettings,
): ClaimStatus {
  const { providers } = mapping;
  const remembered = world.remembered.get(serviceText(name));
  const stated =
    catalogService === undefined
      ? ({ kind: 'vacant' } as const)
      : statedClaim(catalogService, settings, providers);
  switch (stated.kind) {
    case 'client':
      return statusOfClaim(name, stated.client, false, world, mapping);
    case 'nothing':
      return { kind: 'none', service: name, vanished: false };
    case 'several':
      if (remembered !== undefined) return statusOfClaim(name, remembered, true, world, mapping);
      if (isElsewhere(stated.clients, providers))
        return statusOfClaim(name, stated.clients[0], false, world, mapping);
      return {
        kind: 'refused',
        service: name,
        client: stated.clients[0] ?? { provider: providers[0] ?? '', clientId: '' },
        reason: 'ClaimAmbiguous',
        detail:
          'instances of this service claim different clients, or do not name the provider of the client, or are too large to be read; make all instances claim the same client',
      };
    case 'vacant':
      if (remembered !== undefined && world.now - remembered.lastSeenAt < settings.claimGraceMs) {
        return statusOfClaim(name, remembered, false, world, mapping);
      }
      return { kind: 'none', service: name, vanished: true };
  }
}

/** Whether the instances agree on one client, of a provider that is not configured. */
function isElsewhere(
  clients: readonly ClientId[],
  providers: readonly string[],
): clients is readonly [ClientId] {
  const [first, ...others] = clients;
  return first !== undefined && others.length === 0 && !providers.includes(first.provider);
}

function statusOfClaim(
  serviceName: ServiceName,
  claim: ClientId,
  addNothing: boolean,
  world: World,
  mapping: Mapping,
): ClaimStatus {
  const client: ClientId = { provider: claim.provider, clientId: claim.clientId };
  const refuse = (
    reason: 'ClaimTaken' | 'ClaimUnconfirmed' | 'InvalidServiceName',
    detail: string,
  ): ClaimStatus => ({
    kind: 'refused',
    service: serviceName,
    client,
    reason,
    detail,
  });
  if (!isSourceName(serviceName.name)) {
    return refuse(
      'InvalidServiceName',
      'a service with this name cannot be the source of an intention; rename the service',
    );
  }
  if (!mapping.providers.includes(client.provider)) {
    return refuse(
      'ClaimUnconfirmed',
      'no identity provider with this name is configured; correct the claim in Consul, or configure the provider',
    );
  }
  const isAlone = mayOnlyLose(world, client);
  const isRead = world.directories.has(client.provider) || isAlone;
  if (!isRead || isUnreadable(world, client)) return { kind: 'unknown', service: serviceName, client };
  const found = findClient(world, client);
  switch (mapping.claims) {
    case 'confirmed': {
      if (found !== undefined && confirmedServices(found).includes(serviceName.name))
        return { kind: 'claimed', service: serviceName, client, addNothing };
      return refuse(
        'ClaimUnconfirmed',
        found === undefined
          ? NO_SUCH_CLIENT
          : "the client does not name this service; add the service to the client's attribute consul-services",
      );
    }
    case 'first': {
      const record = world.claimRecords.get(clientText(client));
      // The record says nothing about the client, whose losses count.
      if (record?.unreadableKey !== undefined) {
        const { unreadableKey } = record;
        return { kind: 'unrecorded', service: serviceName, client, addNothing: false, unreadableKey };
      }
      if (record !== undefined && serviceText(record.service) === serviceText(serviceName))
        return { kind: 'claimed', service: serviceName, client, addNothing };
      if (record === undefined && found === undefined) return refuse('ClaimUnconfirmed', NO_SUCH_CLIENT);
      if (record === undefined)
        return {
          kind: 'unrecorded',
          service: serviceName,
          client,
          addNothing,
          ...(isAlone ? { isAlone } : {}),
        };
      return refuse(
        'ClaimTaken',
        `the service ${record.service.name} claimed this client first; give this service its own client`,
      );
    }
  }
}

/** `isClear` is false if the provider of the client is ambiguous. */
function claimsOfInstance(
  instance: ServiceInstance,
  settings: ClaimSettings,
  providers: readonly string[],
): { readonly clients: readonly ClientId[]; readonly isClear: boolean } {
  const named = new Set<string>();
  const meta = Object.hasOwn(instance.meta, settings.clientMeta)
    ? instance.meta[settings.clientMeta]
    : undefined;
  if (meta !== undefined && meta !== '') named.add(meta);
  for (const tag of instance.tags)
    if (tag.startsWith(settings.clientTag)) named.add(tag.slice(settings.clientTag.length));
  named.delete('');
  const stated = Object.hasOwn(instance.meta, 'oauth-provider')
    ? instance.meta['oauth-provider']
    : instance.tags.find((tag) => tag.startsWith('oauth-provider='))?.slice('oauth-provider='.length);
  const only = providers.length === 1 ? providers[0] : undefined;
  const provider = stated ?? only;
  return {
    clients: [...named].map((clientId) => ({ provider: provider ?? providers[0] ?? '', clientId })),
    isClear: provider !== undefined && providers.includes(provider),
  };
}
