import { RefusedCredentials, SyncError } from '../../errors.js';
import type { AccessCheck } from '../directory.js';
import type { OktaApi, OktaScope } from './api.js';

/** A scope, and a cheap read that needs it. */
type Read = Omit<AccessCheck, 'permission' | 'isGranted'> & {
  readonly scope: OktaScope;
  readonly segments: readonly string[];
};

const READS: readonly Read[] = [
  { scope: 'okta.apps.read', neededFor: 'the apps that are OAuth clients', segments: ['api', 'v1', 'apps'] },
  {
    scope: 'okta.authorizationServers.read',
    neededFor: 'the scopes of authorization servers, and which clients may obtain them',
    segments: ['api', 'v1', 'authorizationServers'],
  },
  { scope: 'okta.logs.read', neededFor: 'changes, from the System Log', segments: ['api', 'v1', 'logs'] },
  {
    scope: 'okta.groups.read',
    neededFor: 'the members of groups',
    segments: ['api', 'v1', 'groups'],
    forGroupsOnly: true,
  },
  {
    scope: 'okta.users.read',
    neededFor: 'whether a person whom a list of members lacks is still a member',
    segments: ['api', 'v1', 'users'],
    forGroupsOnly: true,
  },
];

const AGENTS = {
  scope: 'okta.aiAgents.read',
  neededFor: 'which clients are AI agents',
  segments: ['workload-principals', 'api', 'v1', 'ai-agents'],
} as const;

/** Administrator roles, in addition to the scopes: without one, Okta shows a service app nothing. */
const ROLE = 'READ_ONLY_ADMIN';
const AGENTS_ROLE = 'SUPER_ADMIN';

/**
 * Which okta.* scopes are granted, and whether the administrator role is sufficient. Each scope is requested alone and
 * tested with a read. An API token has no scopes: there a refused read means that its owner's role is not sufficient.
 */
export async function checkOktaAccess(
  api: OktaApi,
  options: { readonly readsGrants: boolean; readonly readsAgents: boolean },
  signal: AbortSignal,
): Promise<readonly AccessCheck[]> {
  const checks: AccessCheck[] = [];
  const refused = new Set<OktaScope>();
  const reads = [
    ...READS,
    ...(options.readsGrants ? ownGrants(api) : []),
    ...(options.readsAgents ? [AGENTS] : []),
  ];
  for (const { scope, segments, ...about } of reads) {
    const outcome = await tryRead(api, scope, segments, signal);
    // The token has the scope, so the administrator role is not sufficient.
    if (outcome === 'refused') refused.add(scope);
    checks.push({ permission: scope, ...about, isGranted: outcome !== 'no token' });
  }
  const isEnough = ![...refused].some((scope) => scope !== AGENTS.scope);
  checks.push({ permission: ROLE, neededFor: 'what the scopes open, for all apps', isGranted: isEnough });
  if (options.readsAgents) {
    const isGranted = !refused.has(AGENTS.scope);
    checks.push({ permission: AGENTS_ROLE, neededFor: AGENTS.neededFor, isGranted });
  }
  return checks;
}

/** The grants of the app that reads. An API token belongs to no app. */
function ownGrants({ clientId }: OktaApi): readonly Read[] {
  if (clientId === undefined) return [];
  const segments = ['api', 'v1', 'apps', clientId, 'grants'];
  return [{ scope: 'okta.appGrants.read', neededFor: 'the Okta API scopes of apps', segments }];
}

async function tryRead(
  api: OktaApi,
  scope: OktaScope,
  segments: readonly string[],
  signal: AbortSignal,
): Promise<'read' | 'no token' | 'refused'> {
  const place = `provider ${api.provider}, access`;
  try {
    const answer = await api.send(api.address(segments, { limit: 1 }), scope, place, signal);
    if (answer.status === 200 || answer.status === 404) return 'read';
    const refusal = api.refusal(answer, place);
    if (refusal.code !== 'ERR_DIRECTORY_DENIED') throw refusal;
    const isAboutToken =
      answer.status === 401 || /insufficient_scope/.test(answer.headers['www-authenticate'] ?? '');
    return isAboutToken ? 'no token' : 'refused';
  } catch (error) {
    // Refused credentials are an error, and not a missing permission.
    if (error instanceof RefusedCredentials) throw error;
    if (error instanceof SyncError && error.code === 'ERR_DIRECTORY_DENIED') return 'no token';
    throw error;
  }
}
