import { z } from 'zod';
import type { Grant, OAuthClient } from '../../model/client.js';
import { definedFields } from '../../model/defined-fields.js';
import { safeParse } from '../../safe-parse.js';
import { parseShape } from '../records.js';
import type { AgentLink } from './ai-agents.js';

/** An app integration. Only OpenID Connect apps are OAuth clients. */
export type OktaApp = ReturnType<typeof toApp>;

/**
 * The fields of an application object that are read (developer.okta.com/docs/api/openapi/okta-management, Applications).
 * They contain no secrets. Other fields may contain anything.
 */
export const APP = z.looseObject({
  id: z.string().min(1),
  name: z.string(),
  label: z.string(),
  status: z.string(),
  signOnMode: z.string().nullish(),
  profile: z.record(z.string(), z.unknown()).nullish(),
});

const CREDENTIALS = z.looseObject({
  credentials: z.looseObject({ oauthClient: z.looseObject({ client_id: z.string().min(1) }) }),
});
const SETTINGS = z.looseObject({
  settings: z.looseObject({
    oauthClient: z.looseObject({
      grant_types: z.array(z.string()),
      application_type: z.string().nullish(),
    }),
  }),
});

/**
 * Throws WrongShape for an app that an administrator created for OpenID Connect and that lacks a required field. Okta's own
 * apps and catalog apps may show less: without a client ID they are no clients, without settings they have no grant types.
 */
export function toApp(value: z.output<typeof APP>, place: string) {
  const parse = <T>(shape: z.ZodType<T>): T | undefined =>
    value.name === 'oidc_client' ? parseShape(shape, value, place) : safeParse(shape, value).data;
  const isOpenId = value.signOnMode === 'OPENID_CONNECT';
  const clientId = isOpenId ? parse(CREDENTIALS)?.credentials.oauthClient.client_id : undefined;
  const settings = clientId === undefined ? undefined : parse(SETTINGS)?.settings.oauthClient;
  return {
    id: value.id,
    /** Undefined if the app is not an OAuth client. */
    clientId,
    label: value.label,
    enabled: value.status === 'ACTIVE',
    /** `service`, `web`, `native`, `browser`. */
    applicationType: settings?.application_type ?? undefined,
    grantTypes: settings?.grant_types ?? [],
    profile: attributesIn(value.profile ?? {}),
  };
}

/**
 * The attributes are the app's profile, and its label and type under Okta's names. A client that is an AI agent is enabled
 * only while the agent is active. An app at which people sign in to an agent does not depend on it.
 */
export function toOAuthClient(
  provider: string,
  app: OktaApp & { readonly clientId: string },
  access: { readonly grants: readonly Grant[]; readonly lifetimeSeconds: number | undefined },
  agent: AgentLink | undefined,
): OAuthClient {
  const { applicationType, label } = app;
  return {
    provider,
    clientId: app.clientId,
    internalId: app.id,
    name: label,
    enabled: app.enabled && (agent?.isItself !== true || agent.isActive),
    grantTypes: app.grantTypes,
    grants: access.grants,
    ...(agent === undefined ? {} : { actorKind: 'agent' }),
    ...definedFields({ accessTokenLifetimeSeconds: access.lifetimeSeconds }),
    attributes: { ...app.profile, label, ...definedFields({ application_type: applicationType }) },
  };
}

// A profile is free text of administrators. Entries whose names suggest a secret are left out.
const CONFIDENTIAL = /secret|password|private|token/i;

function attributesIn(profile: Readonly<Record<string, unknown>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(profile).flatMap(([name, value]) => {
      const text = textOf(value);
      return text === undefined || CONFIDENTIAL.test(name) ? [] : [[name, text]];
    }),
  );
}

function textOf(value: unknown): string | undefined {
  if (typeof value === 'string') return value;
  if (typeof value === 'number' || typeof value === 'boolean') return String(value);
  if (Array.isArray(value) && value.every((item) => typeof item === 'string')) return value.join(',');
  return undefined;
}
