import type { Catalog, ClaimRecord } from '../model/catalog.js';
import type { OAuthClient } from '../model/client.js';
import type { ServiceName } from '../model/intention.js';

export interface ClientId {
  readonly provider: string;
  readonly clientId: string;
}

/** A text under which a client is unique; for maps. */
export function clientText({ provider, clientId }: ClientId): string {
  // The same text without the work, for it is needed for every edge.
  if (PLAIN.test(provider) && PLAIN.test(clientId)) return `["${provider}","${clientId}"]`;
  return JSON.stringify([provider, clientId]);
}

/** What JSON writes as it is. */
const PLAIN = /^[A-Za-z0-9 ._:/@-]*$/;

/** The reverse of `clientText`. */
export function parseClientText(text: string): ClientId {
  const parts: unknown = JSON.parse(text);
  const [provider, clientId]: readonly unknown[] = Array.isArray(parts) ? parts : [];
  return { provider: String(provider), clientId: String(clientId) };
}

export function serviceText(name: ServiceName): string {
  return `${name.partition}/${name.namespace}/${name.name}`;
}

/** The reverse of `serviceText`. */
export function parseServiceText(text: string): ServiceName {
  const [partition = '', namespace = '', ...name] = text.split('/');
  return { partition, namespace, name: name.join('/') };
}

/** How claims are written in the catalog (`services:` of the configuration). */
export interface ClaimSettings {
  readonly clientMeta: string;
  readonly clientTag: string;
  readonly claimGraceMs: number;
}

/**
 * What a service last claimed, remembered for the grace of a service without instances and for instances that
 * disagree. After a restart it is taken from the Descriptions of owned sources and of our clients' roles.
 */
export interface RememberedClaim extends ClientId {
  /** Milliseconds since the epoch when an instance last said so. */
  readonly lastSeenAt: number;
  /** When the service was first seen to claim this client; 0: what stood in Consul before this process says so. */
  readonly since: number;
}

/** Why a client is closed although its directory may still grant it scopes. */
export type ClientBlock = 'ClientQuarantined' | 'RevocationUnconfirmed';

/**
 * Everything a plan looks at besides the entries themselves. A provider without an entry in `directories` has never
 * been read completely: nothing may be concluded about its clients.
 */
export interface World {
  readonly directories: ReadonlyMap<string, ReadonlyMap<string, OAuthClient>>;
  /** Undefined until the catalog was read completely. */
  readonly catalog: Catalog | undefined;
  /** By `clientText`. */
  readonly claimRecords: ReadonlyMap<string, ClaimRecord>;
  readonly remembered: ReadonlyMap<string, RememberedClaim>;
  /** By `clientText`. */
  readonly clientBlocks: ReadonlyMap<string, ClientBlock>;
  /** By `clientText`: clients whose record cannot be parsed. They keep what they have and gain nothing. */
  readonly unreadable: ReadonlySet<string>;
  /**
   * By provider whose directory has a record that does not say whose it is: the client ids that it certainly does not
   * have. Every other client that it does not show is unreadable too.
   */
  readonly unnamed: ReadonlyMap<string, ReadonlySet<string>>;
  /** Milliseconds since the epoch. */
  readonly now: number;
}

export function findClient(world: World, id: ClientId): OAuthClient | undefined {
  return world.directories.get(id.provider)?.get(id.clientId);
}

/** Whether nothing is known of this one client, although its directory was read completely. */
export function isUnreadable(world: World, id: ClientId): boolean {
  if (world.unreadable.has(clientText(id))) return true;
  const absent = world.unnamed.get(id.provider);
  return absent !== undefined && findClient(world, id) === undefined && !absent.has(id.clientId);
}
