import { z } from 'zod';
import type { ActorKind } from '../../model/actor.js';
import type { Grant, OAuthClient } from '../../model/client.js';
import { definedFields } from '../../model/defined-fields.js';
import { isGuid } from './tenant.js';

export const guid = z.string().refine(isGuid);

const credential = z.object({ startDateTime: z.string().nullish(), endDateTime: z.string().nullish() });
type Credential = z.output<typeof credential>;

/** Some kinds of principals have no such list. */
const list = <T>(entry: z.ZodType<T>) =>
  z
    .array(entry)
    .nullish()
    .transform((entries) => entries ?? []);

/**
 * _Deactivate_ of an app registration, which its service principals show too; null means enabled
 * (https://learn.microsoft.com/entra/identity/enterprise-apps/deactivate-app-registration). Undefined if Graph 1.0 does not
 * report it.
 */
const isDisabled = z.boolean().nullish();

/** https://learn.microsoft.com/graph/api/resources/serviceprincipal */
export const SERVICE_PRINCIPAL = z.object({
  '@odata.type': z.string().optional(),
  id: guid,
  appId: guid.nullish(),
  displayName: z.string().max(1024).nullish(),
  // Required, because a missing value must not count as enabled. Graph may say null, which does not either.
  accountEnabled: z.boolean().nullable(),
  disabledByMicrosoftStatus: z.string().nullish(),
  isDisabled,
  servicePrincipalType: z.string().nullish(),
  appOwnerOrganizationId: z.string().nullish(),
  /** Only of an agent identity: the `appId` of its blueprint (https://learn.microsoft.com/graph/api/resources/agentidentity). */
  agentIdentityBlueprintId: guid.nullish(),
  notes: z.string().max(16_384).nullish(),
  tags: list(z.string().max(16_384)),
  replyUrls: list(z.string()),
  passwordCredentials: list(credential),
  keyCredentials: list(credential),
});
export type ServicePrincipal = z.output<typeof SERVICE_PRINCIPAL>;

export const PRINCIPAL_FIELDS =
  'id,appId,displayName,accountEnabled,disabledByMicrosoftStatus,servicePrincipalType,appOwnerOrganizationId,notes,tags,replyUrls,passwordCredentials,keyCredentials';

/** Selected if Graph knows them. */
export const PRINCIPAL_OPTIONAL = ['isDisabled', 'agentIdentityBlueprintId'] as const;

/** https://learn.microsoft.com/graph/api/resources/application */
export const APPLICATION = z.object({
  id: guid,
  appId: guid,
  isDisabled,
  isFallbackPublicClient: z.boolean().nullish(),
  passwordCredentials: list(credential),
  keyCredentials: list(credential),
});
export type Application = z.output<typeof APPLICATION>;

export const APPLICATION_FIELDS = 'id,appId,isFallbackPublicClient,passwordCredentials,keyCredentials';
export const APPLICATION_OPTIONAL = ['isDisabled'] as const;

/** An agent identity has no application of its own. It signs in with its object ID. */
export function clientIdOf(principal: ServicePrincipal): string {
  return principal.appId ?? principal.id;
}

/** Whether tokens are issued to such a principal. `Legacy` ones and those of social providers get none. */
export function isClient(principal: Pick<ServicePrincipal, 'servicePrincipalType'>): boolean {
  return !['Legacy', 'SocialIdp'].includes(principal.servicePrincipalType ?? '');
}

/** The parts of an agent identity's blueprint that are in this tenant. */
export interface Blueprint {
  readonly principal: ServicePrincipal | undefined;
  readonly application: Application | undefined;
}

interface PrincipalContext {
  readonly provider: string;
  readonly tenantId: string;
  readonly nowMs: number;
  /** The registration, if it is in this tenant. */
  readonly application: Application | undefined;
  /** Of an agent identity, as far as known. */
  readonly blueprint?: Blueprint | undefined;
  readonly grants: readonly Grant[];
  /** Undefined: unknown. */
  readonly lifetimeSeconds: number | undefined;
}

export function toOAuthClient(principal: ServicePrincipal, context: PrincipalContext): OAuthClient {
  const { application } = context;
  const credentials = [principal, ...(application === undefined ? [] : [application])].flatMap((each) => [
    ...each.passwordCredentials,
    ...each.keyCredentials,
  ]);
  return {
    provider: context.provider,
    clientId: clientIdOf(principal),
    internalId: principal.id,
    ...definedFields({ name: principal.displayName ?? undefined }),
    enabled: isEnabled(principal, context),
    grantTypes: grantTypesOf(principal, application, credentials.length > 0),
    grants: context.grants,
    ...(context.lifetimeSeconds === undefined
      ? { isLifetimeUnread: true }
      : { accessTokenLifetimeSeconds: context.lifetimeSeconds }),
    attributes: attributesOf(principal, application),
    ...definedFields({
      secretCreatedAt: oldestInUse(credentials, context.nowMs),
      actorKind: actorKindOf(principal),
    }),
  };
}

