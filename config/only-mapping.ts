import { definedFields } from '../src/model/defined-fields.js';
import { asMap } from './checks.js';

const UNUSED = 'unused';
const STAND_IN = { issuer: 'http://127.0.0.1', audience: UNUSED, userAudience: UNUSED };
const OF_CLIENT = { ...STAND_IN, clientId: UNUSED, clientSecret: UNUSED };

/** A file's value before expansion, with stand-ins for everything that names a server or a secret. */
export function onlyMapping(value: unknown): unknown {
  const { consul, queue, decisions, http, state, lease, resync, providers, ...rest } = asMap(value);
  return {
    ...rest,
    consul: { address: 'http://127.0.0.1:8500' },
    ...definedFields({ providers: Array.isArray(providers) ? providers.map(toStandIn) : providers }),
  };
}

/** What decides of a provider which rules match a scope: its name, its APIs, and whether it is a Keycloak. */
function toStandIn(value: unknown): unknown {
  const { name, kind, apis } = asMap(value);
  if (kind !== 'keycloak' && apis === undefined)
    return definedFields({ ...STAND_IN, name, kind: 'oidc', directory: UNUSED });
  return definedFields({ ...OF_CLIENT, name, kind: kind === 'keycloak' ? kind : 'auth0', apis });
}
