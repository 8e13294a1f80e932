import type { IntentionEntry, IntentionSource } from '../../model/intention.js';
import { jwtProviderName } from '../../plan/object-names.js';
import { providersNamedBy } from '../../plan/plan-jwt-providers.js';
import { allowsAnything } from '../../plan/precedence.js';
import { serviceText } from '../../plan/world.js';
import type { WorldState } from '../../state/world-state.js';
import { type Finding, namesText, notice, warning } from './finding.js';
import { httpNeeds } from './http-needs.js';

/**
 * Which services may believe the header of `forwardUserAs`. A proxy removes what a caller sent only if the provider's entry in
 * Consul says so and an intention of its service names the provider; it then does so for every request of every source.
 */
export function forwardedUserFindings(world: WorldState): readonly Finding[] {
  const { owner, acl } = world.mapping;
  const found = [...acl.providers.values()].flatMap(({ name, forwardUserAs: header }) => {
    if (header === undefined) return [];
    const entry = jwtProviderName(owner, name);
    const services = [...world.entries.values()]
      .filter((each) => providersNamedBy(each).includes(entry))
      .map(({ destination }) => destination.name)
      .toSorted();
    if (services.length === 0)
      return notice(
        'users.header',
        `no intention requires a user's token of provider ${name} yet, so every service gets the header ${header} as the caller sent it`,
        `let no service believe the header ${header}`,
      );
    if (!forwards(world, entry, header))
      return warning(
        'users.header',
        `the jwt-provider entry ${entry} in Consul does not forward the claims in ${header}, or cannot be read, so every service gets the header as the caller sent it`,
        `let no service believe the header ${header} until scopemesh has written the entry; scopemesh plan shows what is missing`,
      );
    return notice(
      'users.header',
      `the proxies of ${namesText(services)} remove the header ${header} that a caller sent, and write the claims of a verified token of provider ${name}; every other service gets the header as the caller sent it`,
      `let only these services believe the header ${header}, and only while every source there needs a user's token; let them refuse headers that have _ in place of -`,
    );
  });
  return found.length === 0 ? [] : [...found, ...mixedFindings(world)];
}

function forwards({ userTokens }: WorldState, entry: string, header: string): boolean {
  const content = userTokens.facts.entries?.get(entry.toLowerCase())?.content;
  return content !== undefined && content !== 'other' && content.forwardHeader === header;
}

/** The filter leaves with the last intention that names the provider, and then the sources without a token may forge the header. */
function* mixedFindings(world: WorldState): Iterable<Finding> {
  const needs = httpNeeds(world);
  const needing = [
    ...new Set([...(needs.get('user') ?? []), ...(needs.get('human') ?? [])].map(([name]) => name)),
  ];
  const destinations = [...world.entries.values()].flatMap((entry) =>
    entry.destination.name === '*'
      ? needing.map((name) => ({ ...entry.destination, name }))
      : needing.includes(entry.destination.name) || providersNamedBy(entry).length > 0
        ? entry.destination
        : [],
  );
  const found = destinations.map((destination) => {
    const entry = world.entries.get(serviceText(destination));
    const sources = freeSources(entry, world.entries.get(serviceText({ ...destination, name: '*' })));
    return sources.length === 0 ? '' : `${destination.name} (${namesText(sources)})`;
  });
  const names = [...new Set(found)].filter((text) => text !== '');
  if (names.length > 0)
    yield warning(
      'users.header.mixed',
      `some sources need a user's token and others do not; when the last intention with a token goes, these can send any claims in the header: ${namesText(names.toSorted())}`,
      "write user: required for every source of the service, or let it believe the header only from callers whose certificate (XFCC) it knows to need a user's token",
    );
}

/** The sources that may call without a token. */
function freeSources(
  entry: IntentionEntry | undefined,
  wildcard: IntentionEntry | undefined,
): readonly string[] {
  const { raw = {}, sources = [] } = entry ?? {};
  // A requirement of the whole entry counts for every source.
  if (providersNamedBy({ raw, sources: [] }).length > 0) return [];
  const exact = sources.filter(({ peer }) => peer === undefined).map(({ name }) => name);
  const wider = exact.includes('*')
    ? []
    : (wildcard?.sources ?? []).filter(({ name, peer }) => peer !== undefined || !exact.includes(name));
  return [...new Set([...sources, ...wider].filter(isFree).map(({ name }) => name))].toSorted();
}

function isFree({ access }: IntentionSource): boolean {
  return (
    allowsAnything(access) &&
    !(access.kind === 'http' && access.permissions.every(({ jwt }) => jwt !== undefined))
  );
}
