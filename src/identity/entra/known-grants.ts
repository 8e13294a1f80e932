import { confirmMissing } from '../known-entries.js';
import type { ListRecord } from '../records.js';
import type { GraphApi } from './graph-api.js';

/** One grant: a service principal may obtain something at a resource. */
export interface KnownGrant {
  readonly id: string;
  /** The object ID of the client's service principal. */
  readonly holder: string;
  /** The object ID of the API's service principal. */
  readonly resource: string;
}

/**
 * The grants of one kind that the last reads found. Graph can answer a list with status 200 that lacks grants which still
 * exist, and nothing in such a list must be there: the own permissions of scopemesh are grants at Microsoft Graph, which is
 * no API of the mesh. So if a list lacks more than half of the known grants, Graph is asked for some of them alone.
 */
export class KnownGrants {
  readonly #api: GraphApi;
  readonly #what: string;
  readonly #pathOf: (grant: KnownGrant) => string;
  #byHolder: Map<string, readonly KnownGrant[]> = new Map();

  constructor(api: GraphApi, what: string, pathOf: (grant: KnownGrant) => string) {
    this.#api = api;
    this.#what = what;
    this.#pathOf = pathOf;
  }

  /** Throws IncompleteRead if a grant at the resource exists that the list of this resource lacks. */
  async requireAt(
    resource: string,
    records: readonly ListRecord<unknown>[],
    signal: AbortSignal,
  ): Promise<void> {
    const known = [...this.#byHolder.values()].flat().filter((grant) => grant.resource === resource);
    await this.#require(known, records, signal);
  }

  /** Throws IncompleteRead if a grant of the holder exists that the list of this holder lacks. */
  async requireOf(
    holder: string,
    records: readonly ListRecord<unknown>[],
    signal: AbortSignal,
  ): Promise<void> {
    await this.#require(this.#byHolder.get(holder) ?? [], records, signal);
  }

  /** Call it after a complete read. */
  replaceAll(grants: readonly KnownGrant[]): void {
    const byHolder = new Map<string, KnownGrant[]>();
    for (const grant of grants) {
      const held = byHolder.get(grant.holder);
      if (held === undefined) byHolder.set(grant.holder, [grant]);
      else held.push(grant);
    }
    this.#byHolder = byHolder;
  }

  /** Call it after a read of one client. */
  replaceOf(holder: string, grants: readonly KnownGrant[]): void {
    if (grants.length === 0) this.#byHolder.delete(holder);
    else this.#byHolder.set(holder, grants);
  }

  async #require(
    known: readonly KnownGrant[],
    records: readonly ListRecord<unknown>[],
    signal: AbortSignal,
  ): Promise<void> {
    const listed = new Set(records.map(({ id }) => id));
    const missing = known.filter(({ id }) => !listed.has(id));
    if (missing.length * 2 <= known.length) return;
    const isThere = async (grant: KnownGrant) =>
      (await this.#api.find(this.#pathOf(grant), {}, this.#what, signal)) !== undefined;
    await confirmMissing(missing, isThere, this.#api.placeOf(this.#what));
  }
}

/** https://learn.microsoft.com/graph/api/approleassignment-get */
export function createKnownAssignments(api: GraphApi): KnownGrants {
  return new KnownGrants(
    api,
    'app role assignments',
    ({ id, resource }) => `/servicePrincipals/${resource}/appRoleAssignedTo/${encodeURIComponent(id)}`,
  );
}

/** https://learn.microsoft.com/graph/api/oauth2permissiongrant-get */
export function createKnownPermissionGrants(api: GraphApi): KnownGrants {
  return new KnownGrants(
    api,
    'permission grants',
    ({ id }) => `/oauth2PermissionGrants/${encodeURIComponent(id)}`,
  );
}
