import { z } from 'zod';
import type { ClientGrant } from './client.js';
import type { ManagementApi } from './management-api.js';

const PAGE = z.looseObject({ organizations: z.array(z.unknown()) });
const PERMISSION = 'read:organization_client_grants';

/**
 * Whether the client can get a token by the grant, as far as organizations decide it. A grant may require one
 * (auth0.com/docs/manage-users/organizations/organizations-for-m2m-applications/configure-your-application-for-m2m-access).
 * Then it opens nothing until any organization may be used, or one is associated with the grant
 * (auth0.com/docs/api/management/v2/client-grants/get-client-grant-organizations). A text says why that is unknown.
 */
export async function hasOrganization(
  api: ManagementApi,
  { id, organization_usage: usage, allow_any_organization: isAny }: ClientGrant,
  signal: AbortSignal,
): Promise<boolean | string> {
  if (usage !== 'require' || isAny === true) return true;
  const segments = ['client-grants', id, 'organizations'];
  const answer = await api.send(segments, { take: 1 }, {}, signal);
  if (answer.status === 403)
    return `it requires an organization, and scopemesh may not read which ones it has; grant ${PERMISSION}`;
  return api.parse(PAGE, answer, segments).organizations.length > 0;
}
