import { checkpointed, fieldsOf, numbered } from './lists.js';
import { type Answer, type ReceivedRequest, startAuth0Server } from './server.js';
import { shape } from './shapes.js';
import {
  type Api,
  type Application,
  EMPTY,
  type Grant,
  type LogEntry,
  type Operation,
  put,
  type State,
  toLogEntry,
} from './tenant.js';

const PERMISSIONS = [
  'read:clients',
  'read:client_grants',
  'read:resource_servers',
  'read:logs',
  'read:roles',
  'read:users',
] as const;

export interface StreamedEvent {
  readonly offset: string;
  readonly type: string;
  readonly data: { readonly time: string };
}

export const READER = { clientId: 'scopemesh-reader', clientSecret: 'reader-secret-0123456789' };
export const API = 'https://orders.example.com';

/**
 * A stand-in for a tenant, by the documentation of the Management API: an administrator changes it by its methods, each
 * of which leaves an entry in the log, as the dashboard does.
 */
export interface Auth0 {
  readonly origin: string;
  readonly issuer: string;
  permissions: ReadonlySet<string>;
  /** Answered instead of the truth where it says something. */
  fault: ((asked: ReceivedRequest) => Answer | undefined) | undefined;
  /** While set, reads of the directory show what was there when it was set; the log is up to date. */
  isBehind: boolean;
  /** Entries older than these are gone from the log. */
  readonly log: LogEntry[];
  /** Events of the event stream, each with its offset. */
  readonly stream: StreamedEvent[];
  /** Auth0 keeps its stream open, so that a reader waits for silence. True: the stream ends, and a test waits for nothing. */
  streamsEnd: boolean;
  readonly asked: ReceivedRequest[];
  /** Called with each entry; for a log stream. */
  onEntry: ((entry: LogEntry) => void) | undefined;
  addApi(identifier: string, scopes: readonly string[], lifetimeSeconds?: number): void;
  changeApi(identifier: string, scopes: readonly string[] | undefined): void;
  addClient(clientId: string, change?: Partial<Application>): void;
  changeClient(clientId: string, change: Partial<Application> | undefined): void;
  /** The scopes that the client may obtain of the API; none takes the grant away. */
  grant(clientId: string, scopes: readonly string[], api?: string, subject?: Grant['subject_type']): void;
  /** The client's grant requires an organization, and these are associated with it. */
  requireOrganization(clientId: string, organizations: readonly string[]): void;
  putUser(userId: string, roles: readonly string[], blocked?: boolean): void;
  deleteUser(userId: string): void;
  /** What changes nothing that is read here, so that only the log tells of it. */
  operate(operation: Operation): void;
  forgetTokens(): void;
  close(): Promise<void>;
}

