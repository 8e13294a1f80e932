import type { UnreadableClient } from '../identity/directory.js';
import type { AclRole } from '../model/acl.js';
import type { Catalog, CatalogService, ClaimRecord, Protocol } from '../model/catalog.js';
import type { OAuthClient } from '../model/client.js';
import type { IntentionEntry, ServiceName } from '../model/intention.js';
import type { Mapping } from '../model/rule.js';
import { type ClaimStanding, standings } from '../plan/claims.js';
import { type ClientOpenings, openingsOf } from '../plan/openings.js';
import { createPatternCompiler } from '../plan/pattern.js';
import { type Wanters, wantersOf } from '../plan/wanters.js';
import {
  type ClaimSettings,
  type ClientId,
  type Closure,
  clientText,
  type RememberedClaim,
  serviceText,
  type World,
} from '../plan/world.js';
import { memoryAfter, withEntries, withRoles } from './claim-memory.js';
import {
  afterRead,
  changedClients,
  type DirectoryState,
  isSameClient,
  isUnreadableIn,
  noteUnreadable,
  type Unreadable,
  unreadableOf,
  unreadDirectory,
} from './directory-state.js';
import { EntryCache } from './entry-cache.js';
import { InferredCounts } from './inferred-counts.js';
import { nextGraceEnd, onlyServices, type Standings, servicesByClient } from './standings.js';
import { Turns } from './turns.js';
import { UserTokens } from './user-tokens.js';

const NOTHING_WRITTEN: ReadonlyMap<string, string> = new Map();

/**
 * What this process last saw of both sides, with what follows from it. It is a cache of reads, never a source of
 * truth: it starts empty, and a provider or a catalog that was not read completely is unknown, not empty.
 */
export class WorldState {
  #mapping: Mapping;
  readonly inferredCounts = new InferredCounts();
  readonly closureTurns = new Turns();
  readonly unreadableTurns = new Turns();
  readonly userTokens = new UserTokens();
  readonly #settings: ClaimSettings;
  readonly #directories = new Map<string, DirectoryState>();
  readonly #closures = new Map<string, Closure>();
  #remembered = new Map<string, RememberedClaim>();
  readonly #entries: EntryCache;
  readonly #waiting = new Set<string>();
  readonly #openings = new Map<string, ClientOpenings>();
  #compile = createPatternCompiler();
  /** Whether a client has come or changed since `openings` was last asked for. */
  #opensAnew = false;
  readonly #lastWritten = new Map<string, ReadonlyMap<string, string>>();
  #hasEntries = false;
  #catalog: Catalog | undefined;
  #claimRecords: readonly ClaimRecord[] = [];
  #reads = 0;
  /** The numbers of the reads that last said something of each. */
  readonly #readBy = { catalog: 0, claims: 0 };
  #version = 0;
  /** Counts up with what standings depend on: not with entries, which change with every write. */
  #claimsVersion = 0;
  #standings: Standings | undefined;
  #services: ReadonlyMap<string, CatalogService> = new Map();

  constructor(mapping: Mapping, settings: ClaimSettings) {
    this.#mapping = mapping;
    this.#settings = settings;
    this.#entries = new EntryCache(mapping.owner);
  }

  get mapping(): Mapping {
    return this.#mapping;
  }

  /** Counts up with every change that a plan could see. */
  get version(): number {
    return this.#version;
  }

  setMapping(mapping: Mapping): void {
    this.#mapping = mapping;
    this.#openings.clear();
    this.#opensAnew = true;
    this.#compile = createPatternCompiler();
    this.#entries.setOwner(mapping.owner);
    this.#claimsChanged();
  }

  /** Take a number before a read and hand it in with the result. */
  beginRead(): number {
    return ++this.#reads;
  }

  /**
   * Replaces the provider's clients by a complete read; what a later single read said stands, and what was known of a
   * client that cannot be read now. Returns the ids that changed.
   */
  putDirectory(
    provider: string,
    clients: readonly OAuthClient[],
    read: number,
    now: number,
    unreadable: readonly UnreadableClient[] = [],
  ): readonly string[] {
    const old = this.#directories.get(provider);
    const state = afterRead(old, clients, unreadable, read, now);
    this.#directories.set(provider, state);
    const changed = changedClients(old, state);
    for (const clientId of changed) this.#openings.delete(clientText({ provider, clientId }));
    this.#opensAnew = true;
    this.#claimsChanged();
    return changed;
  }

  /** What a single read said of a client; ignored if a later read spoke already. */
  putClient(id: ClientId, client: OAuthClient | undefined, read: number): void {
    const state = this.#directories.get(id.provider) ?? unreadDirectory();
    this.#directories.set(id.provider, state);
    if ((state.readBy.get(id.clientId) ?? 0) > read) return;
    state.readBy.set(id.clientId, read);
    this.#waiting.delete(clientText(id));
    const wasUnreadable = state.unreadable.delete(id.clientId);
    if (isSameClient(state.clients.get(id.clientId), client)) {
      if (wasUnreadable) this.#claimsChanged();
      return;
    }
    if (client === undefined) state.clients.delete(id.clientId);
    else state.clients.set(id.clientId, client);
    // This one alone: going through ten thousand clients for each event is most of what an event would cost.
    if (client === undefined) this.#openings.delete(clientText(id));
    else this.#openings.set(clientText(id), openingsOf(client, this.#mapping, this.#compile));
    this.#claimsChanged(id);
  }

