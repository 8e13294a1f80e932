import { isoText } from '../clock.js';
import { type Residual, UNKNOWN } from '../model/residual.js';

/** What of a revoked access goes on after the write, in a sentence. */
export interface Remainder {
  readonly text: string;
  /** When it ends, ISO 8601; `unknown`: nobody can say. Absent: no time ends it. */
  readonly until?: string;
}

/** `time`: when the decision was settled, ISO 8601. */
export function* remains(residual: Residual, time: string): Iterable<Remainder> {
  const { nextRequests, openStreamsSeconds, agentCache, accessTokensUntil, untilSynced, foreignAllows } =
    residual;
  const after = (seconds: number) => isoText(Date.parse(time) + seconds * 1000);
  if (nextRequests) yield { text: 'each pooled connection serves its next request by the old permissions' };
  if (openStreamsSeconds === UNKNOWN)
    yield {
      text: 'open streams stay until the drain time of their Envoy, which Consul does not know (600 s by default)',
      until: UNKNOWN,
    };
  else if (openStreamsSeconds !== undefined)
    yield {
      text: `open streams stay for up to ${openStreamsSeconds} s, the drain time of their Envoy`,
      until: after(openStreamsSeconds),
    };
  if (agentCache === UNKNOWN)
    yield {
      text: 'client agents of Consul may honour it as long as their acl.role_ttl, acl.policy_ttl and acl.token_ttl say, which could not be read',
      until: UNKNOWN,
    };
  else if (agentCache !== undefined) {
    const { roleSeconds, policySeconds, tokenSeconds } = agentCache;
    yield {
      text: `client agents of Consul that reach a server may honour it for ${roleSeconds} s (acl.role_ttl), ${policySeconds} s (acl.policy_ttl) and ${tokenSeconds} s (acl.token_ttl), the others longer`,
      until: after(Math.max(roleSeconds, policySeconds, tokenSeconds)),
    };
  }
  if (accessTokensUntil === UNKNOWN)
    yield {
      text: 'access tokens that were issued before live until they expire; when is not known',
      until: UNKNOWN,
    };
  else if (accessTokensUntil !== undefined)
    yield {
      text: `access tokens that were issued before live until ${accessTokensUntil}`,
      until: accessTokensUntil,
    };
  if (untilSynced)
    yield {
      text: 'Consul refuses the access only when consul-k8s has brought it the manifest that scopemesh wrote',
      until: UNKNOWN,
    };
  if (foreignAllows !== undefined)
    yield { text: `intentions that scopemesh does not own still allow: ${foreignAllows.join(', ')}` };
}
