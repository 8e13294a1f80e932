import type { SyncError } from '../../errors.js';
import { isRecord } from '../../model/is-record.js';
import { digestOf } from '../digest.js';
import { denied, wrongShape } from '../read-errors.js';
import { textIn } from '../records.js';
import { readOwnAccountId } from './access-checks.js';
import type { AdminApi } from './admin-api.js';
import { isInternalId } from './json.js';
import { organizationName } from './member-names.js';
import type { KeycloakNames } from './names.js';
import { readPages } from './pages.js';

/** More organizations than a realm has. */
const LIMIT = 20_000;

/** A record that cannot be parsed has a fault, and the alias only if it states one. */
type Organization =
  | { readonly id: string; readonly alias: string; readonly enabled: boolean; readonly fault?: undefined }
  | { readonly id: string; readonly alias: string | undefined; readonly fault: string };

const VIEW_ROLES = ['view-organizations', 'manage-organizations'];

const SWITCHED_OFF: readonly Organization[] = [];

/**
 * The organizations of a realm. They are read once, when the first one is needed. Keycloak leaves out of the list, with
 * status 200, what the token may not see. So none counts as absent unless the reading account has a role to see all.
 */
export function createOrganizations(api: AdminApi, names: KeycloakNames, pageSize: number) {
  const place = api.placeOf('organizations');
  let all: readonly Organization[] | undefined;

  const readAll = async (signal: AbortSignal): Promise<readonly Organization[]> => {
    const realm = await api.get([], {}, signal);
    if (!isRecord(realm) || typeof realm.organizationsEnabled !== 'boolean')
      throw wrongShape(place, 'the realm does not say whether organizations are enabled');
    if (!realm.organizationsEnabled) return SWITCHED_OFF;
    return readPages({
      place,
      pageSize,
      limit: LIMIT,
      read: async (first, max) => {
        const answer = await api.peek(['organizations'], { first, max, briefRepresentation: true }, signal);
        if (answer === undefined) throw notVisible(place);
        if (!Array.isArray(answer)) throw wrongShape(place, 'the answer is not a list');
        return answer.map(parse);
      },
      idOf: ({ id }) => id,
    });
  };
  const parse = (value: unknown): Organization => {
    const id = textIn(value, 'id');
    const alias = textIn(value, 'alias');
    const invalid = (fault: string) => ({ id: id ?? `? ${digestOf(value)}`, alias, fault });
    if (!isRecord(value) || id === undefined || alias === undefined || !isInternalId(id))
      return invalid('an organization has no id or alias');
    if (typeof value.enabled !== 'boolean') return invalid('an organization is shown only in part');
    names.groups.set(id, organizationName(alias));
    return { id, alias, enabled: value.enabled };
  };
  return {
    /**
     * The ID of the enabled organization with this alias. Undefined if the realm has organizations switched off. Throws
     * WrongShape if its record cannot be parsed.
     */
    async find(alias: string, signal: AbortSignal): Promise<string | undefined> {
      all ??= await readAll(signal);
      // A record without an alias may be any organization that is not in the list.
      const found = all.find((each) => each.alias === alias) ?? all.find((each) => each.alias === undefined);
      if (found?.fault !== undefined) throw wrongShape(place, found.fault);
      if (found === undefined && all !== SWITCHED_OFF && !(await mayView(api, signal)))
        throw notVisible(place);
      return found?.enabled ? found.id : undefined;
    },
    /** Whether `find` saw that the realm has organizations switched off. */
    get areOff(): boolean {
      return all === SWITCHED_OFF;
    },
  };
}

/** Reads the effective roles of our own account. That needs `view-users`, as the members do. */
async function mayView(api: AdminApi, signal: AbortSignal): Promise<boolean> {
  const user = await readOwnAccountId(api, signal);
  if (user === undefined) return false;
  const roles = await api.peek(['ui-ext', 'effective-roles', 'users', user], {}, signal);
  return (
    Array.isArray(roles) &&
    roles.some(
      (each) =>
        isRecord(each) && each.client === api.issuer.builtInClient && VIEW_ROLES.includes(String(each.role)),
    )
  );
}

function notVisible(place: string): SyncError {
  const remedy = 'give its service account the role view-organizations of realm-management';
  return denied(place, `the access token may not see them; ${remedy}`);
}
