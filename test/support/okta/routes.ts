import type { Wire } from './shapes.js';
import type { OktaState } from './state.js';
import type { SystemLog } from './system-log.js';
import {
  agentToWire,
  appToWire,
  grantToWire,
  groupToWire,
  policyToWire,
  ruleToWire,
  scopeToWire,
  serverToWire,
  userToWire,
} from './wire.js';

export interface Answer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body: unknown;
}

export interface Request {
  readonly url: URL;
  readonly origin: string;
  readonly pageLimit: number;
  readonly state: OktaState;
  readonly log: SystemLog;
}

/** developer.okta.com/docs/reference/error-codes */
export function error(status: number, errorCode: string, errorSummary: string): Answer {
  const body = { errorCode, errorSummary, errorLink: errorCode, errorId: 'oaeexample', errorCauses: [] };
  return { status, body };
}

/** An authorised request to `/api/v1`, or to the register of AI agents. */
export function route(request: Request): Answer {
  const { state, origin } = request;
  if (request.url.pathname === '/workload-principals/api/v1/ai-agents') return agents(request);
  const [kind, id, part, partId, last, ruleId] = request.url.pathname
    .slice('/api/v1/'.length)
    .split('/')
    .map(decodeURIComponent);
  const absent = error(404, 'E0000007', `Not found: Resource not found: ${id}`);
  if (kind === 'logs' && id === undefined) return logs(request);
  if (kind === 'apps') {
    if (id === undefined) return list(request, state.apps.map(appToWire));
    const app = state.apps.find((each) => each.id === id);
    if (app === undefined) return absent;
    if (part === undefined) return { status: 200, body: appToWire(app) };
    if (part === 'grants')
      return list(
        request,
        app.orgScopes.map((scope) => grantToWire(app, scope, origin)),
      );
  }
  if (kind === 'authorizationServers') {
    if (id === undefined)
      return list(
        request,
        state.servers.map((each) => serverToWire(each, origin)),
      );
    const server = state.servers.find((each) => each.id === id);
    if (server === undefined) return absent;
    if (part === undefined) return { status: 200, body: serverToWire(server, origin) };
    if (part === 'scopes') return oneOf(server.scopes.map(scopeToWire), partId, absent, request);
    if (part === 'policies' && last === undefined)
      return oneOf(server.policies.map(policyToWire), partId, absent, request);
    const policy = server.policies.find((each) => each.id === partId);
    if (part === 'policies' && last === 'rules')
      return policy === undefined ? absent : oneOf(policy.rules.map(ruleToWire), ruleId, absent, request);
  }
  if (kind === 'groups') {
    if (id === undefined) return groups(request);
    const group = state.groups.find((each) => each.id === id);
    if (group === undefined) return absent;
    if (part === 'users')
      return list(
        request,
        group.members.flatMap((member) => state.users.filter((user) => user.id === member).map(userToWire)),
      );
  }
  if (kind === 'users') {
    if (id === undefined) return list(request, state.users.map(userToWire));
    // By the part of a login before the @ too.
    const user = state.users.find((each) => [each.id, each.login, each.login.split('@')[0]].includes(id));
    if (user === undefined) return absent;
    if (part === undefined) return { status: 200, body: userToWire(user) };
    if (part === 'groups')
      return list(request, state.groups.filter(({ members }) => members.includes(user.id)).map(groupToWire));
  }
  return error(404, 'E0000022', 'The endpoint does not support the provided HTTP method');
}

/** One entry by its ID, or the list. */
function oneOf(entries: readonly Wire[], id: string | undefined, absent: Answer, request: Request): Answer {
  if (id === undefined) return list(request, entries);
  const found = entries.find((entry) => entry.id === id);
  return found === undefined ? absent : { status: 200, body: found };
}

/** By `limit` and `after`, with links to itself and on (developer.okta.com/docs/api, pagination). */
function list({ url, pageLimit }: Request, entries: readonly Wire[]): Answer {
  const asked = Number(url.searchParams.get('limit') ?? '20');
  if (!Number.isInteger(asked) || asked < 1 || asked > 200)
    return error(400, 'E0000001', 'Api validation failed: limit');
  const limit = Math.min(asked, pageLimit);
  const after = url.searchParams.get('after');
  const first = after === null ? 0 : entries.findIndex((entry) => entry.id === after) + 1;
  const page = entries.slice(first, first + limit);
  const links = [`<${url.href}>; rel="self"`];
  if (first + limit < entries.length) {
    const next = new URL(url.href);
    next.searchParams.set('after', String(page.at(-1)?.id));
    links.push(`<${next.href}>; rel="next"`);
  }
  return { status: 200, headers: { link: links.join(', ') }, body: page };
}

/** Like every list, but in an envelope with its links inside. */
function agents(request: Request): Answer {
  const { headers, ...answer } = list(request, request.state.agents.map(agentToWire));
  const next = /<([^>]*)>; rel="next"/.exec(headers?.link ?? '')?.[1];
  const links = { self: { href: request.url.href }, ...(next === undefined ? {} : { next: { href: next } }) };
  return answer.status === 200 ? { status: 200, body: { data: answer.body, _links: links } } : answer;
}

/** Only the search that is used: an exact name, compared without case. */
function groups(request: Request): Answer {
  const search = /^profile\.name eq "((?:[^"\\]|\\.)*)"$/.exec(
    request.url.searchParams.get('search') ?? '""',
  );
  const all = request.state.groups;
  if (!request.url.searchParams.has('search')) return list(request, all.map(groupToWire));
  if (search === null) return error(400, 'E0000031', 'Invalid search criteria.');
  const name = (search[1] ?? '').replaceAll(/\\(.)/g, '$1').toLowerCase();
  return list(request, all.filter((group) => group.name.toLowerCase() === name).map(groupToWire));
}

function logs({ url, log }: Request): Answer {
  const answer = log.read(url);
  if (answer.status === 400) return error(400, 'E0000001', `Api validation failed: ${answer.why}`);
  const links = [`<${url.href}>; rel="self"`];
  if (answer.next !== undefined) links.push(`<${answer.next.href}>; rel="next"`);
  return { status: 200, headers: { link: links.join(', ') }, body: answer.events };
}