export async function startAuth0(now: () => number = Date.now): Promise<Auth0> {
  let state = EMPTY;
  let shown: State | undefined;
  let counter = 0;
  const asked: ReceivedRequest[] = [];
  const server = await startAuth0Server({
    ...READER,
    permissions: () => self.permissions,
    streamsEnd: () => self.streamsEnd,
    answer(request) {
      asked.push(request);
      return self.fault?.(request) ?? answer(request, shown ?? state, self);
    },
  });
  const log = (operation: Operation) => {
    const entry = toLogEntry(operation, ++counter, now());
    self.log.push(entry);
    self.onEntry?.(entry);
  };
  const grantOf = (clientId: string, audience: string) =>
    [...state.grants.values()].find((each) => each.client_id === clientId && each.audience === audience);

  const self: Auth0 = {
    origin: server.origin,
    issuer: `${server.origin}/`,
    permissions: new Set(PERMISSIONS),
    fault: undefined,
    get isBehind() {
      return shown !== undefined;
    },
    set isBehind(behind) {
      shown = behind ? state : undefined;
    },
    log: [],
    stream: [],
    streamsEnd: false,
    asked,
    onEntry: undefined,
    addApi(identifier, scopes, lifetimeSeconds = 86_400) {
      const api = apiOf(`rs_${++counter}`, identifier, scopes, lifetimeSeconds);
      state = { ...state, apis: put(state.apis, identifier, api) };
      log({ method: 'POST', path: '/resource-servers', body: { identifier }, answered: api });
    },
    changeApi(identifier, scopes) {
      const known = state.apis.get(identifier);
      if (known === undefined) throw new Error(`no API ${identifier}`);
      const next = scopes && apiOf(known.id, identifier, scopes, known.token_lifetime);
      state = { ...state, apis: put(state.apis, identifier, next) };
      // A deleted API takes its grants along.
      if (next === undefined)
        state = {
          ...state,
          grants: new Map([...state.grants].filter(([, { audience }]) => audience !== identifier)),
        };
      log({
        method: next === undefined ? 'DELETE' : 'PATCH',
        path: `/resource-servers/${known.id}`,
        ...(next === undefined ? {} : { body: { scopes: next.scopes } }),
      });
    },
    addClient(clientId, change = {}) {
      const client = { ...applicationOf(clientId), ...change };
      state = { ...state, clients: put(state.clients, clientId, client) };
      log({
        method: 'POST',
        path: '/clients',
        body: { name: client.name },
        answered: { client_id: clientId },
      });
    },
    changeClient(clientId, change) {
      const known = state.clients.get(clientId);
      if (known === undefined) throw new Error(`no client ${clientId}`);
      state = { ...state, clients: put(state.clients, clientId, change && { ...known, ...change }) };
      if (change === undefined)
        state = {
          ...state,
          grants: new Map([...state.grants].filter(([, { client_id }]) => client_id !== clientId)),
        };
      log({
        method: change === undefined ? 'DELETE' : 'PATCH',
        path: `/clients/${encodeURIComponent(clientId)}`,
        ...(change === undefined ? {} : { body: change }),
      });
    },
    grant(clientId, scopes, audience = API, subject = 'client') {
      const known = grantOf(clientId, audience);
      const id = known?.id ?? `cgr_${String(++counter).padStart(6, '0')}`;
      const body = { client_id: clientId, audience, scope: scopes };
      const next = { id, ...body, subject_type: subject, allow_all_scopes: false };
      state = { ...state, grants: put(state.grants, id, scopes.length === 0 ? undefined : next) };
      // As Auth0 does: only the creation names the client in its path or body.
      if (known === undefined) log({ method: 'POST', path: '/client-grants', body, answered: next });
      else if (scopes.length === 0) log({ method: 'DELETE', path: `/client-grants/${id}` });
      else log({ method: 'PATCH', path: `/client-grants/${id}`, body: { scope: scopes }, answered: next });
    },
    requireOrganization(clientId, organizations) {
      const { id = '' } = grantOf(clientId, API) ?? {};
      state = { ...state, organizations: put(state.organizations, id, organizations) };
      log({ method: 'DELETE', path: `/organizations/org_1/client-grants/${id}` });
    },
    putUser(userId, roles, blocked = false) {
      for (const role of roles)
        if (![...state.roles.values()].includes(role))
          state = { ...state, roles: put(state.roles, `rol_${++counter}`, role) };
      const isBlocked = state.users.get(userId)?.blocked !== blocked && blocked;
      state = { ...state, users: put(state.users, userId, { user_id: userId, roles, blocked }) };
      const path = `/users/${encodeURIComponent(userId)}`;
      log(
        isBlocked
          ? { method: 'PATCH', path, body: { blocked } }
          : { method: 'POST', path: `${path}/roles`, body: { roles } },
      );
    },
    deleteUser(userId) {
      state = { ...state, users: put(state.users, userId, undefined) };
      log({ method: 'DELETE', path: `/users/${encodeURIComponent(userId)}` });
    },
    operate: log,
    forgetTokens: () => server.forgetTokens(),
    close: () => server.close(),
  };
  // What every tenant has: the client of all applications, its own API, and the application that reads with its grant.
  self.addClient('all-applications', { global: true, name: 'All Applications' });
  self.addClient(READER.clientId);
  self.addApi(`${server.origin}/api/v2/`, [...PERMISSIONS]);
  self.grant(READER.clientId, [...PERMISSIONS], `${server.origin}/api/v2/`);
  return self;
}

