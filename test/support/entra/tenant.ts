import { createHash, randomUUID } from 'node:crypto';

/** An object of the directory, with fields that scopemesh does not read too. */
export type DirectoryObject = Readonly<Record<string, unknown>> & { readonly id: string };

export type CollectionName =
  | 'applications'
  | 'servicePrincipals'
  | 'oauth2PermissionGrants'
  | 'appRoleAssignments'
  | 'groups'
  | 'users'
  | 'tokenLifetimePolicies';

/** Every collection by id. */
export type TenantState = Readonly<Record<CollectionName, ReadonlyMap<string, DirectoryObject>>>;

export interface ChangeEntry {
  readonly sequence: number;
  readonly collection: CollectionName;
  readonly id: string;
  readonly removed: boolean;
  /** The object before the change. */
  readonly before: DirectoryObject | undefined;
}

/** The directory of one tenant with the log of its changes. */
export interface Tenant {
  readonly id: string;
  put(collection: CollectionName, object: DirectoryObject): void;
  remove(collection: CollectionName, id: string): void;
  get(collection: CollectionName, id: string): DirectoryObject | undefined;
  /** What a replica shows: the state as it is, or as it was when reads were frozen. */
  readonly visible: TenantState;
  readonly current: TenantState;
  readonly changes: readonly ChangeEntry[];
  /** From now on reads show what is there now, as a replica that lags does; changes still cause notifications. */
  freezeReads(): void;
  thawReads(): void;
  /** Called after each change. */
  onChange: ((entry: ChangeEntry) => void) | undefined;
}

const EMPTY: TenantState = {
  applications: new Map(),
  servicePrincipals: new Map(),
  oauth2PermissionGrants: new Map(),
  appRoleAssignments: new Map(),
  groups: new Map(),
  users: new Map(),
  tokenLifetimePolicies: new Map(),
};

export function createTenant(id: string): Tenant {
  let state = EMPTY;
  let frozen: TenantState | undefined;
  const changes: ChangeEntry[] = [];
  const edit = (
    collection: CollectionName,
    objectId: string,
    change: (objects: Map<string, DirectoryObject>) => void,
    removed: boolean,
  ) => {
    const objects = new Map(state[collection]);
    const before = objects.get(objectId);
    change(objects);
    state = { ...state, [collection]: objects };
    const entry = { sequence: changes.length + 1, collection, id: objectId, removed, before };
    changes.push(entry);
    self.onChange?.(entry);
  };
  const self: Tenant = {
    id,
    put: (collection, object) =>
      edit(collection, object.id, (objects) => void objects.set(object.id, object), false),
    remove: (collection, objectId) =>
      edit(collection, objectId, (objects) => void objects.delete(objectId), true),
    get: (collection, objectId) => state[collection].get(objectId),
    get visible() {
      return frozen ?? state;
    },
    get current() {
      return state;
    },
    changes,
    freezeReads() {
      frozen = state;
    },
    thawReads() {
      frozen = undefined;
    },
    onChange: undefined,
  };
  return self;
}

/** The same id for the same name, so that tests can name what Entra would number. */
export function guidOf(name: string): string {
  const hex = createHash('sha256').update(name).digest('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20, 32)}`;
}

export function opaqueId(): string {
  return Buffer.from(randomUUID()).toString('base64url');
}
