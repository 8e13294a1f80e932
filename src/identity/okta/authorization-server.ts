import { z } from 'zod';
import type { Query } from '../api-client.js';
import type { KnownEntries } from '../known-entries.js';
import { incomplete, wrongShape } from '../read-errors.js';
import { invalidRecords, type ListRecord, recordOf, textIn, validRecords } from '../records.js';
import type { OktaApi } from './api.js';
import type { OktaNames } from './names.js';
import { readList } from './pages.js';

/** A custom authorization server whose scopes count. */
export interface AuthorizationServer {
  /** The name in the configuration. */
  readonly api: string;
  /** Its custom scopes; empty while the server is inactive. OpenID Connect scopes describe persons and open nothing. */
  readonly scopes: readonly CustomScope[];
  /** Active policies with their active rules. */
  readonly policies: readonly {
    /** Client IDs, or `ALL_CLIENTS`. */
    readonly clients: readonly string[];
    readonly rules: readonly AccessRule[];
  }[];
  readonly faults: readonly AccessFault[];
}

/** A record of a server that cannot be parsed: what it says to these clients is unknown. */
export interface AccessFault {
  /** Client IDs, or `ALL_CLIENTS`. */
  readonly clients: readonly string[];
  /** If the record is a scope: its name, or undefined if it has none. Only clients whose rules may allow it are concerned. */
  readonly scope?: { readonly name: string | undefined };
  readonly why: string;
}

export interface CustomScope {
  readonly name: string;
  /** Whether an app may have it without a person's consent. */
  readonly isForServices: boolean;
}

/** What one rule of a policy allows. */
export type AccessRule = ReturnType<typeof toRule>;

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

/**
 * The servers that the configuration names by ID, issuer or audience, with everything that decides what a client may obtain
 * from them (developer.okta.com/docs/api/openapi/okta-management, Authorization Servers). Throws IncompleteRead if a name
 * matches several servers, and if the list is empty. `unknown` has the entries of `apis` that match no server: it was
 * deleted, or never existed.
 */
export async function readAuthorizationServers(
  api: OktaApi,
  apis: readonly string[],
  { names, known }: { readonly names: OktaNames; readonly known: KnownEntries },
  signal: AbortSignal,
): Promise<{ readonly servers: readonly AuthorizationServer[]; readonly unknown: readonly string[] }> {
  if (apis.length === 0) return { servers: [], unknown: [] };
  const place = `provider ${api.provider}, authorization servers`;
  const scope = 'okta.authorizationServers.read';
  const segments = ['api', 'v1', 'authorizationServers'];
  const list = { segments, query: { limit: 200 }, scope, place, entry: recordOf(SERVER, 'id') } as const;
  const records = await readList(api, list, signal);
  const found = validRecords(records);
  const [invalid] = invalidRecords(records);
  // An org whose issuer is a custom authorization server has one. A role that may see none gets an empty list.
  if (records.length === 0) {
    const remedy = 'give the service app the role Read-Only Administrator';
    throw incomplete(place, `the list is empty; ${remedy}`, false);
  }
  const isThere = async (path: readonly string[], what: string) =>
    (await api.find(api.address(path), scope, what, signal)) !== undefined;
  const servers: AuthorizationServer[] = [];
  const unknown: string[] = [];
  for (const name of apis) {
    const [server, other] = found.filter((each) => [each.id, each.issuer, ...each.audiences].includes(name));
    if (other !== undefined)
      throw incomplete(place, 'an entry of apis matches several; write the issuer of one', false);
    // The invalid record may be this server's.
    if (server === undefined && invalid !== undefined) throw wrongShape(place, invalid.fault);
    const ids = server === undefined ? [] : [server.id];
    await known.require(`server ${name}`, ids, (id) => isThere([...segments, id], place), place);
    if (server === undefined) unknown.push(name);
    else servers.push(await readServer(name, server));
  }
  return { servers, unknown };

  /** Okta can answer each of these lists with less than there is, and each of them decides for all clients. */
  async function readPart<T>(
    kind: string,
    path: readonly string[],
    entry: z.ZodType<T>,
    query: Query = {},
  ): Promise<readonly ListRecord<T>[]> {
    const what = `${place}, ${kind}`;
    const part = { segments: path, query, scope, place: what, entry: recordOf(entry, 'id') } as const;
    const listed = await readList(api, part, signal);
    const ids = listed.map(({ id }) => id);
    await known.require(path.join('/'), ids, (id) => isThere([...path, id], what), what);
    return listed;
  }

  async function readServer(name: string, server: z.output<typeof SERVER>): Promise<AuthorizationServer> {
    const within = [...segments, server.id];
    const faults: AccessFault[] = [];
    const scopeRecords = await readPart('scopes', [...within, 'scopes'], SCOPE, { limit: 200 });
    const scopes = validRecords(scopeRecords);
    for (const { fault, raw } of invalidRecords(scopeRecords))
      faults.push({ clients: [ALL_CLIENTS], scope: { name: textIn(raw, 'name') }, why: `a scope: ${fault}` });
    for (const { id, name: text } of scopes) names.scopes.set(id, { api: name, name: text });
    const policies: AuthorizationServer['policies'][number][] = [];
    const policyRecords = await readPart('policies', [...within, 'policies'], POLICY);
    for (const { fault } of invalidRecords(policyRecords))
      faults.push({ clients: [ALL_CLIENTS], why: `an access policy: ${fault}` });
    for (const policy of validRecords(policyRecords)) {
      const clients = policy.conditions?.clients?.include ?? [];
      const path = [...within, 'policies', policy.id, 'rules'];
      const ruleRecords = await readPart('policies/rules', path, RULE);
      for (const id of [policy.id, ...ruleRecords.map((rule) => rule.id)]) names.policies.set(id, clients);
      if (policy.status !== 'ACTIVE') continue;
      const rules = validRecords(ruleRecords);
      for (const { fault } of invalidRecords(ruleRecords))
        faults.push({ clients, why: `a rule of an access policy: ${fault}` });
      policies.push({ clients, rules: rules.filter(({ status }) => status === 'ACTIVE').map(toRule) });
    }
    const custom = scopes
      .filter(({ system }) => system !== true)
      .map(({ name: text, consent }) => ({ name: text, isForServices: needsNoPerson(consent) }));
    return { api: name, scopes: server.status === 'ACTIVE' ? custom : [], policies, faults };
  }
}

/**
 * Client credentials do not get a scope that needs the consent of a person (REQUIRED, _Block services from requesting this
 * scope_). They get a FLEXIBLE one without consent (developer.okta.com/docs/guides/request-user-consent). A scope without
 * the property is IMPLICIT, Okta's default. An unknown value counts as refused.
 */
function needsNoPerson(consent: string | null | undefined): boolean {
  return ['IMPLICIT', 'FLEXIBLE'].includes(consent ?? 'IMPLICIT');
}

function toRule({ conditions, actions }: z.output<typeof RULE>) {
  const people = conditions?.people;
  const isNarrowed = [people?.users, people?.groups].some((each) => (each?.exclude ?? []).length > 0);
  return {
    grantTypes: conditions?.grantTypes?.include ?? [],
    /** Names, or `*`. */
    scopes: conditions?.scopes?.include ?? [],
    /** Whether the rule is for everyone who may use the client, and not only for some people. */
    isForEveryone: !isNarrowed && (people?.groups?.include ?? []).includes('EVERYONE'),
    lifetimeSeconds: Math.floor(actions.token.accessTokenLifetimeMinutes * 60),
  };
}
