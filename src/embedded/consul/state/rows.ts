import { isDeepStrictEqual } from 'node:util';

/** Rows as the store keeps them. Field names are Consul's own, so that a row is its JSON. */
export interface Indexed {
  readonly CreateIndex: number;
  readonly ModifyIndex: number;
}

/** A row without its indexes. */
export function contentOf<Row extends Indexed>(row: Row): Omit<Row, keyof Indexed> {
  const { CreateIndex: _created, ModifyIndex: _modified, ...content } = row;
  return content;
}

/** Whether a row holds this content, whatever the order of its fields. */
export function isSameContent(row: Indexed, content: object): boolean {
  return isDeepStrictEqual(contentOf(row), content);
}

/** A config entry of any kind: its kind's fields lie beside the ones named here. */
export interface ConfigEntryRow extends Indexed {
  readonly Kind: string;
  readonly Name: string;
  readonly [field: string]: unknown;
}

export interface KvRow extends Indexed {
  readonly LockIndex: number;
  readonly Key: string;
  readonly Flags: number;
  /** Base64, or null for an empty value. */
  readonly Value: string | null;
  readonly Session?: string;
}

export interface TombstoneRow {
  readonly Key: string;
  readonly Index: number;
}

export interface NodeRow extends Indexed {
  readonly ID: string;
  readonly Node: string;
  readonly Address: string;
  readonly Datacenter: string;
  readonly TaggedAddresses: Readonly<Record<string, string>> | null;
  readonly Meta: Readonly<Record<string, string>> | null;
}

export interface ServiceRow extends Indexed {
  readonly Node: string;
  readonly Kind: string;
  readonly ID: string;
  readonly Service: string;
  readonly Tags: readonly string[] | null;
  readonly Address: string;
  readonly TaggedAddresses: Readonly<Record<string, unknown>> | null;
  readonly Port: number;
  readonly SocketPath: string;
  readonly Meta: Readonly<Record<string, string>> | null;
  readonly Weights: { readonly Passing: number; readonly Warning: number };
  readonly EnableTagOverride: boolean;
  readonly Proxy: Readonly<Record<string, unknown>>;
  readonly Connect: Readonly<Record<string, unknown>>;
}

export interface SessionRow extends Indexed {
  readonly ID: string;
  readonly Name: string;
  readonly Node: string;
  /** Nanoseconds. */
  readonly LockDelay: number;
  readonly Behavior: string;
  /** A Go duration, or empty. */
  readonly TTL: string;
  readonly NodeChecks: readonly string[];
  readonly ServiceChecks: readonly unknown[] | null;
}

export interface AclLink {
  readonly ID: string;
  readonly Name: string;
}

export interface ServiceIdentity {
  readonly ServiceName: string;
  readonly Datacenters?: readonly string[];
}

export interface NodeIdentity {
  readonly NodeName: string;
  readonly Datacenter: string;
}

/** What tokens and roles alike grant. */
export interface Grants {
  readonly Policies?: readonly AclLink[];
  readonly ServiceIdentities?: readonly ServiceIdentity[];
  readonly NodeIdentities?: readonly NodeIdentity[];
}

export interface AclTokenRow extends Indexed, Grants {
  readonly AccessorID: string;
  readonly SecretID: string;
  readonly Description: string;
  readonly Roles?: readonly AclLink[];
  readonly Local: boolean;
  readonly AuthMethod?: string;
  readonly ExpirationTime?: string;
  readonly CreateTime: string;
  readonly Hash: string;
}

export interface AclPolicyRow extends Indexed {
  readonly ID: string;
  readonly Name: string;
  readonly Description: string;
  readonly Rules: string;
  readonly Datacenters?: readonly string[];
  readonly Hash: string;
}

export interface AclRoleRow extends Indexed, Grants {
  readonly ID: string;
  readonly Name: string;
  readonly Description: string;
  readonly Hash: string;
}

export interface AclAuthMethodRow extends Indexed {
  readonly Name: string;
  readonly Type: string;
  readonly DisplayName?: string;
  readonly Description?: string;
  /** A Go duration; absent where tokens never end. */
  readonly MaxTokenTTL?: string;
  readonly TokenLocality?: string;
  /** As it was given. */
  readonly Config: Readonly<Record<string, unknown>>;
}

export interface AclBindingRuleRow extends Indexed {
  readonly ID: string;
  readonly Description: string;
  readonly AuthMethod: string;
  readonly Selector: string;
  readonly BindType: string;
  readonly BindName: string;
}
