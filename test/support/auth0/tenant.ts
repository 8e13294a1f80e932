/** What an Auth0 tenant holds, in the fields of its Management API (auth0.com/docs/api/management/v2). */
export interface Application {
  readonly client_id: string;
  readonly name: string;
  readonly global: boolean;
  readonly is_first_party: boolean;
  readonly app_type: string;
  readonly grant_types: readonly string[];
  readonly client_metadata: Readonly<Record<string, string>>;
  readonly client_secret: string;
}

export interface Grant {
  readonly id: string;
  readonly client_id: string;
  readonly audience: string;
  readonly scope: readonly string[];
  readonly subject_type: 'client' | 'user' | 'anonymous_user';
  readonly allow_all_scopes: boolean;
}

export interface Api {
  readonly id: string;
  readonly identifier: string;
  readonly name: string;
  readonly scopes: readonly { readonly value: string; readonly description: string }[];
  readonly token_lifetime: number;
  readonly token_lifetime_for_web: number;
}

export interface User {
  readonly user_id: string;
  readonly blocked: boolean;
  readonly roles: readonly string[];
}

export interface LogEntry {
  readonly log_id: string;
  readonly date: string;
  readonly type: string;
  readonly [field: string]: unknown;
}

export interface State {
  readonly clients: ReadonlyMap<string, Application>;
  readonly grants: ReadonlyMap<string, Grant>;
  readonly apis: ReadonlyMap<string, Api>;
  readonly roles: ReadonlyMap<string, string>;
  readonly users: ReadonlyMap<string, User>;
}

export const EMPTY: State = {
  clients: new Map(),
  grants: new Map(),
  apis: new Map(),
  roles: new Map(),
  users: new Map(),
};

/** An operation of the Management API, as it is logged. */
export interface Operation {
  readonly method: string;
  /** Below `/api/v2`. */
  readonly path: string;
  readonly body?: unknown;
  readonly answered?: unknown;
}

/**
 * The log entry of an operation, in the form that tenants show
 * (auth0.com/docs/deploy-monitor/logs/log-event-type-codes: `sapi`).
 */
export function toLogEntry(operation: Operation, number: number, atMs: number): LogEntry {
  const logId = `90020261125${String(number).padStart(45, '0')}`;
  return {
    date: new Date(atMs).toISOString(),
    type: 'sapi',
    description: `${operation.method} ${operation.path}`,
    client_id: '',
    client_name: '',
    ip: '203.0.113.7',
    user_agent: 'Mozilla/5.0',
    details: {
      request: {
        method: operation.method.toLowerCase(),
        path: `/api/v2${operation.path}`,
        query: {},
        body: operation.body ?? null,
        channel: 'https://manage.auth0.com/',
        ip: '203.0.113.7',
        auth: {
          user: { user_id: 'auth0|admin', name: 'Alice', email: 'alice@example.com' },
          strategy: 'jwt',
          credentials: { jti: '0123456789abcdef' },
        },
      },
      response: { statusCode: 200, body: operation.answered ?? {} },
    },
    user_id: 'auth0|admin',
    log_id: logId,
    _id: logId,
    isMobile: false,
  };
}

export function put<K, V>(map: ReadonlyMap<K, V>, key: K, value: V | undefined): ReadonlyMap<K, V> {
  const next = new Map(map);
  if (value === undefined) next.delete(key);
  else next.set(key, value);
  return next;
}
