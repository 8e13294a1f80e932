import { claimKey } from '../acl/plan/login.js';
import { createPowers, isWithin, type Power, type SingleRule, singleRules } from '../acl/plan/token-power.js';
import { isStatic, kindOf } from '../acl/plan/token-report.js';
import type { AclBindingRule, AclSnapshot, AclToken, Stored } from '../model/acl.js';
import { compareText } from '../model/compare-text.js';
import type { LoginProvider } from '../model/login.js';
import type { Mapping } from '../model/rule.js';
import { ownService } from '../plan/own-service.js';
import { isAnyMarked } from '../plan/ownership.js';
import { type ClientId, clientText, serviceText } from '../plan/world.js';
import { createHolderSearch, type HolderProof, type HolderSearch, type TokenHolder } from './token-holder.js';

/** Every ACL object of Consul, complete, with the rules of every policy. */
export interface AclFacts {
  readonly tokens: readonly AclToken[];
  readonly objects: AclSnapshot;
}

interface HeldToken extends TokenHolder {
  readonly token: AclToken;
  readonly power: Power;
}

/** What a token, or the role of a login, gives as single rules, and why it counts. */
interface GivenRules {
  readonly rules: readonly SingleRule[];
  readonly proof: HolderProof;
}

/** What clients may do by the ACL objects of others. */
export interface AclHolders {
  readonly tokens: readonly HeldToken[];
  /** By `clientText`. Only what scopemesh can parse. */
  readonly byClient: ReadonlyMap<string, readonly GivenRules[]>;
  /** The same by provider and scope: what a login gives to every token with the scope. */
  readonly byScope: ReadonlyMap<string, readonly GivenRules[]>;
  /** Texts of rules, canonical. */
  readonly texts: ReadonlySet<string>;
  /** By the text of rules: the names of the policies that have it. */
  readonly policies: ReadonlyMap<string, readonly string[]>;
}

interface HolderInput extends HolderSearch {
  readonly mapping: Mapping;
  readonly now: number;
}

/**
 * Finds the client of each static token, and what logins of others give: binding rules that compare one client ID or one
 * scope.
 */
export function aclHolders({ tokens, objects }: AclFacts, input: HolderInput): AclHolders {
  const powerOf = createPowers(objects);
  const holderOf = createHolderSearch(input);
  const held = tokens
    .filter((aclToken) => isStatic(kindOf(aclToken)) && !isOver(aclToken, input.now))
    .toSorted((a, b) => compareText(a.accessorId, b.accessorId))
    .map((aclToken): HeldToken => {
      const power = powerOf(aclToken);
      return { token: aclToken, power, ...holderOf(aclToken, power.services) };
    });
  const byClient = new Map<string, GivenRules[]>();
  const byScope = new Map<string, GivenRules[]>();
  const texts = new Set<string>();
  const give = (to: Map<string, GivenRules[]>, key: string, power: Power, proof: HolderProof) => {
    const rules = singleRules(power);
    if (rules === undefined) return;
    to.set(key, [...(to.get(key) ?? []), { rules, proof }]);
    for (const text of power.rules) texts.add(text);
  };
  for (const { clients, power, proof } of held) {
    const [client] = clients;
    if (client !== undefined && proof !== undefined) give(byClient, clientText(client), power, proof);
  }
  for (const { rule, provider } of loginsOf(objects, input.mapping)) {
    const power = powerOf({ ...NO_LINKS, roles: [rule.bindName] });
    const clientId = VALUE.exec(rule.selector);
    const scope = LISTED.exec(rule.selector);
    const { config, name } = provider.method;
    const proof: HolderProof = { kind: 'acl-auth-method', name, by: 'selector', text: rule.selector };
    if (clientId !== null && config.claimMappings[claimKey(provider.of.claims.client)] === clientId[1])
      give(byClient, clientText({ provider: provider.of.name, clientId: clientId[2] ?? '' }), power, proof);
    const { claim, isList } = provider.of.scopes;
    if (scope !== null && isList && config.listClaimMappings[claimKey(claim)] === scope[2])
      give(byScope, scopeKey(provider.of.name, scope[1] ?? ''), power, proof);
  }
  return { tokens: held, byClient, byScope, texts, policies: policiesByText(objects, powerOf) };
}

