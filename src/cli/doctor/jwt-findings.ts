import type { Consul, ConsulFacts } from '../../consul/consul.js';
import { messageOf } from '../../errors.js';
import type { ServiceName } from '../../model/intention.js';
import type { LoginProvider } from '../../model/login.js';
import type { Mapping } from '../../model/rule.js';
import { type JwtBlock, jwtBlocksOf } from '../../plan/acl/jwt-blocks.js';
import { enforcesJwt } from '../../plan/acl/jwt-requirement.js';
import { jwtProviderName } from '../../plan/acl/object-names.js';
import { needsUserTokens } from '../../reconcile/user-token-facts.js';
import type { WorldState } from '../../state/world-state.js';
import { error, type Finding, notice, ok, warning } from './finding.js';

/** What rules that ask for a user's token, or kinds of actors that act for a human, can rely on. */
export function userRuleFindings(mapping: Mapping): readonly Finding[] {
  const { rules, limits, acl } = mapping;
  if (!needsUserTokens(mapping)) return [];
  const isForAll = Object.values(limits).some(({ onBehalfOf }) => onBehalfOf === 'human');
  const [only] = mapping.providers.length === 1 ? mapping.providers : [];
  const named = new Set(rules.flatMap((rule) => (rule.userRequired ? (rule.provider ?? only ?? []) : [])));
  return [...acl.providers.values()]
    .filter(({ name }) => isForAll || named.has(name))
    .flatMap((provider) => providerRules(provider, logsIn(provider.name, mapping)));
}

/** Whether anybody logs in to Consul with a token of this provider. */
function logsIn(provider: string, { acl, rules, providers }: Mapping): boolean {
  const isIts = (named: string | undefined) =>
    (named ?? (providers.length === 1 ? providers[0] : undefined)) === provider;
  return (
    acl.login ||
    acl.groups.some((group) => isIts(group.provider)) ||
    // A rule that names no provider is about the scopes of every one.
    rules.some((rule) => rule.acl !== undefined && (rule.provider === undefined || isIts(rule.provider)))
  );
}

function providerRules(
  { name, audience, userAudience, scopes, person, keysCaFile }: LoginProvider,
  isForLogin: boolean,
): readonly Finding[] {
  if ((userAudience ?? '') === '')
    return [
      error(
        'users.audience',
        `provider ${name} has no audience, so that any of its tokens would pass for a user's: what user: required and onBehalfOf open stays closed`,
        "set the provider's userAudience to what users' tokens are issued for",
      ),
    ];
  const findings: Finding[] = [];
  if (isForLogin && userAudience === audience)
    findings.push(
      warning(
        'users.forwarded',
        `a user's token of provider ${name} beside a call is issued for ${audience}, as those are that log in to Consul: the called service receives it, and can log in as the user`,
        "have users' tokens for calls issued for another audience, and set the provider's userAudience to it",
      ),
    );
  if (person === undefined)
    findings.push(
      warning(
        'users.person',
        `a token of provider ${name} does not show whether a person or a client got it, so that either is enough where a user is required`,
        `issue tokens for the audience ${userAudience} to people alone`,
      ),
    );
  if (keysCaFile === undefined)
    findings.push(
      warning(
        'users.keys',
        `proxies fetch the keys of provider ${name} from a server whose certificate they do not verify: whoever stands between can sign tokens of any user`,
        "set the provider's keysCaFile to a file of CA certificates on the proxies' machines",
      ),
    );
  if (!scopes.isList)
    findings.push(
      notice(
        'users.scopes',
        `tokens of provider ${name} carry their scopes as one text in ${scopes.claim.join('.')}, in which Consul finds no single one: a user's token is required, and not what the user may`,
        'name a claim that is a list under claims.scopes, if the provider has one',
      ),
    );
  return findings.length === 0
    ? [ok('users', `a user's token of provider ${name} is known by its audience, its scopes and its person`)]
    : findings;
}

/** JWT requirements that stand in intentions, whoever wrote them, and do not do what they look like. */
export async function jwtFindings(
  consul: Consul,
  { version }: ConsulFacts,
  world: WorldState,
  signal: AbortSignal,
): Promise<readonly Finding[]> {
  const blocks = [...world.entries.values()].flatMap(jwtBlocksOf);
  if (blocks.length === 0) return [];
  const { owner, providers } = world.mapping;
  const ours = new Set(providers.map((provider) => jwtProviderName(owner, provider)));
  const findings = blocks.flatMap((block) => blockFindings(block, ours, (name) => world.protocolOf(name)));
  if (enforcesJwt(version)) findings.push(...(await providerFindings(consul, blocks, signal)));
  return findings.length === 0
    ? [ok('jwt', `requirements of a user's token in intentions: ${blocks.length}, all of them enforceable`)]
    : findings;
}

const SCOPES_AS_LIST =
  'have the provider put the scopes into a list, under another claim, and compare that one';

function blockFindings(
  { destination, source, providers }: JwtBlock,
  ours: ReadonlySet<string>,
  protocolOf: (name: ServiceName) => string,
): Finding[] {
  const where = `the intention ${source ?? 'of every source'} -> ${destination.name}`;
  const findings: Finding[] = [];
  if (protocolOf(destination) === 'tcp')
    findings.push(
      error(
        'jwt.protocol',
        `${where} requires a token, but ${destination.name} speaks tcp, where that is not looked at`,
        `give it Protocol http: consul config write a service-defaults entry named ${destination.name}`,
      ),
    );
  if (providers.length > 1)
    findings.push(
      warning(
        'jwt.alternatives',
        `${where} names ${providers.length} providers of tokens in one block: a token of any one of them is enough`,
        'write one block for each provider where both must be there',
      ),
    );
  for (const { name, claims } of providers)
    for (const { path, value } of claims)
      if (path.at(-1) === 'scope')
        findings.push(
          warning(
            'jwt.scope-claim',
            `${where} compares the claim ${path.join('.')} of ${name} with ${JSON.stringify(value)}, and a scope claim is one text with all scopes (RFC 9068, section 2.2.3): it is met only by a token with no other scope`,
            SCOPES_AS_LIST,
          ),
        );
      else if (path.at(-1) === 'scp' && !ours.has(name))
        findings.push(
          notice(
            'jwt.scope-claim',
            `${where} compares the claim ${path.join('.')} of ${name} with ${JSON.stringify(value)}, which is a list at Okta, and at Entra ID one text with all scopes: there it is met only by a token with no other scope`,
            SCOPES_AS_LIST,
          ),
        );
  return findings;
}

/** Without its provider a requirement leaves the destination without a listener. */
async function providerFindings(
  consul: Consul,
  blocks: readonly JwtBlock[],
  signal: AbortSignal,
): Promise<readonly Finding[]> {
  const id = 'jwt.provider';
  let standing: ReadonlySet<string>;
  try {
    standing = new Set((await consul.jwtProviders.list(signal)).map(({ name }) => name));
  } catch (cause) {
    signal.throwIfAborted();
    const message = `whether the JWT providers that intentions name are there cannot be read: ${messageOf(cause)}`;
    return [notice(id, message, 'give the token mesh = "read"')];
  }
  const missing = new Map<string, string>();
  for (const { destination, providers } of blocks)
    for (const { name } of providers) if (!standing.has(name)) missing.set(name, destination.name);
  return [...missing].map(([name, destination]) =>
    error(
      id,
      `an intention of ${destination} requires a token of the JWT provider ${name}, which does not exist: the proxies of ${destination} get no listener, and nobody reaches it`,
      `write the jwt-provider entry ${name}, or take the requirement out of the intention`,
    ),
  );
}
