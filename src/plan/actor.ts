import { ACTOR_KINDS, type ActorKind, type ClassifiedKind } from '../model/actor.js';
import type { OAuthClient } from '../model/client.js';
import type { Mapping } from '../model/rule.js';
import { compilePattern, type PatternCompiler } from './pattern.js';

/** Grant types by which a person signs in (RFC 6749, RFC 8628, CIBA). */
const INTERACTIVE = new Set([
  'authorization_code',
  'implicit',
  'password',
  'urn:ietf:params:oauth:grant-type:device_code',
  'urn:openid:params:grant-type:ciba',
]);

/** Whether a person can sign in at the client. */
export function isInteractive({ grantTypes }: Pick<OAuthClient, 'grantTypes'>): boolean {
  return grantTypes.some((type) => INTERACTIVE.has(type));
}

/**
 * The client's kind: by the first matching classification, then the identity provider, then the grant types; otherwise
 * unknown.
 */
export function classify(
  client: OAuthClient,
  mapping: Pick<Mapping, 'classify'>,
  compile: PatternCompiler = compilePattern,
): ClassifiedKind {
  for (const entry of mapping.classify) {
    if ('attribute' in entry) {
      if (
        Object.hasOwn(client.attributes, entry.attribute) &&
        client.attributes[entry.attribute] === entry.equals
      )
        return entry.kind;
    } else if (compile(entry.clientId).match(client.clientId) !== undefined) return entry.kind;
  }
  if (client.actorKind !== undefined) return client.actorKind;
  if (isInteractive(client)) return 'human';
  if (client.grantTypes.includes('client_credentials')) return 'workload';
  return 'unknown';
}

/** Whether a kind may use a scope. `unknown` may use only what every kind may use. */
export function mayUseScope(
  kind: ClassifiedKind,
  scope: string,
  mapping: Pick<Mapping, 'limits'>,
  compile: PatternCompiler = compilePattern,
): boolean {
  return kindsOf(kind).every(
    (each) => !mapping.limits[each].never.some((pattern) => compile(pattern).match(scope) !== undefined),
  );
}

/** Whether a rule's list of kinds contains this kind. `unknown` needs every kind in the list. */
export function admitsKind(listed: readonly ActorKind[] | undefined, kind: ClassifiedKind): boolean {
  return listed === undefined || kindsOf(kind).every((each) => listed.includes(each));
}

/** Whether this kind must act on behalf of a human. */
export function needsHuman(kind: ClassifiedKind, mapping: Pick<Mapping, 'limits'>): boolean {
  return kindsOf(kind).some((each) => mapping.limits[each].onBehalfOf === 'human');
}

function kindsOf(kind: ClassifiedKind): readonly ActorKind[] {
  return kind === 'unknown' ? ACTOR_KINDS : [kind];
}
