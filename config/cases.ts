import { z } from 'zod';
import { ACTOR_KINDS } from '../src/model/actor.js';
import type { OAuthClient } from '../src/model/client.js';
import type { JudgedCall } from '../src/plan/judge-call.js';
import type { Config } from './config.js';
import { ConfigError, type ConfigProblem } from './config-error.js';
import { readDocument } from './document.js';
import { name, text } from './fields.js';
import { type Finding, finding } from './finding.js';
import { toFindings } from './issues.js';
import { type LoadOptions, readConfigText } from './load.js';
import { onlyApiOf } from './mapping-revision.js';

/** One case of a file, with the call that it describes. */
export interface MappingCase {
  /** The file as it was given. */
  readonly file: string;
  /** Counted from 1. */
  readonly line: number;
  readonly expects: 'allow' | 'deny';
  /** As written in the file. */
  readonly text: string;
  readonly call: JudgedCall;
}

const CALL =
  /^([A-Za-z0-9][A-Za-z0-9._-]*) +-> +([A-Za-z0-9][A-Za-z0-9._-]*)(?: +([A-Z]{1,20}) +(\/\S*))?(?: +as +(\S+))?(?: +(with|without) +user)?$/;

const SHAPE =
  'must be SOURCE -> DESTINATION [METHOD PATH] [as human|workload|agent] [with user|without user]; write for example web -> orders GET /v1/orders as human';

const call = () =>
  z
    .string()
    .transform((value, context) => {
      const [, source = '', destination = '', method, path, kind, user] = CALL.exec(value.trim()) ?? [];
      const asKind = ACTOR_KINDS.find((each) => each === kind);
      if (source === '' || (kind !== undefined && asKind === undefined)) {
        context.addIssue({ code: 'custom', message: SHAPE });
        return z.NEVER;
      }
      const request = method === undefined || path === undefined ? undefined : { method, path };
      return { text: value.trim(), source, destination, request, asKind, user };
    })
    .exactOptional();

const CASE = z
  .strictObject({ allow: call(), deny: call(), headers: z.record(text(), z.string()).exactOptional() })
  .refine(
    ({ allow, deny }) => (allow === undefined) !== (deny === undefined),
    'must have either allow or deny; write for example deny: agent-x -> billing',
  )
  .refine(
    ({ allow, deny, headers }) => headers === undefined || (allow ?? deny)?.request !== undefined,
    'has headers, but no request; write the method and the path after the destination',
  );

const CLIENT = z.strictObject({
  provider: name().exactOptional(),
  services: z.array(text()).min(1, 'must name a service; write the services that claim this client'),
  scopes: z.array(z.union([text(), z.strictObject({ api: text(), name: text() })])),
  grantTypes: z.array(text()).prefault([]),
  attributes: z.record(text(), z.string()).prefault({}),
});

const CASES = z.strictObject({
  clients: z.record(text(), CLIENT),
  cases: z.array(CASE).min(1, 'must hold a case; write for example - allow: web -> orders'),
});

type ParsedCall = NonNullable<z.output<typeof CASE>['allow']>;

/**
 * Reads the cases of one file. Throws one ConfigError with all faults of the file. `opensOf`: the services that the mapping
 * names, or that scopes of these clients open: a call of any other service is a spelling mistake, and always denied.
 */
