import type { AclRole } from '../model/acl.js';
import type { IntentionEntry, ServiceName } from '../model/intention.js';
import type { Mapping } from '../model/rule.js';
import type { StatedClaim } from '../plan/claim-status.js';
import { type EdgeRecords, isOwnedNow } from '../plan/edge-record.js';
import { clientName, isOurs } from '../plan/object-names.js';
import { ownService } from '../plan/own-service.js';
import { clientOfDescription, isOwnedHere } from '../plan/ownership.js';
import { type ClientId, clientText, type RememberedClaim, serviceText } from '../plan/world.js';

/** The last claims of services, and when the grace of services without instances ends. */
export class ClaimMemory {
  readonly #claims = new Map<string, RememberedClaim>();
  /** For services without instances: milliseconds since the epoch. */
  readonly #graceEnds = new Map<string, number>();
  #firstEnd = Number.POSITIVE_INFINITY;
  #now = Number.NEGATIVE_INFINITY;
  readonly #graceMs: number;

  constructor(graceMs: number) {
    this.#graceMs = graceMs;
  }

  /** By `serviceText`. `lastSeenAt` is exact only for a service without instances. */
  get all(): ReadonlyMap<string, RememberedClaim> {
    return this.#claims;
  }

  /** Records the current claim of a service's instances. The grace begins when the last instance is seen to be gone. */
  note(key: string, stated: StatedClaim, wasInhabited: boolean, now: number): void {
    this.#follow(now);
    this.#graceEnds.delete(key);
    const known = this.#claims.get(key);
    if (stated.kind === 'client') {
      const isSame = known !== undefined && clientText(known) === clientText(stated.client);
      this.#claims.set(key, { ...stated.client, lastSeenAt: now, since: isSame ? known.since : now });
    } else if (stated.kind === 'nothing') this.#claims.delete(key);
    else if (stated.kind === 'vacant' && known !== undefined) {
      if (wasInhabited) this.#claims.set(key, { ...known, lastSeenAt: now });
      this.#beginGrace(key);
    }
  }

  /**
   * Restores a claim from objects of an earlier process: the claim is old. It does not affect a claim on another client.
   * The grace begins now.
   */
  restore(key: string, client: ClientId, isVacant: boolean, now: number): void {
    const known = this.#claims.get(key);
    if (known === undefined) this.#claims.set(key, { ...client, lastSeenAt: now, since: 0 });
    else if (clientText(known) === clientText(client)) this.#claims.set(key, { ...known, since: 0 });
    if (isVacant) this.#beginGrace(key);
  }

  /** Services whose grace has ended since the last call. Fast before the first end. */
  endGraces(now: number): readonly string[] {
    this.#follow(now);
    if (now < this.#firstEnd) return [];
    const ended: string[] = [];
    this.#firstEnd = Number.POSITIVE_INFINITY;
    for (const [key, end] of this.#graceEnds) {
      if (end > now) this.#firstEnd = Math.min(this.#firstEnd, end);
      else {
        this.#graceEnds.delete(key);
        const claim = this.#claims.get(key);
        // The grace does not begin again if the clock is set back.
        if (claim !== undefined) this.#claims.set(key, { ...claim, lastSeenAt: Number.NEGATIVE_INFINITY });
        ended.push(key);
      }
    }
    return ended;
  }

  forget(key: string): void {
    this.#claims.delete(key);
    this.#graceEnds.delete(key);
  }

  /** Where the clock was set back, a grace that began in the future begins now: none lasts longer than one more grace. */
  #follow(now: number): void {
    const isSetBack = now < this.#now;
    this.#now = now;
    if (!isSetBack) return;
    this.#firstEnd = Number.POSITIVE_INFINITY;
    for (const key of this.#graceEnds.keys()) {
      const claim = this.#claims.get(key);
      if (claim !== undefined && claim.lastSeenAt > now) this.#claims.set(key, { ...claim, lastSeenAt: now });
      this.#beginGrace(key);
    }
  }

  #beginGrace(key: string): void {
    const claim = this.#claims.get(key);
    if (claim === undefined) return;
    const end = claim.lastSeenAt + this.#graceMs;
    this.#graceEnds.set(key, end);
    this.#firstEnd = Math.min(this.#firstEnd, end);
  }
}

/** A service and the client that it claimed, according to an object that an earlier process wrote. */
export interface FormerClaim {
  /** `serviceText`. */
  readonly key: string;
  readonly client: ClientId;
}

/**
 * The claims in the Descriptions of owned sources that scopemesh has a record of. A mark alone is no proof: a person
 * who may write one destination could give an old claim to any service, which then comes before others or counts for the grace.
 */
export function* claimsOfEntries(
  entries: Iterable<IntentionEntry>,
  mapping: Pick<Mapping, 'owner' | 'select'>,
  edges: { recordsOf(destination: ServiceName): EdgeRecords },
): Iterable<FormerClaim> {
  for (const { destination, sources } of entries) {
    const records = edges.recordsOf(destination);
    for (const source of destination.name === '*' ? [] : sources) {
      if (!isOwnedHere(mapping, source) || source.access.kind === 'deny') continue;
      if (!isOwnedNow(destination, source, records)) continue;
      const client = clientOfDescription(source.description);
      if (client !== undefined) yield { key: serviceText(source), client };
    }
  }
}

/** The claims in the service identities of clients' roles. */
export function* claimsOfRoles(
  roles: Iterable<AclRole>,
  mapping: Pick<Mapping, 'owner' | 'place'>,
): Iterable<FormerClaim> {
  const { owner } = mapping;
  for (const { name, description, serviceIdentities } of roles) {
    const client = isOurs(owner, name, description) ? clientOfDescription(description) : undefined;
    if (client === undefined || clientName(owner, client).toLowerCase() !== name.toLowerCase()) continue;
    for (const identity of serviceIdentities)
      yield { key: serviceText(ownService(mapping, identity)), client };
  }
}