  /** A single read showed a client that cannot be parsed. */
  putUnreadable(id: ClientId, why: string, read: number): void {
    const state = this.#directories.get(id.provider) ?? unreadDirectory();
    this.#directories.set(id.provider, state);
    if (noteUnreadable(state, id.clientId, why, read)) this.#claimsChanged();
  }

  isUnreadable(id: ClientId): boolean {
    return isUnreadableIn(this.#directories.get(id.provider), id.clientId);
  }

  unreadable(provider: string): Unreadable {
    return this.#directories.get(provider) ?? unreadDirectory();
  }

  /** Makes a provider unknown again: nothing of it opens and nothing goes until the next complete read. */
  forgetDirectory(provider: string): void {
    const state = this.#directories.get(provider);
    if (state !== undefined) state.isComplete = false;
    this.#claimsChanged();
  }

  hasDirectory(provider: string): boolean {
    return this.#directories.get(provider)?.isComplete === true;
  }

  directoryReadAt(provider: string): number | undefined {
    return this.#directories.get(provider)?.readAt;
  }

  clients(provider: string): readonly OAuthClient[] {
    return [...(this.#directories.get(provider)?.clients.values() ?? [])];
  }

  client(id: ClientId): OAuthClient | undefined {
    return this.#directories.get(id.provider)?.clients.get(id.clientId);
  }

  /** The client id of an internal id, if a read has shown it. */
  clientIdOf(provider: string, internalId: string): string | undefined {
    for (const client of this.#directories.get(provider)?.clients.values() ?? []) {
      if (client.internalId === internalId) return client.clientId;
    }
    return undefined;
  }

  setClosure(id: ClientId, closure: Closure | undefined): void {
    if (closure === undefined) this.#closures.delete(clientText(id));
    else this.#closures.set(clientText(id), closure);
    this.#claimsChanged();
  }

  closure(id: ClientId): Closure | undefined {
    return this.#closures.get(clientText(id));
  }

  /** What a later read said stands. */
  putCatalog(catalog: Catalog, now: number, read = this.beginRead()): void {
    if (read < this.#readBy.catalog) return;
    this.#readBy.catalog = read;
    this.#remembered = memoryAfter(
      this.#remembered,
      this.#catalog,
      catalog,
      this.#settings,
      this.#mapping.providers,
      now,
    );
    this.#catalog = catalog;
    this.#services = new Map(catalog.services.map((service) => [serviceText(service.name), service]));
    this.#claimsChanged();
  }

  get catalog(): Catalog | undefined {
    return this.#catalog;
  }

  putClaimRecords(records: readonly ClaimRecord[], read = this.beginRead()): void {
    if (read < this.#readBy.claims) return;
    this.#readBy.claims = read;
    this.#claimRecords = records;
    this.#claimsChanged();
  }

  get claimRecords(): readonly ClaimRecord[] {
    return this.#claimRecords;
  }

  /**
   * Takes in a complete list of entries. The first one also restores the memory of claims from the Descriptions of
   * owned sources, with the grace beginning now. Returns the destinations that differ from what was known. What a
   * later read or a write said meanwhile stands.
   */
  putEntries(
    entries: readonly IntentionEntry[],
    now: number,
    read: number = this.beginRead(),
  ): readonly ServiceName[] {
    const isFirst = !this.#hasEntries;
    this.#hasEntries = true;
    const { changed, gone } = this.#entries.replaceAll(entries, read);
    if (isFirst) {
      this.#remembered = withEntries(this.#remembered, changed, this.#mapping, now);
      this.#claimsChanged();
    } else if (changed.length + gone.length > 0) this.#version++;
    return [...changed.map(({ destination }) => destination), ...gone];
  }

  /** Restores the memory of claims from the roles that stood before this process, with the grace beginning now. */
  putFirstRoles(roles: readonly AclRole[], now: number): void {
    const known = this.#remembered;
    this.#remembered = withRoles(known, roles, this.#mapping, this.#catalog, this.#settings, now);
    if (this.#remembered.size > known.size) this.#claimsChanged();
  }

  /** What a single read, or our own write, says of one entry. */
  putEntry(
    destination: ServiceName,
    entry: IntentionEntry | undefined,
    read: number = this.beginRead(),
  ): void {
    if (this.#entries.replace(destination, entry, read)) this.#version++;
  }

  /** Whether the entries were listed once: one that is not known is not there. */
  get hasEntries(): boolean {
    return this.#hasEntries;
  }

  get entries(): ReadonlyMap<string, IntentionEntry> {
    return this.#entries.all;
  }

  ownedEdges(): number {
    return this.#entries.owned.count;
  }

  ownedEdgesOf(id: ClientId): number {
    return this.#entries.owned.countOf(id);
  }

  /** True the first time that an order about this client has to wait. */
  isFirstWait(id: ClientId): boolean {
    const isFirst = !this.#waiting.has(clientText(id));
    this.#waiting.add(clientText(id));
    return isFirst;
  }

  rememberWritten(key: string, lastWritten: ReadonlyMap<string, string>): void {
    this.#lastWritten.set(key, lastWritten);
  }

  lastWritten(key: string): ReadonlyMap<string, string> {
    return this.#lastWritten.get(key) ?? NOTHING_WRITTEN;
  }

  protocolOf(service: ServiceName): Protocol {
    return this.#catalog?.protocols.get(service.name) ?? this.#catalog?.defaultProtocol ?? 'tcp';
  }

  /** The world as plans take it. */
  view(now: number): World {
    return {
      directories: new Map(
        [...this.#directories]
          .filter(([, state]) => state.isComplete)
          .map(([provider, state]) => [provider, state.clients]),
      ),
      catalog: this.#catalog,
      claimRecords: this.#claimRecords,
      remembered: this.#remembered,
      closures: this.#closures,
      ...unreadableOf(this.#directories),
      now,
    };
  }

  /** Every service's standing, computed once per version and again when a grace ends. */
  standings(now: number): ReadonlyMap<string, ClaimStanding> {
    return this.#standingsNow(now).value;
  }

  #standingsNow(now: number): Standings {
    if (this.#standings?.version === this.#claimsVersion && now < this.#standings.until)
      return this.#standings;
    const value = standings(this.view(now), this.#mapping, this.#settings);
    const byClient = servicesByClient(value);
    const until = nextGraceEnd(this.#remembered.values(), this.#settings.claimGraceMs, now);
    const wanters = wantersOf(value, this.openings());
    const computed = { version: this.#claimsVersion, now, until, value, byClient, wanters };
    this.#standings = computed;
    return computed;
  }

  /** What one client's change does to the standings: only the services that claim it are judged anew. */
  #standingsAfter(id: ClientId, before: Standings): Standings {
    const claiming = new Set((before.byClient.get(clientText(id)) ?? []).map(serviceText));
    const view = this.view(before.now);
    const some = onlyServices(view, claiming, this.#services);
    const value = new Map([...before.value, ...standings(some, this.#mapping, this.#settings)]);
    const wanters = wantersOf(value, this.openings());
    return { ...before, version: this.#claimsVersion, value, wanters };
  }

  /** Who wants each destination, by its `serviceText`. */
  wanters(now: number): ReadonlyMap<string, Wanters> {
    return this.#standingsNow(now).wanters;
  }

  /** What every client opens, by `clientText`. */
  openings(): ReadonlyMap<string, ClientOpenings> {
    if (!this.#opensAnew) return this.#openings;
    this.#opensAnew = false;
    for (const [provider, state] of this.#directories) {
      for (const client of state.clients.values()) {
        const key = clientText({ provider, clientId: client.clientId });
        if (!this.#openings.has(key))
          this.#openings.set(key, openingsOf(client, this.#mapping, this.#compile));
      }
    }
    return this.#openings;
  }

  /** Destinations that a client's services may reach or hold an owned source at. */
  destinationsOf(id: ClientId, now: number): readonly ServiceName[] {
    const found = new Map<string, ServiceName>();
    const add = (name: ServiceName) => found.set(serviceText(name), name);
    const opened = this.openings().get(clientText(id));
    const services = this.#standingsNow(now).byClient.get(clientText(id)) ?? [];
    for (const opening of [...(opened?.openings ?? []), ...(opened?.held ?? [])]) {
      for (const service of services) add({ ...service, name: opening.destination });
    }
    for (const destination of this.#entries.owned.ofClient(id)) add(destination);
    for (const service of services)
      for (const destination of this.#entries.owned.ofService(service)) add(destination);
    return [...found.values()];
  }

  /** Destinations that hold a source of this service, whoever made it. */
  destinationsHolding(service: ServiceName): readonly ServiceName[] {
    return this.#entries.owned.holding(service);
  }

  /** Every destination that anything opens or that holds an owned source. */
  destinations(now: number): readonly ServiceName[] {
    const found = new Map(this.#entries.owned.destinations());
    for (const [key, { destination }] of this.wanters(now)) found.set(key, destination);
    return [...found.values()];
  }

  /** `only`: nothing but this client changed. */
  #claimsChanged(only?: ClientId): void {
    const before = this.#standings;
    const isCurrent = before?.version === this.#claimsVersion;
    this.#claimsVersion++;
    this.#version++;
    if (only !== undefined && before !== undefined && isCurrent)
      this.#standings = this.#standingsAfter(only, before);
  }
}