export async function loadCases(
  options: LoadOptions,
  config: Config,
  opensOf: (clients: readonly OAuthClient[]) => readonly string[],
): Promise<readonly MappingCase[]> {
  const { path: file } = options;
  const document = readDocument(await readConfigText(options));
  if (document.faults.length > 0) throw new ConfigError(file, document.faults);
  const checked = CASES.safeParse(document.value);
  const place = ({ at, ...found }: Finding): ConfigProblem => ({
    ...found,
    ...document.locate(found.path, at),
  });
  const refuse = (findings: readonly Finding[]) => new ConfigError(file, findings.map(place));
  if (!checked.success) throw refuse(toFindings(checked.error.issues, document.value, CASES));
  const { clients, cases } = checked.data;
  const findings: Finding[] = [];
  const bySource = new Map<string, OAuthClient>();
  for (const [clientId, parsed] of Object.entries(clients)) {
    const client = toClient(clientId, parsed, config);
    if (typeof client === 'string') findings.push(finding(['clients', clientId], client));
    else
      for (const [index, serviceName] of parsed.services.entries())
        if (bySource.has(serviceName))
          findings.push(finding(['clients', clientId, 'services', index], TWICE));
        else bySource.set(serviceName, client);
  }
  const known = new Set([...bySource.keys(), ...opensOf([...bySource.values()])]);
  const found = cases.flatMap(({ allow, deny, headers }, index): readonly MappingCase[] => {
    const expects = allow === undefined ? 'deny' : 'allow';
    const parsed = allow ?? deny;
    if (parsed === undefined) return [];
    const client = bySource.get(parsed.source);
    // A case about a service that is spelled wrong would always be denied.
    if (client === undefined) findings.push(finding(['cases', index, expects], NOBODY));
    if (client === undefined) return [];
    if (!known.has(parsed.destination) && !known.has(parsed.destination.toLowerCase()))
      findings.push(finding(['cases', index, expects], NO_DESTINATION));
    const method = parsed.request?.method;
    if (method !== undefined && !METHODS.includes(method))
      findings.push(finding(['cases', index, expects], NO_METHOD));
    const { line } = document.locate(['cases', index, expects], 'value');
    const text = `${expects}: ${parsed.text}`;
    return [{ file, line, expects, text, call: toCall(parsed, client, expects, headers) }];
  });
  if (findings.length > 0) throw refuse(findings);
  return found;
}

const METHODS: readonly string[] = [
  'GET',
  'HEAD',
  'POST',
  'PUT',
  'PATCH',
  'DELETE',
  'OPTIONS',
  'CONNECT',
  'TRACE',
];
const NO_METHOD = `has no HTTP method; write one of ${METHODS.join(', ')}`;
const NO_DESTINATION =
  'names a destination that no rule names, that no scope of this file opens, and that no client of this file has; correct the name, or give a client of this file that service';
const TWICE = 'another client of this file has this service; give each service one client';
const NOBODY =
  'no client of this file has this source among its services; add the service to a client, or correct the name';

/** What a case leaves open: a denial must hold with a user's token too, and an access must need none. */
function toCall(
  { destination, request, asKind, user }: ParsedCall,
  client: OAuthClient,
  expects: MappingCase['expects'],
  headers: Readonly<Record<string, string>> = {},
): JudgedCall {
  const lower = Object.entries(headers).map(([key, value]) => [key.toLowerCase(), value] as const);
  return {
    client,
    destination,
    request: request && { ...request, headers: Object.fromEntries(lower) },
    asKind,
    hasUser: user === undefined ? expects === 'deny' : user === 'with',
  };
}

/** The client, or what is wrong with it. */
function toClient(
  clientId: string,
  parsed: z.output<typeof CLIENT>,
  { providers }: Config,
): OAuthClient | string {
  const names = providers.map((each) => each.name).join(', ');
  const [only] = providers.length === 1 ? providers : [];
  const provider =
    parsed.provider === undefined ? only : providers.find((each) => each.name === parsed.provider);
  if (provider === undefined)
    return parsed.provider === undefined
      ? `does not name its provider; add "provider" with one of ${names}`
      : `has a provider that the configuration does not have; write one of ${names}`;
  const api = onlyApiOf(provider);
  const grants = parsed.scopes.map((scope) => {
    if (typeof scope !== 'string') return scope;
    return api === undefined ? { name: scope } : { api, name: scope };
  });
  const { grantTypes, attributes } = parsed;
  return { provider: provider.name, clientId, enabled: true, grantTypes, grants, attributes };
}
