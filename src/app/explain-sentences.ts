import type { Candidate, Explanation, Verdict } from '../plan/explain.js';
import { isAllowed } from '../plan/explain.js';
import { accessText } from './access-text.js';
import { countText } from './count-text.js';
import type { CallConditions } from './explain-call.js';

export function arrivalText(verdict: Verdict, { arrives, arrivesTrouble = '' }: CallConditions): string {
  const text = { yes: 'yes', partly: 'not every call', no: 'no', unknown: `not checked: ${arrivesTrouble}` }[
    arrives
  ];
  return isAllowed(verdict) || arrives === 'unknown' || arrives === 'no'
    ? text
    : `${text}, once it is allowed`;
}

export function decidingText({ candidates, defaultPolicy, request, verdict }: Explanation): string {
  const [deciding] = candidates;
  if (deciding === undefined) {
    return defaultPolicy === 'unknown'
      ? 'none matches this call, so the default policy decides; it cannot be read (agent:read), and scopemesh assumes deny'
      : `none matches this call, so the default policy of the mesh decides: ${defaultPolicy}`;
  }
  const unmatched =
    deciding.access.kind === 'http' && request !== undefined && verdict === 'denied'
      ? '; no permission matches this request'
      : '';
  const unclear =
    deciding.access.kind === 'http' && verdict === 'unclear'
      ? '; scopemesh cannot judge one of its expressions, and only Envoy can'
      : '';
  return candidateText(deciding) + unmatched + unclear;
}

export function candidateText(candidate: Candidate): string {
  const { source, destination, access, precedence, isOwned, description, manager } = candidate;
  const whose = [
    isOwned ? 'written by scopemesh' : 'not owned by scopemesh',
    ...(manager === undefined ? [] : [manager]),
  ].join('; ');
  const text = isOwned || description === '' ? '' : `: ${description}`;
  const what =
    access.kind === 'other'
      ? 'has conditions that scopemesh cannot evaluate (tokens of several providers, or permissions that deny)'
      : access.kind === 'http'
        ? `allows ${accessText(access)}`
        : { allow: 'allows everything', deny: 'denies everything' }[access.kind];
  return `${source} -> ${destination} ${what} (precedence ${precedence}, ${whose}${text})`;
}

export function claimText({ claim, source }: Explanation): string {
  if (claim.kind === 'none')
    return claim.vanished
      ? `${source.name} has no instance, so it claims no OAuth client`
      : `${source.name} claims no OAuth client`;
  const stated = `${source.name} claims ${claim.client.provider}/${claim.client.clientId}`;
  switch (claim.kind) {
    case 'claimed':
      return `${stated}, and the claim counts`;
    case 'refused':
      return `${stated}, but the claim does not count: ${claim.reason}, ${claim.detail}`;
    case 'unrecorded':
      return claim.unreadableKey === undefined
        ? `${stated}; the claim is not recorded yet`
        : `${stated}, and gains nothing: the record ${claim.unreadableKey} in Consul's KV cannot be read; delete or repair that key`;
    case 'unknown':
      return `${stated}, which was not read at its provider`;
  }
}

/** Names the scopes that matter for this call and counts the others. */
export function clientText({ client, openings, holds }: Explanation): string {
  if (client === undefined) return '';
  const {
    provider,
    clientId,
    actorKind,
    isReadable,
    exists,
    enabled,
    closure: block,
    grants,
    limited,
  } = client;
  if (!isReadable)
    return `${provider}/${clientId} has a record at the identity provider that cannot be read (ClientUnreadable)`;
  if (!exists) return `${provider}/${clientId} does not exist at the identity provider`;
  const state = block ?? (enabled ? 'enabled' : 'disabled');
  const never = limited.length === 0 ? '' : `; may not use as ${actorKind}: ${limited.join(' ')}`;
  const relevant = new Set([
    ...openings.map(({ scope }) => scope),
    ...holds.flatMap(({ scopes }) => scopes),
    ...limited,
  ]);
  const named = grants
    .filter(({ name }) => relevant.has(name))
    .map(({ api, name }) => (api === undefined ? name : `${name} of ${api}`));
  const others = grants.length - named.length;
  const count = others === 0 ? [] : [countText(others, named.length === 0 ? 'scope' : 'other scope')];
  const held = grants.length === 0 ? 'no scope' : [...named, ...count].join(', ');
  return `${provider}/${clientId} (${actorKind}, ${state}) holds ${held}${never}`;
}