/** Whether neither an administrator nor Microsoft disabled it. An unknown value (null) does not count as enabled. */
export function isSwitchedOn(
  principal: Pick<ServicePrincipal, 'accountEnabled' | 'disabledByMicrosoftStatus'>,
): boolean {
  const byMicrosoft = principal.disabledByMicrosoftStatus ?? 'NotDisabled';
  return principal.accountEnabled === true && ['', 'NotDisabled'].includes(byMicrosoft);
}

function isEnabled(principal: ServicePrincipal, context: PrincipalContext): boolean {
  if (isOff({ principal, application: context.application })) return false;
  // "Disabling an agent identity blueprint prevents all its agent identities from authenticating"
  // (https://learn.microsoft.com/entra/agent-id/agent-blueprint).
  if (context.blueprint !== undefined && isOff(context.blueprint)) return false;
  // Without its registration no token is issued. A registration of another tenant is not visible here.
  const isOwn = principal.appOwnerOrganizationId?.toLowerCase() === context.tenantId;
  return !(isOwn && principal.servicePrincipalType === 'Application' && context.application === undefined);
}

/** A missing part says nothing. */
function isOff({ principal, application }: Blueprint): boolean {
  const isPrincipalOff =
    principal !== undefined && (!isSwitchedOn(principal) || principal.isDisabled === true);
  return isPrincipalOff || application?.isDisabled === true;
}

export function isAgent(principal: ServicePrincipal): boolean {
  const type = principal['@odata.type'];
  return principal.servicePrincipalType === 'ServiceIdentity' || type === '#microsoft.graph.agentIdentity';
}

function actorKindOf(principal: ServicePrincipal): ActorKind | undefined {
  if (isAgent(principal)) return 'agent';
  return principal.servicePrincipalType === 'ManagedIdentity' ? 'workload' : undefined;
}

/** Entra has no list of grant types. They follow from redirect URIs and credentials. */
function grantTypesOf(
  principal: ServicePrincipal,
  application: Application | undefined,
  hasCredential: boolean,
): readonly string[] {
  const hasRedirect = principal.replyUrls.length > 0;
  const hasDeviceCode = application?.isFallbackPublicClient === true;
  // Credentials of another tenant and federated ones are not visible. A client that cannot sign people in has some.
  const isConfidential = hasCredential || application === undefined || (!hasRedirect && !hasDeviceCode);
  return [
    ...(hasRedirect ? ['authorization_code'] : []),
    ...(hasDeviceCode ? ['urn:ietf:params:oauth:grant-type:device_code'] : []),
    ...(isConfidential ? ['client_credentials'] : []),
  ];
}

/** A compromise is over when no credential from before it is valid any more. So the oldest valid one counts. */
function oldestInUse(credentials: readonly Credential[], nowMs: number): string | undefined {
  const starts = credentials
    .filter(({ endDateTime }) => !(Date.parse(endDateTime ?? '') <= nowMs))
    .map(({ startDateTime }) => Date.parse(startDateTime ?? ''));
  // A credential of unknown age may be the oldest.
  const oldest = Math.min(...starts);
  return Number.isFinite(oldest) ? new Date(oldest).toISOString() : undefined;
}

const ATTRIBUTE_NAME = /^[A-Za-z][A-Za-z0-9_-]{0,63}$/;

/**
 * `name: value` in the lines of the principal's notes and in its tags; notes take precedence. Tags of a registration in
 * another tenant appear on the principal here (as those of a blueprint appear on its agent identities), so a stranger could
 * confirm a claim with them. They count only if the registration is in this tenant, or if the client has no registration.
 */
function attributesOf(
  principal: ServicePrincipal,
  application: Application | undefined,
): Readonly<Record<string, string>> {
  const isOurs = application !== undefined || principal.servicePrincipalType === 'ManagedIdentity';
  const lines = [...(isOurs ? principal.tags : []), principal.notes ?? ''].flatMap((text) =>
    text.split(/\r?\n/),
  );
  // No backtracking pattern: long notes must not make each read slow.
  const found = lines.flatMap((line) => {
    const colon = line.indexOf(':');
    const name = line.slice(0, Math.max(colon, 0)).trim();
    return ATTRIBUTE_NAME.test(name) ? [[name, line.slice(colon + 1).trim()] as const] : [];
  });
  return Object.fromEntries(found);
}
