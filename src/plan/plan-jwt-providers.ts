import { compareText } from '../model/compare-text.js';
import type { WriteVerb } from '../model/decision.js';
import { fieldOf } from '../model/field-of.js';
import type { IntentionEntry } from '../model/intention.js';
import type { ExistingJwtProvider, JwtProviderEntry } from '../model/jwt-provider.js';
import type { Mapping } from '../model/rule.js';
import type { UserTokenFacts } from './destination-input.js';
import { isOurJwtProvider, providerOfEntry, userRequirement } from './jwt-requirement.js';
import { policyOf } from './mode.js';
import type { Change, Plan } from './plan.js';
import { isSameEntry, jwksUriOf } from './user-tokens.js';

/** One write of a jwt-provider entry. */
export interface JwtProviderChange {
  readonly name: string;
  readonly verb: WriteVerb;
  readonly before: ExistingJwtProvider | undefined;
  readonly after: JwtProviderEntry | undefined;
}

interface JwtProviderInput {
  readonly mapping: Mapping;
  readonly userTokens: UserTokenFacts;
  /** Of every destination that may need one. */
  readonly plans: readonly Pick<Plan, 'changes' | 'awaits' | 'names'>[];
  /** Whether any intention names this entry, owned or foreign. */
  readonly isNamed: (name: string) => boolean;
  /** Whether a provider's directory was read completely. */
  readonly isRead: (provider: string) => boolean;
}

/**
 * | desired | ours: equal | ours: differs | foreign | absent |
 * |---|---|---|---|---|
 * | a destination awaits it | | update | nothing (each edge is held) | create |
 * | nothing awaits or names it, and every client is known | delete | delete | nothing | nothing |
 * | otherwise | nothing | nothing | nothing | nothing |
 *
 * What a guard holds is made later, so its entry stays. An entry that any intention names stays, because without it the proxies of that destination have no listener.
 */
export function planJwtProviders(input: JwtProviderInput): readonly JwtProviderChange[] {
  const { mapping, userTokens, plans } = input;
  const { entries } = userTokens;
  const policy = policyOf(mapping);
  if (entries === undefined || !policy.writes) return [];
  const changes = new Map<string, JwtProviderChange>();
  const awaited = new Set(plans.flatMap((plan) => plan.awaits ?? []));
  for (const provider of awaited) {
    const after = entryFor(provider, mapping, userTokens);
    if (after === undefined) continue;
    const before = entries.get(after.name.toLowerCase());
    if (before === undefined) changes.set(after.name, { name: after.name, verb: 'created', before, after });
    else if (policy.removes && isOurJwtProvider(mapping.owner, before) && !isSameEntry(before.content, after))
      changes.set(after.name, { name: after.name, verb: 'updated', before, after });
  }
  if (!policy.removes) return sorted(changes);
  const written = new Set(
    plans
      .flatMap(({ changes, names = [] }) => [...changes.flatMap(providersWrittenBy), ...names])
      .map((name) => name.toLowerCase()),
  );
  for (const before of entries.values()) {
    const provider = providerOfEntry(before);
    // Without the provider's name somebody edited the entry, and it belongs to no job.
    if (
      provider === undefined ||
      !isOurJwtProvider(mapping.owner, before) ||
      input.isNamed(before.name) ||
      written.has(before.name.toLowerCase())
    )
      continue;
    const isKnown = !mapping.providers.includes(provider) || input.isRead(provider);
    if (awaited.has(provider) || !isKnown) continue;
    changes.set(before.name, { name: before.name, verb: 'deleted', before, after: undefined });
  }
  return sorted(changes);
}

/** The desired entry of a provider; undefined while a required fact is unknown. */
function entryFor(
  provider: string,
  mapping: Mapping,
  userTokens: UserTokenFacts,
): JwtProviderEntry | undefined {
  const settings = mapping.acl.providers.get(provider);
  if (settings === undefined) return undefined;
  const asked = userRequirement({
    owner: mapping.owner,
    // The entry contains no claims.
    provider: { ...settings, person: undefined, scopes: { claim: [], isList: false } },
    jwksUri: jwksUriOf(settings, mapping.owner, userTokens),
    consulVersion: userTokens.consulVersion,
    laxAgents: userTokens.laxAgents,
    protocol: 'http',
    isBehindGateway: false,
    clientId: '',
    actsForHuman: false,
  });
  return asked.kind === 'required' ? asked.entry : undefined;
}

/** Whether one of these intentions names a jwt-provider. Consul ignores the case of names. */
export function namedIn(intentions: Iterable<IntentionEntry>): (name: string) => boolean {
  const names = new Set([...intentions].flatMap(providersNamedBy).map((name) => name.toLowerCase()));
  return (name) => names.has(name.toLowerCase());
}

/** The jwt-providers that an intention names, in its own JWT block or in those of its permissions. */
export function providersNamedBy({
  raw,
  sources,
}: Pick<IntentionEntry, 'raw' | 'sources'>): readonly string[] {
  const names = sources.flatMap((source) =>
    source.access.kind === 'http'
      ? source.access.permissions.flatMap(({ jwt }) => jwt?.provider ?? [])
      : listOf(source.raw.Permissions).flatMap((permission) => namesIn(fieldOf(permission, 'JWT'))),
  );
  return [...new Set([...namesIn(raw.JWT), ...names])].toSorted(compareText);
}

/** The jwt-providers that a change's access will name. */
export function providersWrittenBy({ after }: Pick<Change, 'after'>): readonly string[] {
  return after?.kind === 'http' ? after.permissions.flatMap(({ jwt }) => jwt?.provider ?? []) : [];
}

function namesIn(block: unknown): readonly string[] {
  return listOf(fieldOf(block, 'Providers')).flatMap((provider) => {
    const name = fieldOf(provider, 'Name');
    return typeof name === 'string' ? [name] : [];
  });
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

function sorted(changes: ReadonlyMap<string, JwtProviderChange>): readonly JwtProviderChange[] {
  return [...changes.values()].toSorted((a, b) => compareText(a.name, b.name));
}
