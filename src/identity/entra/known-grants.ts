import { groupBy } from '../../model/group-by.js';
import { confirmMissing } from '../known-entries.js';
import type { ListRecord } from '../records.js';
import { assignmentPath, type PermissionGrant, type RoleAssignment } from './grants.js';
import type { GraphApi } from './graph-api.js';

interface GrantKind<T> {
  readonly what: string;
  /** The object ID of the client's service principal. */
  readonly holderOf: (grant: T) => string;
  /** Where Graph shows one grant alone. */
  readonly pathOf: (grant: T) => string;
}

export const ASSIGNMENTS: GrantKind<RoleAssignment> = {
  what: 'app role assignments',
  holderOf: ({ principalId }) => principalId,
  pathOf: ({ id, resourceId }) => assignmentPath(resourceId, id),
};

export const PERMISSION_GRANTS: GrantKind<PermissionGrant> = {
  what: 'permission grants',
  holderOf: ({ clientId }) => clientId,
  // https://learn.microsoft.com/graph/api/oauth2permissiongrant-get
  pathOf: ({ id }) => `/oauth2PermissionGrants/${encodeURIComponent(id)}`,
};

/**
 * The grants of one kind that the last reads found. Graph can answer a list with status 200 that lacks grants which still
 * exist, and nothing in such a list must be there: the own permissions of scopemesh are grants at Microsoft Graph, which is
 * no API of the mesh. So if a list lacks more than half of the known grants, Graph is asked for some of them alone.
 */
export class KnownGrants<T extends { readonly id: string; readonly resourceId: string }> {
  readonly #api: GraphApi;
  readonly #kind: GrantKind<T>;
  #byHolder: Map<string, readonly T[]> = new Map();

  constructor(api: GraphApi, kind: GrantKind<T>) {
    this.#api = api;
    this.#kind = kind;
  }

  /** Throws IncompleteRead if a grant of the holder, or at the resource, exists that the list of it lacks. */
  async require(
    {
      holder,
      resource,
    }:
      | { readonly holder: string; readonly resource?: undefined }
      | { readonly resource: string; readonly holder?: undefined },
    records: readonly ListRecord<unknown>[],
    signal: AbortSignal,
  ): Promise<void> {
    const known =
      holder === undefined
        ? [...this.#byHolder.values()].flat().filter((grant) => grant.resourceId === resource)
        : (this.#byHolder.get(holder) ?? []);
    const listed = new Set(records.map(({ id }) => id));
    const missing = known.filter(({ id }) => !listed.has(id));
    if (missing.length * 2 <= known.length) return;
    const { what, pathOf } = this.#kind;
    const isThere = async (grant: T) => (await this.#api.find(pathOf(grant), {}, what, signal)) !== undefined;
    await confirmMissing(missing, isThere, this.#api.placeOf(what));
  }

  /** Call it after a complete read. */
  replaceAll(grants: readonly T[]): void {
    this.#byHolder = new Map(groupBy(grants, this.#kind.holderOf));
  }

  /** Call it after a read of one client. */
  replaceOf(holder: string, grants: readonly T[]): void {
    if (grants.length === 0) this.#byHolder.delete(holder);
    else this.#byHolder.set(holder, grants);
  }
}
