import type { Mapping } from '../model/rule.js';
import type { UserTokenFacts } from './destination-input.js';
import { isOurJwtProvider, providerOfEntry } from './jwt-requirement.js';
import { jwtProviderName } from './object-names.js';

/** The identity providers whose jwt-provider, or the access that requires their users' tokens, a change of facts affects. */
export function touchedProviders(
  before: UserTokenFacts,
  after: UserTokenFacts,
  { owner, providers }: Pick<Mapping, 'owner' | 'providers'>,
): readonly string[] {
  const isForAll =
    before.consulVersion !== after.consulVersion ||
    before.laxAgents !== after.laxAgents ||
    before.behindGateways !== after.behindGateways ||
    (before.entries === undefined) !== (after.entries === undefined);
  const changed = changedNames(before, after);
  const found = providers.filter(
    (provider) =>
      isForAll ||
      before.jwksUris.get(provider) !== after.jwksUris.get(provider) ||
      changed.has(jwtProviderName(owner, provider).toLowerCase()),
  );
  // Also of a provider that is no longer configured.
  const ours = [...changed].flatMap((name) => {
    const entry = after.entries?.get(name);
    return entry !== undefined && isOurJwtProvider(owner, entry) ? (providerOfEntry(entry) ?? []) : [];
  });
  return [...new Set([...found, ...ours])];
}

/** The jwt-providers that are new, gone or different, in lower case. The index alone affects no plan. */
function changedNames(before: UserTokenFacts, after: UserTokenFacts): ReadonlySet<string> {
  const textOf = ({ entries }: UserTokenFacts, name: string) => {
    const entry = entries?.get(name);
    return entry && JSON.stringify([entry.name, entry.meta, entry.content]);
  };
  const names = new Set([...(before.entries?.keys() ?? []), ...(after.entries?.keys() ?? [])]);
  return new Set([...names].filter((name) => textOf(before, name) !== textOf(after, name)));
}