/**
 * By `serviceText`: the clients that static tokens with the identity of the service name, each once. A word of a Description
 * is enough: this is a guess about a claim, and no proof of a right.
 */
export function clientsByToken(
  facts: AclFacts,
  input: Omit<HolderInput, 'claims'>,
): ReadonlyMap<string, readonly ClientId[]> {
  const found = new Map<string, Map<string, ClientId>>();
  for (const { power, clients } of aclHolders(facts, { ...input, claims: new Map() }).tokens)
    for (const name of power.services) {
      const key = serviceText(ownService(input.mapping, name));
      const known = found.get(key) ?? new Map<string, ClientId>();
      found.set(key, known);
      for (const client of clients) known.set(clientText(client), client);
    }
  return new Map([...found].map(([key, known]) => [key, [...known.values()]]));
}

export function scopeKey(provider: string, scope: string): string {
  return JSON.stringify([provider, scope]);
}

/** A text of `texts`, as single rules. */
export function rulesOfText(text: string): readonly SingleRule[] {
  return singleRules({ ...NO_POWER, rules: new Set([text]) }) ?? [];
}

/** Why one of these certainly gives the rules; undefined if none does. */
export function proofOf(
  rules: readonly SingleRule[],
  given: readonly GivenRules[] = [],
): HolderProof | undefined {
  return given.find((each) => isWithin(rules, each.rules))?.proof;
}

const NO_POWER: Power = { isManagement: false, rules: new Set(), services: new Set(), more: new Set() };
const NO_LINKS = {
  policies: [],
  roles: [],
  serviceIdentities: [],
  nodeIdentities: [],
  templatedPolicies: [],
};
/** One comparison alone: a selector with more could admit fewer tokens, or others. */
const VALUE = /^\s*value\.(\w+)\s*==\s*"([^"\\]+)"\s*$/;
const LISTED = /^\s*"([^"\\]+)"\s+in\s+list\.(\w+)\s*$/;

function isOver({ expiresAt }: AclToken, now: number): boolean {
  return expiresAt !== undefined && Date.parse(expiresAt) <= now;
}

/**
 * Binding rules of others that give a role to tokens of a configured provider. Only those whose method accepts every token
 * with the provider's audience, which a login by an `acl:` rule needs: a client may get no token for another audience. What
 * has fields that scopemesh does not know may refuse tokens for more reasons.
 */
function loginsOf({ bindingRules, authMethods }: AclSnapshot, { acl }: Mapping) {
  const methods = new Map(authMethods.map((each) => [each.object.name.toLowerCase(), each]));
  const providers = new Map([...acl.providers.values()].map((each) => [each.issuer, each]));
  return bindingRules.flatMap(({ object: rule, isAltered }: Stored<AclBindingRule>) => {
    const stored = methods.get(rule.authMethod.toLowerCase());
    const of: LoginProvider | undefined = providers.get(stored?.object.config.boundIssuer ?? '');
    if (isAltered || stored === undefined || stored.isAltered || of === undefined) return [];
    const { object: method } = stored;
    const { boundAudiences } = method.config;
    if (boundAudiences.length > 0 && !boundAudiences.some((each) => each === of.audience)) return [];
    return rule.bindType !== 'role' || isAnyMarked(rule.description) || rule.bindName.includes('${')
      ? []
      : [{ rule, provider: { of, method } }];
  });
}

function policiesByText(
  { policies }: AclSnapshot,
  powerOf: ReturnType<typeof createPowers>,
): ReadonlyMap<string, readonly string[]> {
  const found = new Map<string, string[]>();
  for (const { object } of policies)
    for (const text of powerOf({ ...NO_LINKS, policies: [object.name] }).rules)
      found.set(text, [...(found.get(text) ?? []), object.name]);
  return found;
}