function answer(asked: ReceivedRequest, state: State, { log, stream }: Auth0): Answer {
  const [collection, id, below] = asked.segments;
  const clients = [...state.clients.values()].map((client) => fieldsOf(shape('client', client), asked));
  switch (collection) {
    case 'clients': {
      if (id === undefined) return numbered(clients, 'clients', asked);
      const client = state.clients.get(id);
      if (client !== undefined) return { json: fieldsOf(shape('client', client), asked) };
      return notFound({ message: 'The client does not exist', errorCode: 'inexistent_client' });
    }
    case 'client-grants': {
      if (below === 'organizations')
        return { json: { organizations: state.organizations.get(id ?? '')?.map((each) => ({ id: each })) } };
      const clientId = asked.query.get('client_id');
      const grants = [...state.grants.values()].filter(
        (grant) => clientId === null || grant.client_id === clientId,
      );
      const required = { organization_usage: 'require', allow_any_organization: false };
      const shown = grants.map((grant) => ({
        ...shape('client-grant', grant),
        ...(state.organizations.has(grant.id) ? required : {}),
      }));
      return checkpointed(shown, 'client_grants', asked);
    }
    // By page numbers alone: `from` and `take` are no parameters of this list.
    case 'resource-servers': {
      if (id !== undefined) {
        const api = [...state.apis.values()].find((each) => each.id === id || each.identifier === id);
        if (api !== undefined) return { json: shape('resource-server', api) };
        return notFound({
          message: 'The resource server does not exist',
          errorCode: 'inexistent_resource_server',
        });
      }
      return numbered(
        [...state.apis.values()].map((api) => shape('resource-server', api)),
        'resource_servers',
        asked,
      );
    }
    case 'roles': {
      const roles = [...state.roles].map(([roleId, name]) => shape('role', { id: roleId, name }));
      if (below !== 'users') return numbered(roles, 'roles', asked);
      const name = state.roles.get(id ?? '');
      const users = [...state.users.values()].filter(
        ({ roles: has }) => name !== undefined && has.includes(name),
      );
      return checkpointed(
        users.map(({ user_id }) => ({ ...shape('role-user', { user_id }), id: user_id })),
        'users',
        asked,
      );
    }
    case 'users': {
      if (below === 'roles') {
        const user = state.users.get(id ?? '');
        if (user === undefined)
          return notFound({ message: 'The user does not exist.', errorCode: 'inexistent_user' });
        const held = [...state.roles].filter(([, name]) => user.roles.includes(name));
        return numbered(
          held.map(([roleId, name]) => shape('role', { id: roleId, name })),
          'roles',
          asked,
        );
      }
      if (id !== undefined) {
        const user = state.users.get(id);
        if (user === undefined)
          return notFound({ message: 'The user does not exist.', errorCode: 'inexistent_user' });
        return { json: fieldsOf(shape('user', { user_id: id, blocked: user.blocked }), asked) };
      }
      const users = [...state.users.values()].filter(
        ({ blocked }) => asked.query.get('q') !== 'blocked:true' || blocked,
      );
      return numbered(
        users.map(({ user_id, blocked }) => fieldsOf(shape('user', { user_id, blocked }), asked)),
        'users',
        asked,
      );
    }
    case 'logs':
      return logs(asked, log);
    case 'events':
      return events(asked, stream);
    default:
      return notFound({});
  }
}

function notFound(fields: object): Answer {
  return { status: 404, json: shape('error', fields) };
}

/** By checkpoint every other parameter is ignored; otherwise the newest first, as asked. */
function logs({ query }: ReceivedRequest, log: readonly LogEntry[]): Answer {
  const from = query.get('from');
  if (from === null) return { json: log.toReversed().slice(0, Number(query.get('per_page') ?? 50)) };
  return {
    json: log.filter(({ log_id }) => log_id > from).slice(0, Math.min(Number(query.get('take')), 100)),
  };
}

/**
 * What came since a place, then silence: the next heartbeat, which would bring an offset, is far off. Without a place
 * nothing that was before is shown.
 */
function events({ query }: ReceivedRequest, stream: Auth0['stream']): Answer {
  const from = query.get('from');
  const since = query.get('from_timestamp');
  const refused = (statusCode: number, message: string) => ({
    status: statusCode,
    json: shape('error', { statusCode, message }),
  });
  if (from !== null && since !== null) return refused(400, 'from and from_timestamp exclude each other');
  if (since !== null && (since.length > 20 || Number.isNaN(Date.parse(since))))
    return refused(400, 'from_timestamp is no timestamp');
  const at = stream.findIndex(({ offset }) => offset === from);
  if (from !== null && at === -1) return refused(410, 'The offset has expired');
  const rest =
    since === null
      ? stream.slice(from === null ? stream.length : at + 1)
      : stream.filter(({ data }) => Date.parse(data.time) >= Date.parse(since));
  const messages = rest.map(
    ({ offset, type, data }) =>
      `id: ${offset}\nevent: ${type}\ndata: ${JSON.stringify({ type, offset, event: data })}\n\n`,
  );
  return { stream: `:connected\nretry: 1000\n\n${messages.join('')}: heartbeat\n\n` };
}

function applicationOf(clientId: string): Application {
  return {
    client_id: clientId,
    name: clientId,
    global: false,
    is_first_party: true,
    app_type: 'non_interactive',
    grant_types: ['client_credentials'],
    client_metadata: {},
    client_secret: `secret-of-${clientId}`,
  };
}

function apiOf(id: string, identifier: string, scopes: readonly string[], lifetimeSeconds: number): Api {
  return {
    id,
    identifier,
    name: identifier,
    scopes: scopes.map((value) => ({ value, description: value })),
    token_lifetime: lifetimeSeconds,
    token_lifetime_for_web: lifetimeSeconds,
  };
}
