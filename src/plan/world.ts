import type { Catalog, ClaimRecord } from '../model/catalog.js';
import type { OAuthClient } from '../model/client.js';
import type { ServiceName } from '../model/intention.js';

export interface ClientId {
  readonly provider: string;
  readonly clientId: string;
}

/** A text under which a client is unique; for maps. */
export function clientText({ provider, clientId }: ClientId): string {
  // A fast path, because every edge needs this text.
  if (PLAIN.test(provider) && PLAIN.test(clientId)) return `["${provider}","${clientId}"]`;
  return JSON.stringify([provider, clientId]);
}

/** Texts that JSON does not escape. */
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
 * The last claim of a service, for the grace of a service without instances and for instances that disagree. After a
 * restart it is restored from the Descriptions of owned sources and of the clients' roles.
 */
export interface RememberedClaim extends ClientId {
  /** Milliseconds since the epoch when an instance last made the claim. */
  readonly lastSeenAt: number;
  /** When the service was first seen to claim this client; 0 if objects in Consul from before this process show the claim. */
  readonly since: number;
}

/** Why a client is closed although its directory may still grant it scopes. */
export const CLIENT_BLOCKS = ['ClientQuarantined', 'RevocationUnconfirmed'] as const;
export type ClientBlock = (typeof CLIENT_BLOCKS)[number];

/**
 * Everything that a plan depends on besides the entries. A provider without an entry in `directories` was never read
 * completely: nothing may be concluded about its clients.
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
   * By provider whose directory has a record without a readable client ID: the client IDs that certainly do not exist.
   * Every other client that the directory does not show counts as unreadable.
   */
  readonly unnamed: ReadonlyMap<string, ReadonlySet<string>>;
  /**
   * By `clientText`: clients of an unread directory that were read alone; undefined: there is no such client. They may lose
   * what they have, and gain nothing.
   */
  readonly readAlone: ReadonlyMap<string, OAuthClient | undefined>;
  /** Milliseconds since the epoch. */
  readonly now: number;
}

export function findClient(world: World, id: ClientId): OAuthClient | undefined {
  const directory = world.directories.get(id.provider);
  return directory === undefined ? world.readAlone.get(clientText(id)) : directory.get(id.clientId);
}

/** Whether this client may only lose: it was read alone, and its directory was never read completely. */
export function mayOnlyLose(world: World, id: ClientId): boolean {
  return !world.directories.has(id.provider) && world.readAlone.has(clientText(id));
}

/** Whether nothing is known about this client, although its directory was read completely. */
export function isUnreadable(world: World, id: ClientId): boolean {
  if (world.unreadable.has(clientText(id))) return true;
  const absent = world.unnamed.get(id.provider);
  return absent !== undefined && findClient(world, id) === undefined && !absent.has(id.clientId);
}
