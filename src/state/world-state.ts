import type { FirstLogin } from '../acl/plan/first-logins.js';
import type { AclRole } from '../model/acl.js';
import type { Catalog, ClaimRecord, Protocol } from '../model/catalog.js';
import type { OAuthClient } from '../model/client.js';
import type { IntentionEntry, ServiceName } from '../model/intention.js';
import { parseKey } from '../model/key.js';
import type { Mapping } from '../model/rule.js';
import type { ClaimStatus } from '../plan/claim-status.js';
import type { DestinationSources } from '../plan/destination-sources.js';
import type { ClientOpenings } from '../plan/openings.js';
import type { ClaimSettings, ClientBlock, ClientId, World } from '../plan/world.js';
import { clientText, isUnreadable, serviceText } from '../plan/world.js';
import { BreakGlasses } from './break-glasses.js';
import { claimsOfEntries, claimsOfRoles } from './claim-memory.js';
import { losesClaim } from './claim-statuses.js';
import { Claims } from './claims.js';
import { ClientBlocks } from './client-blocks.js';
import { ClientNames } from './client-names.js';
import { Destinations } from './destinations.js';
import { type ClientChange, Directories, type UnreadableRecord } from './directories.js';
import { Denies } from './edge-rulings.js';
import { EntryCache } from './entry-cache.js';
import { Freezes } from './freezes.js';
import { InferredRemovals } from './inferred-removals.js';
import { JwtProviderUse } from './jwt-provider-use.js';
import { LastAppliedCache } from './last-applied-cache.js';
import { MappingDoubt } from './mapping-doubt.js';
import { KeyedMutex } from './mutex.js';
import { losesGrants, Openings } from './openings.js';
import type { OwnedEdges } from './owned-edges.js';
import { hasSameProtocols, protocolIn } from './protocols.js';
import { QuarantineWrites } from './quarantine-writes.js';
import { ReadOrder } from './read-order.js';
import { NOTHING_TOUCHED, type Touched, Touches } from './touched.js';
import { UserTokens } from './user-tokens.js';

/**
 * The last read state of both sides, with derived indexes. It is a cache of reads, not a source of truth: it starts empty,
 * and a provider or catalog that was not read completely is unknown. An update returns what it touched. Maps are live.
 */
