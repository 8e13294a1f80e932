import { type FirstLogin, firstLogins, givesFirstLogins } from '../acl/plan/first-logins.js';
import {
  type Catalog,
  type CatalogService,
  type ClaimRecord,
  isCaller,
  type ServiceInstance,
} from '../model/catalog.js';
import { confirmedServices, type OAuthClient } from '../model/client.js';
import type { Mapping } from '../model/rule.js';
import type { Selection } from '../model/selection.js';
import { type ClaimStatus, claimStatusOf, statedClaim } from '../plan/claim-status.js';
import { ownService } from '../plan/own-service.js';
import {
  type ClaimSettings,
  type ClientBlock,
  type ClientId,
  clientText,
  parseServiceText,
  serviceText,
  type World,
} from '../plan/world.js';
import { ClaimMemory, type FormerClaim } from './claim-memory.js';
import { ClaimStatuses } from './claim-statuses.js';
import type { Directories } from './directories.js';
import { NamedServices } from './named-services.js';
import { ReadOrder } from './read-order.js';
import type { ClaimStatusChange } from './touched.js';

type KnownDirectories = Pick<
  Directories,
  'complete' | 'unreadable' | 'unnamed' | 'readAlone' | 'unreadableOf'
>;

/**
 * The claims on clients and their statuses. Each update returns the services whose status may change, by `serviceText`;
 * only these are evaluated again.
 */
export class Claims {
  readonly claimStatuses = new ClaimStatuses();
  readonly #named = new NamedServices();
  readonly #memory: ClaimMemory;
  readonly #settings: ClaimSettings;
  readonly #directories: KnownDirectories;
  readonly #clientBlocks: ReadonlyMap<string, ClientBlock>;
  #mapping: Mapping;
  #catalog: Catalog | undefined;
  #selected: Catalog | undefined;
  #services: ReadonlyMap<string, CatalogService> = new Map();
  /** Names of all services in the catalog, also if no instance of one could be read. */
  #registered: ReadonlySet<string> = new Set();
  #recordList: readonly ClaimRecord[] | undefined = [];
  readonly #records = new Map<string, ClaimRecord>();
  /** The list that was applied last, which many clients read at once. */
  #applied: readonly ClaimRecord[] | undefined;
  readonly #recordOrder = new ReadOrder();
  #wasComplete = false;
  /** Names in lower case of services as which clients could log in when a new configuration ended that. */
  #ended = new Set<string>();
  /** Milliseconds since the epoch, as last passed in. */
  #now = 0;

  constructor(
    mapping: Mapping,
    settings: ClaimSettings,
    directories: KnownDirectories,
    clientBlocks: ReadonlyMap<string, ClientBlock>,
  ) {
    this.#mapping = mapping;
    this.#settings = settings;
    this.#memory = new ClaimMemory(settings.claimGraceMs);
    this.#directories = directories;
    this.#clientBlocks = clientBlocks;
  }

  /** The services of the selection. A service outside may still be the source of an edge inside. */
  get catalog(): Catalog | undefined {
    return this.#selected;
  }

  get records(): readonly ClaimRecord[] {
    this.#recordList ??= [...this.#records.values()];
    return this.#recordList;
  }

  /** A live view. */
  world(now: number): World {
    return {
      directories: this.#directories.complete,
      unreadable: this.#directories.unreadable,
      unnamed: this.#directories.unnamed,
      readAlone: this.#directories.readAlone,
      catalog: this.#catalog,
      claimRecords: this.#records,
      remembered: this.#memory.all,
      clientBlocks: this.#clientBlocks,
      now,
    };
  }

