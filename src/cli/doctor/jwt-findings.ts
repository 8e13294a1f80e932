import { type JwtBlock, jwtBlocksOf } from '../../acl/plan/jwt-blocks.js';
import type { Consul, ConsulFacts } from '../../consul/consul.js';
import type { ServiceName } from '../../model/intention.js';
import { type LoginProvider, SCOPE_LISTS } from '../../model/login.js';
import type { Mapping } from '../../model/rule.js';
import { enforcesJwt } from '../../plan/jwt-requirement.js';
import { serviceText } from '../../plan/world.js';
import { needsUserTokens } from '../../read/user-token-facts.js';
import type { WorldState } from '../../state/world-state.js';
import { error, type Finding, notice, ok, tryRead, warning } from './finding.js';

/** How well the tokens of a provider suit rules with `user: required` and actor kinds with `onBehalfOf`. */
export function userRuleFindings(mapping: Mapping): readonly Finding[] {
  const { rules, limits, acl } = mapping;
  if (!needsUserTokens(mapping)) return [];
  const isForAll = Object.values(limits).some(({ onBehalfOf }) => onBehalfOf === 'human');
  const [only] = mapping.providers.length === 1 ? mapping.providers : [];
  const named = new Set(rules.flatMap((rule) => (rule.userRequired ? (rule.provider ?? only ?? []) : [])));
  return [...acl.providers.values()]
    .filter(({ name }) => isForAll || named.has(name))
    .flatMap((provider) => [...userFaults(provider, logsIn(provider.name, mapping))]);
}

/** Whether tokens of this provider are also used to log in to Consul. */
function logsIn(provider: string, { acl, rules, providers }: Mapping): boolean {
  const isIts = (named: string | undefined) =>
    (named ?? (providers.length === 1 ? providers[0] : undefined)) === provider;
  return (
    acl.login ||
    acl.groups.some((group) => isIts(group.provider)) ||
    // A rule without a provider covers the scopes of every provider.
    rules.some((rule) => rule.acl !== undefined && (rule.provider === undefined || isIts(rule.provider)))
  );
}

function* userFaults(
  { name, audience, userAudience, scopes, person, keysCaFile }: LoginProvider,
  isForLogin: boolean,
): Iterable<Finding> {
  if ((userAudience ?? '') === '') {
    yield error(
      'users.audience',
      `provider ${name} has no audience, so every token of it would count as a user's token: access by user: required and onBehalfOf stays closed`,
      "set the provider's userAudience to the audience of users' tokens",
    );
    return;
  }
  if (isForLogin && userAudience === audience)
    yield warning(
      'users.forwarded',
      `users' tokens of provider ${name} have the audience ${audience}, which also logs in to Consul: a called service receives the token and can log in as the user`,
      "issue users' tokens for calls with another audience, and set the provider's userAudience to it",
    );
  if (person === undefined)
    yield warning(
      'users.person',
      `a token of provider ${name} does not show whether it belongs to a person or a client, so both are accepted where a user is required`,
      `issue tokens with the audience ${userAudience} only to people`,
    );
  if (keysCaFile === undefined)
    yield warning(
      'users.keys',
      `proxies fetch the keys of provider ${name} without verifying the server's certificate: an attacker in between can forge the token of any user`,
      "set the provider's keysCaFile to a file with CA certificates on the machines of the proxies",
    );
  const claim = scopes.claim.join('.');
  if (scopes.isList)
    yield error(
      'users.scopes',
      `tokens of provider ${name} list their scopes in ${claim}, and Consul compares a claim only as one text, so no token would pass: access by user: required and onBehalfOf stays closed`,
      `name a claim that is not a list under claims.scopes of the provider, and issue tokens with the audience ${userAudience} only to those who may call: their scopes are then not checked`,
    );
  else
    yield notice(
      'users.scopes',
      `tokens of provider ${name} have all scopes in one string in ${claim}, in which Consul cannot find a single scope: a user's token is required, but its scopes are not checked`,
      `issue tokens with the audience ${userAudience} only to those who may call`,
    );
}

/** JWT requirements in intentions, of scopemesh or of others, that do not do what they seem to do. */
export async function jwtFindings(
  consul: Consul,
  { version }: ConsulFacts,
  world: WorldState,
  signal: AbortSignal,
): Promise<readonly Finding[]> {
  const blocks = [...world.entries.values()].flatMap(jwtBlocksOf);
  if (blocks.length === 0) return [];
  const findings = [
    ...conflictFindings(blocks),
    ...blocks.flatMap((block) => [...blockFindings(block, (name) => world.protocolOf(name))]),
    ...(enforcesJwt(version) ? await providerFindings(consul, blocks, signal) : []),
  ];
  return findings.length === 0
    ? [ok('jwt', `${blocks.length} JWT requirements in intentions, and all of them can be enforced`)]
    : findings;
}

