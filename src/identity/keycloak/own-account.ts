import { textIn } from '../records.js';
import type { AdminApi } from './admin-api.js';

/** The user ID of the service account with which scopemesh reads; undefined if the token may not see it. */
export async function readOwnAccountId(api: AdminApi, signal: AbortSignal): Promise<string | undefined> {
  const clients = await api.peek(['clients'], { clientId: api.clientId }, signal);
  const own: unknown = Array.isArray(clients)
    ? clients.find((each) => textIn(each, 'clientId') === api.clientId)
    : undefined;
  const client = textIn(own, 'id');
  if (client === undefined) return undefined;
  return textIn(await api.peek(['clients', client, 'service-account-user'], {}, signal), 'id');
}