  setMapping(mapping: Mapping): ReadonlySet<string> {
    const isOther = mapping.providers.join(' ') !== this.#mapping.providers.join(' ');
    if (givesFirstLogins(mapping)) this.#ended = new Set();
    else if (givesFirstLogins(this.#mapping))
      this.#ended = new Set(this.#named.names().filter((name) => !this.#hasClaim(name)));
    this.#mapping = mapping;
    this.#applied = undefined;
    // The provider that an instance means depends on the configured providers.
    for (const [key, catalogService] of isOther ? this.#services : [])
      this.#memory.note(key, this.#stated(catalogService), isInhabited(catalogService), this.#now);
    return new Set([...this.#services.keys(), ...this.#memory.all.keys(), ...this.claimStatuses.all.keys()]);
  }

  applyCatalog(catalog: Catalog, now: number): ReadonlySet<string> {
    this.#now = now;
    const [before, isFirst] = [this.#services, this.#catalog === undefined];
    const services = new Map(
      catalog.services.map((catalogService) => [serviceText(catalogService.name), catalogService]),
    );
    const changed = new Set<string>();
    const note = (
      key: string,
      catalogService: CatalogService | undefined,
      old: CatalogService | undefined,
    ) => {
      changed.add(key);
      this.#memory.note(key, this.#stated(catalogService), isInhabited(old), now);
    };
    for (const [key, catalogService] of services) {
      const old = before.get(key);
      if (old === undefined || !isSameService(old, catalogService)) note(key, catalogService, old);
    }
    for (const [key, old] of before) if (!services.has(key)) note(key, undefined, old);
    for (const [key, claim] of this.#memory.all) {
      if (isInhabited(services.get(key))) continue;
      // Until now it was unknown whether the service has instances.
      if (isFirst) note(key, services.get(key), undefined);
      if (now - claim.lastSeenAt <= this.#settings.claimGraceMs) continue;
      changed.add(key);
      this.#memory.forget(key);
    }
    this.#catalog = catalog;
    this.#registered = new Set(catalog.services.map(({ name }) => name.name));
    for (const name of this.#ended) if (this.#registered.has(name)) this.#ended.delete(name);
    const { select } = this.#mapping;
    this.#selected =
      select === undefined
        ? catalog
        : {
            ...catalog,
            services: catalog.services.filter((catalogService) => isSelected(catalogService, select)),
          };
    this.#services = services;
    return changed;
  }

  /** Does not restore a claim that the instances of a service have removed. */
  restore(claims: Iterable<FormerClaim>, now: number): ReadonlySet<string> {
    this.#now = now;
    const changed = new Set<string>();
    for (const { key, client } of claims) {
      const stated = this.#catalog === undefined ? undefined : this.#stated(this.#services.get(key));
      if (stated?.kind === 'nothing') continue;
      this.#memory.restore(key, client, stated?.kind === 'vacant', now);
      changed.add(key);
    }
    return changed;
  }

  applyRecords(records: readonly ClaimRecord[], read: number): ReadonlySet<string> {
    if (!this.#recordOrder.acceptsAll(read) || records === this.#applied) return new Set();
    this.#applied = records;
    const shown = new Map(
      records.filter((record) => this.#selects(record)).map((record) => [clientText(record), record]),
    );
    const changed = new Set<string>();
    // Another one who reads this list may have begun after the read of this record.
    for (const key of new Set([...this.#records.keys(), ...shown.keys()]))
      if (this.#recordOrder.isNewer(key, read)) this.#applied = undefined;
      else for (const serviceName of this.#putRecord(key, shown.get(key))) changed.add(serviceName);
    this.#recordList = undefined;
    return changed;
  }

  applyRecord(id: ClientId, record: ClaimRecord | undefined, read: number): ReadonlySet<string> {
    const key = clientText(id);
    if (!this.#selects(id) || !this.#recordOrder.accepts(key, read)) return new Set();
    this.#applied = undefined;
    this.#recordList = undefined;
    return new Set(this.#putRecord(key, record));
  }

  #selects(id: ClientId): boolean {
    return this.#mapping.select?.hasClient(id) !== false;
  }

  /** The services as which the client may log in before an instance is registered. */
  firstLogins(client: OAuthClient): readonly FirstLogin[] {
    return firstLogins(client, {
      mapping: this.#mapping,
      isComplete: this.#isComplete(),
      claimStatuses: this.claimStatuses.all,
      isRegistered: (name) => this.isRegistered(name),
      namedBy: (name) => this.#named.by(name),
    });
  }

  /** Puts a client with the services that it names; returns the others whose first logins change by that. */
  putNamer(id: ClientId, client: OAuthClient | undefined): readonly ClientId[] {
    const others = this.#named.put(id, client);
    return givesFirstLogins(this.#mapping) ? others : [];
  }

  /**
   * The clients that may gain first logins, if the names that all clients give became known since the last call. Until they
   * are known, each client keeps what it has.
   */
  drainCertain(): readonly ClientId[] {
    const [before, after] = [this.#wasComplete, this.#isComplete()];
    this.#wasComplete = after;
    return !before && after && givesFirstLogins(this.#mapping) ? this.#named.all() : [];
  }

  /** Whether a new configuration ended the client's login as a service that still has no instance. */
  hasEnded(client: OAuthClient, name: string): boolean {
    return this.#ended.has(name.toLowerCase()) && confirmedServices(client).includes(name);
  }

  /** Some of the clients that may log in as the service before an instance is registered. */
  namersOf(name: string): readonly ClientId[] {
    return givesFirstLogins(this.#mapping) ? this.#named.some(name) : [];
  }

  /** Whether no client can name a service without being known. */
  #isComplete(): boolean {
    return this.#mapping.providers.every((provider) => {
      const { clients, hasUnnamed } = this.#directories.unreadableOf(provider);
      return this.#directories.complete.has(provider) && clients.size === 0 && !hasUnnamed;
    });
  }

  /** `WEB` is not `web`. But only a name in lower case can be an identity, so for `WEB` both count. */
  isRegistered(name: string): boolean {
    return this.#registered.has(name) || this.#registered.has(name.toLowerCase());
  }

  /** The claims in roles of an earlier process that prove an instance: a role may have an identity before there is one. */
  provenByRoles(claims: Iterable<FormerClaim>): readonly FormerClaim[] {
    const isProof = ({ key }: FormerClaim) =>
      !givesFirstLogins(this.#mapping) || this.isRegistered(parseServiceText(key).name);
    return [...claims].filter(isProof);
  }

  /** Services whose grace has ended. */
  endGraces(now: number): readonly string[] {
    this.#now = now;
    return this.#memory.endGraces(now);
  }

  /** Evaluates one service again; undefined if its status is unchanged. */
  updateStatus(key: string): ClaimStatusChange | undefined {
    const before = this.claimStatuses.all.get(key);
    const after = this.#currentStatus(key);
    if (!this.claimStatuses.put(key, after)) return undefined;
    const serviceName = after?.service ?? before?.service ?? parseServiceText(key);
    return { service: serviceName, before, after, namedBy: this.namersOf(serviceName.name) };
  }

  #currentStatus(key: string): ClaimStatus | undefined {
    const catalogService = this.#services.get(key);
    const claim = this.#memory.all.get(key);
    if (catalogService === undefined && claim === undefined) return undefined;
    if (this.#catalog === undefined && claim !== undefined) {
      const { provider, clientId } = claim;
      return { kind: 'unknown', service: parseServiceText(key), client: { provider, clientId } };
    }
    const name = catalogService?.name ?? parseServiceText(key);
    return claimStatusOf(name, catalogService, this.world(this.#now), this.#mapping, this.#settings);
  }

  #putRecord(key: string, record: ClaimRecord | undefined): readonly string[] {
    const before = this.#records.get(key);
    if (record === undefined) this.#records.delete(key);
    else this.#records.set(key, record);
    const id = record ?? before;
    if (id === undefined || (before && record && serviceText(before.service) === serviceText(record.service)))
      return [];
    return [...this.claimStatuses.on(id).keys()];
  }

  /** Whether the service has an instance, or a claim in its grace. The name is in lower case. */
  #hasClaim(name: string): boolean {
    const key = serviceText(ownService(this.#mapping, name));
    return this.isRegistered(name) || this.#memory.all.has(key);
  }

  #stated(catalogService: CatalogService | undefined) {
    return catalogService === undefined
      ? ({ kind: 'vacant' } as const)
      : statedClaim(catalogService, this.#settings, this.#mapping.providers);
  }
}

function isInhabited(catalogService: CatalogService | undefined): boolean {
  return catalogService?.instances.some(isCaller) ?? false;
}

/** Whether the instances have the same properties, in the same order. */
function isSameService(a: CatalogService, b: CatalogService): boolean {
  if (a.instances === b.instances) return true;
  return (
    a.instances.length === b.instances.length &&
    a.instances.every((each, at) => {
      const other = b.instances[at];
      return other !== undefined && instanceText(each) === instanceText(other);
    })
  );
}

/** The properties that a claim depends on. */
function instanceText({ kind, meta, tags, unreadableBytes = 0 }: ServiceInstance): string {
  return JSON.stringify([kind, meta, tags, unreadableBytes]);
}

/** A sidecar goes with its service, whatever its own name is. */
function isSelected({ name, instances }: CatalogService, select: Selection): boolean {
  return (
    select.hasService(name) ||
    instances.some(({ proxyOf }) => proxyOf !== undefined && select.hasService({ ...name, name: proxyOf }))
  );
}
