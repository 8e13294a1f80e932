import { z } from 'zod';
import type { Grant, OAuthClient } from '../../model/client.js';
import type { AgentLink } from './ai-agents.js';
import { parseShape } from './pages.js';

/** An app integration; only those of OpenID Connect are OAuth clients. */
export interface OktaApp {
  readonly id: string;
  /** Absent for an app that is no OAuth client. */
  readonly clientId?: string;
  readonly label: string;
  readonly enabled: boolean;
  /** `service`, `web`, `native`, `browser`. */
  readonly applicationType?: string;
  readonly grantTypes: readonly string[];
  readonly profile: Readonly<Record<string, string>>;
}

/**
 * What is read of an application object (developer.okta.com/docs/api/openapi/okta-management, Applications); its
 * secrets are not in it. Fields we do not read may hold anything.
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
 * IncompleteRead for an app that an administrator made for OpenID Connect and that lacks what each of them has. Those of
 * Okta's own and of its catalog may show less: without a client id they are no clients, without settings they get nothing.
 */
export function toApp(value: z.output<typeof APP>, place: string): OktaApp {
  const { id, label, status } = value;
  const app = { id, label, enabled: status === 'ACTIVE', profile: attributesIn(value.profile ?? {}) };
  if (value.signOnMode !== 'OPENID_CONNECT') return { ...app, grantTypes: [] };
  const parse = <T>(shape: z.ZodType<T>): T | undefined =>
    value.name === 'oidc_client' ? parseShape(shape, value, place) : shape.safeParse(value).data;
  const clientId = parse(CREDENTIALS)?.credentials.oauthClient.client_id;
  if (clientId === undefined) return { ...app, grantTypes: [] };
  const settings = parse(SETTINGS)?.settings.oauthClient;
  const type = settings?.application_type;
  return {
    ...app,
    clientId,
    grantTypes: settings?.grant_types ?? [],
    ...(typeof type === 'string' ? { applicationType: type } : {}),
  };
}

/**
 * Attributes are what the app's profile says; its label and type come beside them under Okta's own names. A client that
 * is an AI agent lives as long as the agent; an app at which people sign in to one is its own.
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
    ...(access.lifetimeSeconds === undefined ? {} : { accessTokenLifetimeSeconds: access.lifetimeSeconds }),
    attributes: {
      ...app.profile,
      label,
      ...(applicationType === undefined ? {} : { application_type: applicationType }),
    },
  };
}

// A profile is free text of administrators; what is called a secret in it is none of our business.
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
