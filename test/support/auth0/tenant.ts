import { shape } from './shapes.js';

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
  /** Of the grants that require one, by their IDs. */
  readonly organizations: ReadonlyMap<string, readonly string[]>;
}

export const EMPTY: State = {
  clients: new Map(),
  grants: new Map(),
  organizations: new Map(),
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

/** The log entry of an operation (auth0.com/docs/deploy-monitor/logs/log-event-type-codes: `sapi`). */
export function toLogEntry(operation: Operation, number: number, atMs: number): LogEntry {
  const logId = `90020261125${String(number).padStart(45, '0')}`;
  const documented = shape('log-event', {});
  const { request, response } = documented.details as { readonly request: object; readonly response: object };
  return {
    ...documented,
    date: new Date(atMs).toISOString(),
    type: 'sapi',
    description: `${operation.method} ${operation.path}`,
    details: {
      request: {
        ...request,
        method: operation.method.toLowerCase(),
        path: `/api/v2${operation.path}`,
        body: operation.body ?? null,
      },
      response: { ...response, body: operation.answered ?? {} },
    },
    log_id: logId,
    _id: logId,
  };
}

export function put<K, V>(map: ReadonlyMap<K, V>, key: K, value: V | undefined): ReadonlyMap<K, V> {
  const next = new Map(map);
  if (value === undefined) next.delete(key);
  else next.set(key, value);
  return next;
}
