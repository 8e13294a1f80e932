/** The purpose of a request: a label of metrics and a word in errors, so a closed set. */
export type Operation =
  | 'intentions.list'
  | 'intentions.read'
  | 'intentions.write'
  | 'intentions.delete'
  | 'jwt-providers.list'
  | 'jwt-providers.write'
  | 'jwt-providers.delete'
  | 'claims.list'
  | 'claims.write'
  | 'lock.read'
  | 'lock.session'
  | 'lock.renew'
  | 'lock.acquire'
  | 'lock.end'
  | 'cluster.read'
  | 'cluster.write'
  | 'quarantines.list'
  | 'quarantines.write'
  | 'break-glass.list'
  | 'break-glass.write'
  | 'catalog.services'
  | 'catalog.service'
  | 'catalog.nodes'
  | 'catalog.node'
  | 'protocols.read'
  | 'proxies.read'
  | 'proxy-defaults.read'
  | 'reachability.read'
  | 'acl.token'
  | 'acl.probe'
  | 'acl.policies'
  | 'acl.roles'
  | 'acl.auth-methods'
  | 'acl.binding-rules'
  | 'acl.read'
  | 'acl.write'
  | 'acl.delete'
  | 'tokens.list'
  | 'tokens.delete'
  | 'agent.self'
  | 'agent.members'
  | 'datacenters.list'
  | 'canary.write'
  | 'watch.check'
  | 'watch.look'
  | 'watch';

export interface ConsulRequest {
  readonly operation: Operation;
  readonly method: 'GET' | 'PUT' | 'DELETE';
  /** Percent-encoded, from `/v1/` on. */
  readonly path: string;
  /** A value of '' is a bare flag (`?consistent`). */
  readonly query?: Readonly<Record<string, string>>;
  readonly body?: string;
  /** For the whole exchange; by default the timeout of the transport. Blocking queries set their own. */
  readonly timeoutMs?: number;
}
