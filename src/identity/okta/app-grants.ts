import { z } from 'zod';
import type { Grant } from '../../model/client.js';
import type { OktaApi } from './api.js';
import { readList } from './pages.js';

const APP_GRANT = z.looseObject({ id: z.string().min(1), status: z.string(), scopeId: z.string().min(1) });

/** Access tokens of the org authorization server last an hour, which nobody can change. */
export const ORG_LIFETIME_SECONDS = 3600;

/** The Okta API scopes that an administrator granted an app, as grants of `name`. */
export async function readAppGrants(
  api: OktaApi,
  name: string,
  appId: string,
  signal: AbortSignal,
): Promise<readonly Grant[]> {
  const segments = ['api', 'v1', 'apps', appId, 'grants'];
  const place = `provider ${api.provider}, apps/grants`;
  const found = await readList(
    api,
    { segments, scope: 'okta.appGrants.read', place, entry: APP_GRANT },
    signal,
  );
  const active = found.filter(({ status }) => status === 'ACTIVE').map(({ scopeId }) => scopeId);
  return [...new Set(active)].sort().map((scope) => ({ api: name, name: scope }));
}
