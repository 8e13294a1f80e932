import type { Query } from './place.js';

/** The purpose of a request: a label of metrics and a word in errors, so a closed set. */
export type Operation =
  | `intentions.${'list' | 'read' | 'write' | 'delete'}`
  | `jwt-providers.${'list' | 'write' | 'delete'}`
  | `${'claims' | 'quarantines'}.${'list' | 'write'}`
  | `lock.${'read' | 'session' | 'renew' | 'acquire' | 'end'}`
  | `cluster.${'read' | 'write'}`
  | `catalog.${'services' | 'service' | 'nodes' | 'node'}`
  | `${'protocols' | 'proxies' | 'proxy-defaults' | 'reachability'}.read`
  | `acl.${'token' | 'probe' | 'policies' | 'roles' | 'auth-methods' | 'binding-rules'}`
  | `acl.${'read' | 'write' | 'delete'}`
  | `tokens.${'list' | 'delete'}`
  | `agent.${'self' | 'members'}`
  | 'datacenters.list'
  | 'log-note.read'
  | 'log-note.write'
  | `watch.${'check' | 'look'}`
  | 'watch';

export interface ConsulRequest {
  readonly operation: Operation;
  readonly method: 'GET' | 'PUT' | 'DELETE';
  /** Percent-encoded, from `/v1/` on. */
  readonly path: string;
  readonly query?: Query;
  readonly body?: string;
  /** For the whole exchange; by default the timeout of the transport. Blocking queries set their own. */
  readonly timeoutMs?: number;
  /** As that of `HttpExchange`: the answer has no limit of its length, and its timeout is that of each part. */
  readonly sink?: (chunk: Uint8Array) => void;
  /** Consul writes 15 MB a second on a busy machine, and sends nothing before the end: a list has more time than others. */
  readonly isList?: boolean;
}
