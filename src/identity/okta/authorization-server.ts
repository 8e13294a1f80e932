import { z } from 'zod';
import type { OktaApi } from './api.js';
import type { OktaNames } from './names.js';
import { incomplete, readList } from './pages.js';

/** A custom authorization server whose scopes count, as far as they can be had at all. */
export interface AuthorizationServer {
  /** As the configuration names it. */
  readonly api: string;
  /** Its custom scopes; empty while the server is inactive. Those of OpenID Connect say who a person is and open nothing. */
  readonly scopes: readonly CustomScope[];
  /** Active ones, with their active rules. */
  readonly policies: readonly AccessPolicy[];
}

export interface CustomScope {
  readonly name: string;
  /** Whether an app may have it for itself, without anybody's consent. */
  readonly isForServices: boolean;
}

export interface AccessPolicy {
  /** Client ids, or `ALL_CLIENTS`. */
  readonly clients: readonly string[];
  readonly rules: readonly AccessRule[];
}

export interface AccessRule {
  readonly grantTypes: readonly string[];
  /** Names, or `*`. */
  readonly scopes: readonly string[];
  /** Whether it is for anyone who may use the client, and not for some people alone. */
  readonly isForEveryone: boolean;
  readonly lifetimeSeconds: number;
}

export const ALL_CLIENTS = 'ALL_CLIENTS';

const names = z.looseObject({
  include: z.array(z.string()).nullish(),
  exclude: z.array(z.string()).nullish(),
});

const SERVER = z.looseObject({
  id: z.string().min(1),
  issuer: z.string(),
  audiences: z.array(z.string()),
  status: z.string(),
});
const SCOPE = z.looseObject({
  id: z.string(),
  name: z.string().min(1),
  system: z.boolean().nullish(),
  consent: z.string().nullish(),
});
const POLICY = z.looseObject({
  id: z.string().min(1),
  status: z.string(),
  conditions: z.looseObject({ clients: names.nullish() }).nullish(),
});
const RULE = z.looseObject({
  id: z.string().min(1),
  status: z.string(),
  conditions: z
    .looseObject({
      grantTypes: names.nullish(),
      scopes: names.nullish(),
      people: z.looseObject({ users: names.nullish(), groups: names.nullish() }).nullish(),
    })
    .nullish(),
  actions: z.looseObject({ token: z.looseObject({ accessTokenLifetimeMinutes: z.number().positive() }) }),
});

/** `apis` that no server answers to are in `unknown`: it was deleted, or never was. */
export interface ServersRead {
  readonly servers: readonly AuthorizationServer[];
  readonly unknown: readonly string[];
}

/**
 * The servers that the configuration names by id, issuer or audience, with everything that decides what a client may
 * obtain from them (developer.okta.com/docs/api/openapi/okta-management, Authorization Servers). IncompleteRead where a
 * name fits several, and where there is none at all.
 */
export async function readAuthorizationServers(
  api: OktaApi,
  apis: readonly string[],
  learned: OktaNames,
  signal: AbortSignal,
): Promise<ServersRead> {
  if (apis.length === 0) return { servers: [], unknown: [] };
  const place = `provider ${api.provider}, authorization servers`;
  const scope = 'okta.authorizationServers.read';
  const segments = ['api', 'v1', 'authorizationServers'];
  const found = await readList(api, { segments, query: { limit: 200 }, scope, place, entry: SERVER }, signal);
  // An org whose issuer is a custom authorization server has one: a role that may see none is shown an empty list.
  if (found.length === 0)
    throw incomplete(
      `${place}: none is in the list; give the service app the role Read-Only Administrator`,
      false,
    );
  const servers: AuthorizationServer[] = [];
  const unknown: string[] = [];
  for (const name of apis) {
    const named = found.filter(({ id, issuer, audiences }) => [id, issuer, ...audiences].includes(name));
    if (named.length > 1) throw incomplete(`${place}: an api fits several; write the issuer of one`, false);
    const [server] = named;
    if (server === undefined) unknown.push(name);
    else servers.push(await readServer(name, server));
  }
  return { servers, unknown };

  async function readServer(name: string, server: z.output<typeof SERVER>): Promise<AuthorizationServer> {
    const within = [...segments, server.id];
    const part = (kind: string, path: readonly string[]) =>
      ({ segments: [...within, ...path], scope, place: `${place}, ${kind}` }) as const;
    const scopes = await readList(
      api,
      { ...part('scopes', ['scopes']), query: { limit: 200 }, entry: SCOPE },
      signal,
    );
    for (const { id, name: text } of scopes) learned.learnScope(id, name, text);
    const policies: AccessPolicy[] = [];
    for (const policy of await readList(api, { ...part('policies', ['policies']), entry: POLICY }, signal)) {
      const clients = policy.conditions?.clients?.include ?? [];
      const path = ['policies', policy.id, 'rules'];
      const rules = await readList(api, { ...part('policies/rules', path), entry: RULE }, signal);
      for (const id of [policy.id, ...rules.map((rule) => rule.id)]) learned.learnPolicy(id, clients);
      if (policy.status !== 'ACTIVE') continue;
      policies.push({ clients, rules: rules.filter(({ status }) => status === 'ACTIVE').map(toRule) });
    }
    const custom = scopes
      .filter(({ system }) => system !== true)
      .map(({ name: text, consent }) => ({ name: text, isForServices: needsNoPerson(consent) }));
    return { api: name, scopes: server.status === 'ACTIVE' ? custom : [], policies };
  }
}

/**
 * A scope that needs the consent of a person (REQUIRED, _Block services from requesting this scope_) is refused to
 * client credentials; FLEXIBLE is granted to them without (developer.okta.com/docs/guides/request-user-consent). One
 * without the property is IMPLICIT, Okta's default; a value that is not known counts as refused.
 */
function needsNoPerson(consent: string | null | undefined): boolean {
  return ['IMPLICIT', 'FLEXIBLE'].includes(consent ?? 'IMPLICIT');
}

function toRule({ conditions, actions }: z.output<typeof RULE>): AccessRule {
  const people = conditions?.people;
  const isNarrowed = [people?.users, people?.groups].some((each) => (each?.exclude ?? []).length > 0);
  return {
    grantTypes: conditions?.grantTypes?.include ?? [],
    scopes: conditions?.scopes?.include ?? [],
    isForEveryone: !isNarrowed && (people?.groups?.include ?? []).includes('EVERYONE'),
    lifetimeSeconds: Math.floor(actions.token.accessTokenLifetimeMinutes * 60),
  };
}
