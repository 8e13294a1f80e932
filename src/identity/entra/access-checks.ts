import type { AccessCheck } from '../directory.js';
import type { GraphApi } from './graph-api.js';

/** For each permission, the reads that Graph refuses without it. Clients must not read the access tokens for Graph. */
const CHECKS = [
  {
    permission: 'Application.Read.All',
    neededFor: 'applications, service principals and app role assignments',
    paths: ['/servicePrincipals', '/applications'],
  },
  {
    permission: 'Directory.Read.All',
    neededFor: 'delegated permission grants, and what changed',
    paths: ['/oauth2PermissionGrants', '/oauth2PermissionGrants/delta', '/servicePrincipals/delta'],
  },
  {
    permission: 'Policy.Read.All',
    neededFor: 'token lifetimes; without it 10 minutes are assumed',
    paths: ['/policies/tokenLifetimePolicies'],
  },
  {
    permission: 'GroupMember.Read.All',
    neededFor: 'the members of groups',
    forGroupsOnly: true,
    paths: ['/groups'],
  },
  {
    permission: 'User.Read.All',
    neededFor: 'whether the accounts of members are enabled, and notifications about users',
    forGroupsOnly: true,
    paths: ['/users'],
  },
] as const;

export async function checkAccess(api: GraphApi, signal: AbortSignal): Promise<readonly AccessCheck[]> {
  const checks: AccessCheck[] = [];
  for (const { paths, ...permission } of CHECKS) {
    let isGranted = true;
    for (const path of paths) isGranted = isGranted && (await isAllowed(api, path, signal));
    checks.push({ ...permission, isGranted });
  }
  return checks;
}

async function isAllowed(api: GraphApi, path: string, signal: AbortSignal): Promise<boolean> {
  const place = api.placeOf('permissions');
  const query = path.endsWith('/delta')
    ? { $deltatoken: 'latest' }
    : path.startsWith('/policies')
      ? {}
      : { $top: 1, $select: 'id' };
  const answer = await api.send(api.addressOf(path, query), place, {}, signal);
  if (answer.status === 200) return true;
  if (answer.status === 403) return false;
  throw api.refusalOf(answer, place);
}