export class WorldState {
  #mapping: Mapping;
  readonly quarantineWrites = new QuarantineWrites();
  readonly waitingOrders = new Set<string>();
  readonly unreadableMutex = new KeyedMutex();
  readonly jwtProviderUse = new JwtProviderUse();
  readonly userTokens = new UserTokens(() => {
    for (const key of this.jwtProviderUse.destinations()) this.inferredEdges.touch(key);
  });
  /** For the edges at each destination, by its `serviceText`. */
  readonly inferredEdges = new InferredRemovals();
  /** For the ACL objects of each client, by its `clientText`. */
  readonly inferredAcl = new InferredRemovals();
  readonly freezes = new Freezes(() => this.#mapping.freezes);
  readonly mappingDoubt = new MappingDoubt();
  /** Jobs run before Consul was read completely: what is recorded may close, and nothing opens. */
  narrowsOnly = false;
  readonly breakGlass = new BreakGlasses((from, to) => this.#touchEdge(from, to));
  readonly denies = new Denies((from, to) => this.#touchEdge(from, to));
  readonly #directories = new Directories();
  readonly #clientBlocks = new ClientBlocks();
  readonly #claims: Claims;
  /** For the catalog and for the claim records, each read as a whole. */
  readonly #catalogOrder = new ReadOrder();
  readonly #entries: EntryCache;
  readonly #openings: Openings;
  readonly records = new LastAppliedCache();
  readonly everyEntry = () => this.#entries.every();
  readonly unshownWrites = () => this.#entries.unshown;
  readonly markedEnds = () => this.#entries.ends.values();
  readonly openings = (): ReadonlyMap<string, ClientOpenings> => this.#openings.all;
  readonly #destinations: Destinations;
  readonly #names = new ClientNames();
  #reads = 0;
  #claimsVersion = 0;
  /** What ended graces touched since the last call of `expireGraces`. */
  #ended = new Touches();

  constructor(mapping: Mapping, settings: ClaimSettings) {
    this.#mapping = mapping;
    this.#openings = new Openings(mapping);
    this.#claims = new Claims(mapping, settings, this.#directories, this.#clientBlocks.all);
    this.#entries = new EntryCache(mapping, this.records, this.jwtProviderUse);
    const sources = [this.#claims.claimStatuses, this.#openings, this.#entries] as const;
    this.#destinations = new Destinations(...sources, [this.breakGlass, this.denies], this.jwtProviderUse);
  }

  /** Read-only: this class has the updates. */
  get directories(): Omit<Directories, 'put' | 'putAll' | 'putUnreadable' | 'forget'> {
    return this.#directories;
  }

  get mapping(): Mapping {
    return this.#mapping;
  }

  /** Increases with every change that affects plans, except changes of entries, which change with every write. */
  get claimsVersion(): number {
    return this.#claimsVersion;
  }

  /** Returns a number. Call it before a read and pass the number with the result. */
  beginRead(): number {
    return ++this.#reads;
  }

  setMapping(mapping: Mapping): Touched {
    const touches = new Touches();
    touches.destinations(this.#destinations.all());
    this.#mapping = mapping;
    this.#openings.setMapping(mapping);
    this.#entries.setMapping(mapping);
    for (const change of this.#directories.everybody()) this.#reopen(change, touches);
    this.#updateStatuses(this.#claims.setMapping(mapping), touches);
    touches.destinations(this.#destinations.all());
    this.inferredEdges.touchAll();
    this.inferredAcl.touchAll();
    return this.#changed(touches);
  }

  /** Replaces the provider's clients by a complete read; results of newer single reads are kept. */
  putDirectory(
    provider: string,
    clients: readonly OAuthClient[],
    read: number,
    now: number,
    unreadable: readonly UnreadableRecord[] = [],
  ): Touched {
    const isFirst = !this.hasDirectory(provider);
    const { hasUnnamed } = this.#directories.unreadableOf(provider);
    const changes = this.#directories.putAll(provider, clients, read, now, unreadable);
    if (changes === undefined) return NOTHING_TOUCHED;
    const touches = new Touches();
    for (const change of changes) this.#reopen(change, touches);
    // Claims that were unknown now have a status.
    if (isFirst || hasUnnamed !== this.#directories.unreadableOf(provider).hasUnnamed)
      this.#updateProvider(provider, touches);
    return this.#changed(touches);
  }

  putClient(id: ClientId, client: OAuthClient | undefined, read: number): Touched {
    this.waitingOrders.delete(clientText(id));
    return this.#put(this.#directories.put(id, client, read));
  }

  readonly putUnreadable = (id: ClientId, why: string, read: number): Touched =>
    this.#put(this.#directories.putUnreadable(id, why, read));

  readonly isUnreadable = (id: ClientId) => isUnreadable(this.#claims.world(0), id);

  /** Makes a provider unknown until its next complete read. */
  forgetDirectory(provider: string): Touched {
    if (!this.#directories.forget(provider)) return NOTHING_TOUCHED;
    const touches = new Touches();
    this.#updateProvider(provider, touches);
    return this.#changed(touches);
  }

  readonly hasDirectory = (provider: string) => this.#directories.complete.has(provider);
  readonly clients = (provider: string) => this.#directories.clients(provider);
  readonly hasEndedLogin = (client: OAuthClient, serviceName: string) =>
    this.#claims.hasEnded(client, serviceName);
  readonly namersOf = (serviceName: string) => this.#claims.namersOf(serviceName);
  readonly client = (id: ClientId) => this.#directories.clients(id.provider).get(id.clientId);
  /** The known client whose ACL objects have this name. */
  readonly clientNamed = (name: string) =>
    this.#names.of(name, this.#mapping.owner, () => this.#directories.everybody());
  readonly closedNamed = (name: string) => this.#clientBlocks.named(name, this.#mapping.owner);

  setClientBlock(id: ClientId, clientBlock: ClientBlock | undefined): Touched {
    if (!this.#clientBlocks.set(id, clientBlock, this.beginRead())) return NOTHING_TOUCHED;
    const touches = new Touches();
    touches.client(id, clientBlock !== undefined);
    touches.destinations(this.#destinations.of(id), clientBlock !== undefined);
    return this.#changed(touches);
  }

  /** Reopens a client that was closed while its directory was unreadable, if this read began after that. */
  reopen(id: ClientId, read: number): Touched {
    return this.#clientBlocks.isVouched(id, read) ? this.setClientBlock(id, undefined) : NOTHING_TOUCHED;
  }

  readonly clientBlock = (id: ClientId) => this.#clientBlocks.all.get(clientText(id));

  putCatalog(catalog: Catalog, now: number, read: number = this.beginRead()): Touched {
    if (!this.#catalogOrder.acceptsAll(read)) return NOTHING_TOUCHED;
    const before = this.#claims.catalog;
    const touches = this.#updateStatuses(this.#claims.applyCatalog(catalog, now), new Touches());
    if (before === undefined) {
      // Services that are not in the catalog were unknown, and are now known to be gone.
      touches.destinations(this.#destinations.all());
      this.inferredAcl.touchAll();
    }
    if (!hasSameProtocols(before, catalog))
      for (const each of this.#destinations.all()) {
        const next = this.protocolOf(each);
        // With tcp, L7 permissions cannot be enforced any more.
        if (protocolIn(before, each) !== next) touches.destination(each, next === 'tcp');
      }
    return this.#changed(touches);
  }

  get catalog(): Catalog | undefined {
    return this.#claims.catalog;
  }

  readonly putClaimRecords = (records: readonly ClaimRecord[], read = this.beginRead()): Touched =>
    this.#updated(this.#claims.applyRecords(records, read));

  /** Applies a single read, or an own write, of the record of one client. */
  putClaimRecord(id: ClientId, record: ClaimRecord | undefined, read: number = this.beginRead()): Touched {
    return this.#updated(this.#claims.applyRecord(id, record, read));
  }

  get claimRecords(): readonly ClaimRecord[] {
    return this.#claims.records;
  }

  /** Applies a complete list of entries. The first list also restores claims from the recorded sources. */
  putEntries(entries: readonly IntentionEntry[], now: number, read: number = this.beginRead()): Touched {
    const isFirst = !this.#entries.isListed;
    const { changed, gone } = this.#entries.replaceAll(entries, read);
    const touches = new Touches();
    for (const { destination } of changed) this.#touchEntry(destination, touches);
    for (const destination of gone) this.#touchEntry(destination, touches);
    return isFirst ? this.restoreClaims(now, touches) : this.#changed(touches, 'entries');
  }

  /** From the recorded sources of the entries that are known. */
  restoreClaims(now: number, touches = new Touches()): Touched {
    const found = claimsOfEntries(this.entries.values(), this.#mapping, this.records);
    return this.#changed(this.#updateStatuses(this.#claims.restore(found, now), touches), 'entries');
  }

  /** Restores claims from the roles that an earlier process wrote. */
  putFirstRoles(roles: readonly AclRole[], now: number): Touched {
    const found = this.#claims.provenByRoles(claimsOfRoles(roles, this.#mapping));
    return this.#updated(this.#claims.restore(found, now), 'entries');
  }

  putEntry(destination: ServiceName, entry: IntentionEntry | undefined, read = this.beginRead()): Touched {
    if (!this.#entries.replace(destination, entry, read)) return NOTHING_TOUCHED;
    return this.#changed(this.#touchEntry(destination, new Touches()), 'entries');
  }

  /** Ends expired graces; returns what graces that ended since the last call touched. */
  expireGraces(now: number): Touched {
    this.#endGraces(now);
    const touched = this.#ended.done();
    this.#ended = new Touches();
    return touched;
  }

  /** Whether the entries were listed at least once, so that an unknown entry does not exist. */
  get hasEntries(): boolean {
    return this.#entries.isListed;
  }

  get entries(): ReadonlyMap<string, IntentionEntry> {
    return this.#entries.all;
  }

  get owned(): OwnedEdges {
    return this.#entries.owned;
  }

  rememberWritten(key: string, lastApplied: ReadonlyMap<string, string>): void {
    if (!this.records.put(key, lastApplied)) return;
    const of = parseKey(key);
    if (of?.kind === 'destination')
      this.inferredEdges.touch(this.#entries.recount({ ...of, name: of.service }));
    else if (of?.kind === 'client') this.inferredAcl.touch(clientText({ ...of, clientId: of.value }));
  }

  /** Undefined: `rememberWritten` had every record. Until then every marked edge counts as owned, except these. */
  setUnrecorded(subjects: ReadonlySet<string> | undefined): void {
    this.records.setUnrecorded(subjects);
    this.#entries.recountAll();
    this.inferredEdges.touchAll();
  }

  readonly protocolOf = (serviceName: ServiceName): Protocol => protocolIn(this.catalog, serviceName);

  /** The world in the form for plans. */
  readonly view = (now: number): World => this.#claims.world(now);

  /** The claim status of every service. */
  claimStatuses(now: number): ReadonlyMap<string, ClaimStatus> {
    this.#endGraces(now);
    return this.#claims.claimStatuses.all;
  }

  /** The statuses of all claims on a client. */
  claimsOn(id: ClientId, now: number): readonly ClaimStatus[] {
    this.#endGraces(now);
    return [...this.#claims.claimStatuses.on(id).values()];
  }

  /** The services as which the client may log in before an instance is registered. */
  firstLogins(client: OAuthClient, now: number): readonly FirstLogin[] {
    this.#endGraces(now);
    return this.#claims.firstLogins(client);
  }

  sourcesByDestination(now: number): ReadonlyMap<string, DestinationSources> {
    this.#endGraces(now);
    return this.#destinations.sources.all;
  }

  destinationsOf(id: ClientId, now: number): readonly ServiceName[] {
    this.#endGraces(now);
    return this.#destinations.of(id);
  }

  destinations(now: number): readonly ServiceName[] {
    this.#endGraces(now);
    return [...this.#destinations.all()];
  }

  #put(change: ClientChange | undefined): Touched {
    const touches = new Touches();
    if (change !== undefined) this.#reopen(change, touches);
    return this.#changed(touches);
  }

  /** Applies a change of a client to its openings. */
  #reopen(change: ClientChange, touches: Touches): void {
    const { id, before, after } = change;
    this.#names.put(change);
    touches.destinations(this.#destinations.of(id));
    const lost = this.#openings.put(id, after);
    touches.client(id, lost.size > 0 || losesGrants(before, after));
    for (const each of this.#claims.putNamer(id, after)) touches.client(each);
    for (const [text, { service }] of [...this.#claims.claimStatuses.on(id)]) {
      for (const name of lost) touches.destination({ ...service, name }, true);
      this.#updateStatuses([text], touches);
      this.#destinations.updateSource(text, service);
    }
    touches.destinations(this.#destinations.of(id));
  }

  /** Updates the status of every service that claims a client of this provider. */
  #updateProvider(provider: string, touches: Touches): void {
    for (const [clientId] of this.#directories.clients(provider)) {
      touches.client({ provider, clientId });
      touches.destinations(this.#destinations.of({ provider, clientId }));
    }
    this.inferredAcl.touchAll(); // also clients with ACL objects that no read has shown
    for (const [key, claimStatus] of this.#claims.claimStatuses.all)
      if (claimStatus.kind !== 'none' && claimStatus.client.provider === provider)
        this.#updateStatuses([key], touches);
  }

  #updated(keys: Iterable<string>, by?: 'entries' | 'claims'): Touched {
    return this.#changed(this.#updateStatuses(keys, new Touches()), by);
  }

  #updateStatuses(keys: Iterable<string>, touches: Touches): Touches {
    for (const key of keys) {
      const change = this.#claims.updateStatus(key);
      if (change === undefined) continue;
      const { service, before, after } = change;
      const losing = losesClaim(before, after);
      touches.claimStatus(change);
      touches.destinations(this.#destinations.sources.destinationsOf(service).values(), losing);
      touches.destinations(this.#entries.owned.holding(service), losing);
      this.#destinations.updateSource(key, service);
      touches.destinations(this.#destinations.sources.destinationsOf(service).values());
    }
    return touches;
  }

  #touchEdge(from: ServiceName, to: ServiceName): void {
    this.#destinations.updateSource(serviceText(from), from);
    this.#changed(new Touches().destination(to));
  }

  #touchEntry(destination: ServiceName, touches: Touches): Touches {
    const isWildcard = destination.name === '*'; // it can apply to every destination
    if (isWildcard) this.inferredEdges.touchAll();
    touches.destinations(isWildcard ? this.#destinations.all() : [destination]);
    return touches;
  }

  #endGraces(now: number): void {
    const ended = this.#claims.endGraces(now);
    if (ended.length > 0) this.#ended.merge(this.#updated(ended));
  }

  #changed(touches: Touches, by: 'entries' | 'claims' = 'claims'): Touched {
    for (const each of this.#claims.drainCertain()) touches.client(each);
    const touched = touches.done();
    if (touched === NOTHING_TOUCHED) return touched;
    if (by === 'claims' || touched.claimStatuses.length > 0) this.#claimsVersion++;
    for (const key of touched.destinations.keys()) this.inferredEdges.touch(key);
    for (const client of touched.clients) this.inferredAcl.touch(clientText(client));
    return touched;
  }
}
