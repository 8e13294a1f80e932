import { SyncError } from '../../errors.js';
import { wrongShape } from '../records.js';
import type { AdminApi } from './admin-api.js';
import { isInternalId, isObject, textAt } from './json.js';
import { organizationName } from './member-names.js';
import type { KeycloakNames } from './names.js';
import { readPages } from './pages.js';

/** More organizations than a realm has. */
const LIMIT = 20_000;

interface Organization {
  readonly id: string;
  readonly alias: string;
  readonly enabled: boolean;
}

const VIEW = ['view-organizations', 'manage-organizations'];

/**
 * The organizations of a realm, read once and only when one is asked for. Keycloak leaves out of the list, with status
 * 200, what the token may not see; so none is taken for gone unless the account that reads has the role to see all.
 */
export interface Organizations {
  /** The id of the enabled one with this alias; none where the realm has organizations switched off. */
  find(alias: string, signal: AbortSignal): Promise<string | undefined>;
}

/** Of a realm that has them switched off. */
const NONE: readonly Organization[] = [];

export function createOrganizations(api: AdminApi, names: KeycloakNames, pageSize: number): Organizations {
  const place = `provider ${api.provider}, realm ${api.issuer.realm}, organizations`;
  let all: readonly Organization[] | undefined;

  const readAll = async (signal: AbortSignal): Promise<readonly Organization[]> => {
    const realm = await api.get([], {}, signal);
    if (!isObject(realm) || typeof realm.organizationsEnabled !== 'boolean')
      throw wrongShape(place, 'the realm does not say whether it has organizations');
    if (!realm.organizationsEnabled) return NONE;
    return readPages({
      place,
      pageSize,
      limit: LIMIT,
      read: async (first, max) => {
        const answer = await api.peek(['organizations'], { first, max, briefRepresentation: true }, signal);
        if (answer === undefined) throw denied(place);
        if (!Array.isArray(answer)) throw wrongShape(place, 'the answer is not a list');
        return answer.map(parse);
      },
      idOf: ({ id }) => id,
    });
  };
  const parse = (value: unknown): Organization => {
    const id = isObject(value) ? textAt(value, 'id') : undefined;
    const alias = isObject(value) ? textAt(value, 'alias') : undefined;
    if (!isObject(value) || id === undefined || alias === undefined || !isInternalId(id))
      throw wrongShape(place, 'an organization has no id or alias');
    if (typeof value.enabled !== 'boolean') throw wrongShape(place, 'an organization is shown in part');
    names.learnGroup(id, organizationName(alias));
    return { id, alias, enabled: value.enabled };
  };
  return {
    async find(alias, signal) {
      all ??= await readAll(signal);
      const found = all.find((each) => each.alias === alias);
      if (found === undefined && all !== NONE && !(await mayView(api, signal))) throw denied(place);
      return found?.enabled ? found.id : undefined;
    },
  };
}

/** By the effective roles of its own account, which take `view-users` to see, as do the members. */
async function mayView(api: AdminApi, signal: AbortSignal): Promise<boolean> {
  const builtIn = api.issuer.realm === 'master' ? 'master-realm' : 'realm-management';
  const clients = await api.peek(['clients'], { clientId: api.clientId }, signal);
  const own: unknown = Array.isArray(clients)
    ? clients.find((each) => isObject(each) && each.clientId === api.clientId)
    : undefined;
  const client = isObject(own) ? textAt(own, 'id') : undefined;
  if (client === undefined) return false;
  const account = await api.peek(['clients', client, 'service-account-user'], {}, signal);
  const user = isObject(account) ? textAt(account, 'id') : undefined;
  if (user === undefined) return false;
  const roles = await api.peek(['ui-ext', 'effective-roles', 'users', user], {}, signal);
  return (
    Array.isArray(roles) &&
    roles.some((each) => isObject(each) && each.client === builtIn && VIEW.includes(String(each.role)))
  );
}

function denied(place: string): SyncError {
  const remedy = 'give its service account the role view-organizations of realm-management';
  return new SyncError('ERR_DIRECTORY_DENIED', `${place}: the token may not see them; ${remedy}`, {
    retriable: false,
  });
}