/** A requirement of the whole entry and one of a permission must both be met, and usually by one token. */
function conflictFindings(blocks: readonly JwtBlock[]): readonly Finding[] {
  return blocks.flatMap(({ destination, source, providers }) => {
    if (source === undefined) return [];
    const whole = blocks.find(
      (block) => block.source === undefined && serviceText(block.destination) === serviceText(destination),
    );
    const names = (block: Pick<JwtBlock, 'providers'>) => block.providers.map(({ name }) => name);
    if (whole === undefined || names(whole).some((name) => names({ providers }).includes(name))) return [];
    return warning(
      'jwt.unsatisfiable',
      `calls of ${destination.name} need a token of ${names(whole).join(' or ')} for the whole entry, and ${source} also one of ${names({ providers }).join(' or ')}: one token cannot be of both`,
      'name the same JWT provider in both, or let the two providers read their tokens from different headers (Locations)',
    );
  });
}

const ONE_TEXT = 'compare a claim that has exactly one value, as text, or none';
/** Claims that some provider writes as a list. */
const LISTS = new Set(['groups', ...Object.values(SCOPE_LISTS).flat()]);

function* blockFindings(
  { destination, source, providers }: JwtBlock,
  protocolOf: (name: ServiceName) => string,
): Iterable<Finding> {
  const where = `the intention ${source ?? 'of every source'} -> ${destination.name}`;
  if (protocolOf(destination) === 'tcp')
    yield error(
      'jwt.protocol',
      `${where} requires a token, but ${destination.name} speaks tcp, for which Consul ignores the requirement`,
      `set Protocol = "http" in the service-defaults entry of ${destination.name} (consul config write)`,
    );
  if (providers.length > 1)
    yield warning(
      'jwt.alternatives',
      `${where} names ${providers.length} JWT providers in one block: a token of any one of them is enough`,
      'if a token of each is required, write one block for each provider',
    );
  for (const { name, claims } of providers)
    for (const { path, value } of claims)
      if (path.at(-1) === 'scope')
        yield warning(
          'jwt.scope-claim',
          `${where} compares the claim ${path.join('.')} of ${name} with ${JSON.stringify(value)}, but a scope claim is one string with all scopes (RFC 9068, section 2.2.3): only a token with no other scope passes`,
          ONE_TEXT,
        );
      else if (LISTS.has(path.at(-1) ?? ''))
        yield warning(
          'jwt.list-claim',
          `${where} compares the claim ${path.join('.')} of ${name} with ${JSON.stringify(value)}, but in tokens of many providers that claim is a list, and Consul compares it only as one text: a token with a list does not pass`,
          ONE_TEXT,
        );
}

/** With a requirement whose provider is missing, or has a CacheDuration, the proxies of the destination get no listener. */
async function providerFindings(
  consul: Consul,
  blocks: readonly JwtBlock[],
  signal: AbortSignal,
): Promise<readonly Finding[]> {
  const id = 'jwt.provider';
  const listed = await tryRead(() => consul.jwtProviders.list(signal), signal);
  if (listed.why !== undefined) {
    const message = `the JWT providers that intentions name are not checked: ${listed.why}`;
    return [notice(id, message, 'give the token mesh = "read"')];
  }
  const existing = new Map(listed.value.map((each) => [each.name, each]));
  const used = new Map(
    blocks.flatMap(({ destination, providers }) => providers.map(({ name }) => [name, destination.name])),
  );
  return [...used].flatMap(([name, destination]) => {
    const requires = `an intention of ${destination} requires a token of the JWT provider ${name}`;
    const provider = existing.get(name);
    if (provider === undefined)
      return error(
        id,
        `${requires}, which does not exist: the proxies of ${destination} get no listener, so no call reaches it`,
        `write the jwt-provider entry ${name}, or remove the requirement from the intention`,
      );
    if (!provider.hasCacheDuration) return [];
    return error(
      id,
      `${requires}, which has a CacheDuration: Envoy refuses such a listener, so the proxies of ${destination} keep their old rules, and who lost access still gets in`,
      `remove CacheDuration from the jwt-provider entry ${name} (consul config write)`,
    );
  });
}
