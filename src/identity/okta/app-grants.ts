import { z } from 'zod';
import type { Grant } from '../../model/client.js';
import type { OktaApi } from './api.js';
import { readList } from './pages.js';

const APP_GRANT = z.looseObject({ id: z.string().min(1), status: z.string(), scopeId: z.string().min(1) });

/** Access tokens of the org authorization server are valid for one hour, which cannot be changed. */
export const ORG_LIFETIME_SECONDS = 3600;

/** The Okta API scopes that an administrator granted to an app, as grants of the API `name`. */
export async function readAppGrants(
  api: OktaApi,
  name: string,
  appId: string,
  signal: AbortSignal,
): Promise<readonly Grant[]> {
  const segments = ['api', 'v1', 'apps', appId, 'grants'];
  const place = `provider ${api.provider}, apps/grants`;
  const list = { segments, scope: 'okta.appGrants.read', place, entry: APP_GRANT } as const;
  const found = await readList(api, list, signal);
  const active = found.filter(({ status }) => status === 'ACTIVE').map(({ scopeId }) => scopeId);
  return [...new Set(active)].sort().map((scope) => ({ api: name, name: scope }));
}
