import { type Residual, UNKNOWN } from '../../model/residual.js';

/** What of a revoked access goes on after the write, one sentence for each fact. */
export function* residualTexts(residual: Residual): Iterable<string> {
  const { nextRequests, openStreamsSeconds, agentCache, accessTokensUntil, untilSynced, foreignAllows } =
    residual;
  if (nextRequests) yield 'each pooled connection serves its next request by the old permissions';
  if (openStreamsSeconds === UNKNOWN)
    yield 'open streams stay until the drain time of their Envoy, which Consul does not know (600 s by default)';
  else if (openStreamsSeconds !== undefined)
    yield `open streams stay for up to ${openStreamsSeconds} s, the drain time of their Envoy`;
  if (agentCache === UNKNOWN)
    yield 'client agents of Consul may honour it as long as their acl.role_ttl, acl.policy_ttl and acl.token_ttl say, which could not be read';
  else if (agentCache !== undefined)
    yield `client agents of Consul may honour it for ${agentCache.roleSeconds} s (acl.role_ttl), ${agentCache.policySeconds} s (acl.policy_ttl) and ${agentCache.tokenSeconds} s (acl.token_ttl)`;
  if (accessTokensUntil === UNKNOWN)
    yield 'access tokens that were issued before live until they expire; when is not known';
  else if (accessTokensUntil !== undefined)
    yield `access tokens that were issued before live until ${accessTokensUntil}`;
  if (untilSynced)
    yield 'Consul refuses the access only when consul-k8s has brought it the manifest that scopemesh wrote';
  if (foreignAllows !== undefined)
    yield `intentions that scopemesh does not own still allow: ${foreignAllows.join(', ')}`;
}
