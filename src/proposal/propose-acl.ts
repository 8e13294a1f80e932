import { rulesOf } from '../acl/plan/granted-rules.js';
import { unverifiable } from '../acl/plan/login.js';
import { createRulesParser } from '../acl/plan/rules-text.js';
import { readRules, type SingleRule } from '../acl/plan/token-power.js';
import type { OAuthClient } from '../model/client.js';
import { compareText } from '../model/compare-text.js';
import type { Mapping, Rule } from '../model/rule.js';
import { classify } from '../plan/actor.js';
import { ownService } from '../plan/own-service.js';
import { createPatternCompiler } from '../plan/pattern.js';
import { matchRule } from '../plan/rule-match.js';
import { type ClientId, clientText, findClient, parseClientText, serviceText } from '../plan/world.js';
import { type AclFacts, type AclHolders, aclHolders, proofOf, rulesOfText, scopeKey } from './acl-holders.js';
import { type ProposalInput, type ProposedClaim, scopeText } from './proposal.js';
import { clientsOf, nameOf } from './propose-claims.js';
import type { HeldScope } from './scope-holders.js';
import { isStandardScope, namedLevel, topicsOf } from './scope-words.js';
import { toScopeRule } from './to-rules.js';
import type { HolderProof } from './token-holder.js';

export interface AclProposal {
  readonly rules: readonly ProposedAclRule[];
  /** By accessor ID: static tokens that a login of their client would replace. */
  readonly explained: ReadonlyMap<string, ExplainedToken>;
  /** By accessor ID: why no scope explains a static token, if something is known about it. */
  readonly unexplained: ReadonlyMap<string, string>;
}

/**
 * `policy`: the scope has the name of the policy, or of what its rules name. `holders`: the clients with the scope are exactly
 * those with the rules. `login`: a binding rule of others gives the rules to tokens with the scope.
 */
export type AclEvidence = 'policy' | 'holders' | 'login';

interface ProposedAclRule {
  readonly rule: Rule & { readonly acl: string };
  readonly evidence: AclEvidence;
  readonly proofs: readonly RuleProof[];
}

/** Why a client with the scope has the rights now. Without a client: each with the scope has them. */
export interface RuleProof extends HolderProof {
  readonly client?: ClientId;
}

interface ExplainedToken {
  readonly client: ClientId;
  readonly proof: HolderProof;
  /** In the form of `toGrantText`, sorted. */
  readonly scopes: readonly string[];
  /** Service identities of the token, which a login gives with `login: on`. Sorted. */
  readonly services: readonly string[];
}

type Input = Pick<ProposalInput, 'mapping' | 'world' | 'canWrite'> & { readonly now: number };

/**
 * Proposes `acl:` rules. A rule is proposed only if every client with the scope has the same rights now, by a static token of
 * its own or by a login of others, which the proofs name. None of them may be a client of people: everybody who signs in
 * there would get the rights.
 */
export function proposeAcl(
  facts: AclFacts,
  claims: readonly ProposedClaim[],
  { mapping, world, canWrite, now }: Input,
): AclProposal {
  const clients = clientsOf(world);
  const claimed = new Map(claims.map((claim) => [serviceText(claim.service), claim]));
  const holders = aclHolders(facts, { mapping, clients, claims: claimed, now });
  const scopes = scopesOf(clients, mapping);
  const rules: ProposedAclRule[] = [];
  for (const text of [...holders.texts].toSorted(compareText)) {
    if (!isProposable(text, mapping)) continue;
    const single = rulesOfText(text);
    const having = new Map(
      [...holders.byClient].flatMap(([client, given]) => {
        const proof = proofOf(single, given);
        return proof === undefined ? [] : [[client, proof] as const];
      }),
    );
    const right: Right = { text, rules: single, having, holders };
    const safe = scopes.filter((held) => isSafe(held, right));
    for (const [held, evidence] of chosen(right, safe, scopes)) {
      const scopeRule = toScopeRule(held, mapping);
      if (scopeRule === undefined) continue;
      const rule = { ...scopeRule, acl: text };
      if (canWrite(rule)) rules.push({ rule, evidence, proofs: proofsOf(held, evidence, right) });
    }
  }
  return { rules, ...explain(rules, holders, claimed, { mapping, world }) };
}

/** What a rule may give. */
interface Right {
  readonly text: string;
  readonly rules: readonly SingleRule[];
  /** By `clientText`: why a client has it now. */
  readonly having: ReadonlyMap<string, HolderProof>;
  readonly holders: AclHolders;
}

interface AclScope extends Pick<HeldScope, 'provider' | 'scope'> {
  /** By `clientText`. */
  readonly clients: readonly string[];
  /** Whether every client logs in for itself, with tokens that Consul can verify. */
  readonly isOfPrograms: boolean;
}

/** Every scope of a client that no `acl:` rule matches yet, sorted. A disabled client counts, since it may be enabled again. */
function scopesOf(clients: readonly OAuthClient[], mapping: Mapping): readonly AclScope[] {
  const compile = createPatternCompiler();
  const found = new Map<string, AclScope & { readonly clients: string[]; isOfPrograms: boolean }>();
  for (const client of clients) {
    const { provider } = client;
    const kind = classify(client, mapping, compile);
    const isProgram =
      (kind === 'workload' || kind === 'agent') &&
      unverifiable(provider, mapping.acl.providers.get(provider)) === undefined;
    for (const scope of client.grants) {
      const key = scopeText({ provider, scope });
      const held = found.get(key) ?? { provider, scope, clients: [], isOfPrograms: true };
      held.clients.push(clientText(client));
      held.isOfPrograms &&= isProgram;
      found.set(key, held);
    }
  }
  const isDecided = ({ provider, scope }: AclScope) =>
    mapping.rules.some(
      (rule) => rule.acl !== undefined && matchRule(rule, provider, scope, mapping, compile) !== undefined,
    );
  return [...found]
    .toSorted(([a], [b]) => compareText(a, b))
    .map(([, held]) => held)
    .filter((held) => !isDecided(held) && !isStandardScope(held.scope));
}

/** A text with captures would be a pattern. The rules of a protected service stay a person's decision. */
function isProposable(text: string, { protectedServices }: Mapping): boolean {
  const read = readRules(text);
  if (read === undefined || read.captures.length > 0) return false;
  return !read.named.some(
    ({ resource, name, isPrefix }) =>
      resource === 'service' &&
      protectedServices.some((serviceName) =>
        isPrefix ? serviceName.startsWith(name) : serviceName === name,
      ),
  );
}

function isSafe(held: AclScope, right: Right): boolean {
  const haveAll = held.clients.every((client) => right.having.has(client));
  return held.isOfPrograms && (haveAll || boundBy(held, right) !== undefined);
}

/** The login of others that gives it to tokens with the scope. */
function boundBy({ provider, scope }: AclScope, { rules, holders }: Right): HolderProof | undefined {
  if (scope.api !== undefined) return undefined;
  return proofOf(rules, holders.byScope.get(scopeKey(provider, scope.name)));
}

function proofsOf(held: AclScope, evidence: AclEvidence, right: Right): readonly RuleProof[] {
  const bound = evidence === 'login' ? boundBy(held, right) : undefined;
  if (bound !== undefined) return [bound];
  return held.clients.flatMap((key) => {
    const proof = right.having.get(key);
    return proof === undefined ? [] : [{ client: parseClientText(key), ...proof }];
  });
}

/** The scopes that give the text, until every client that has it now gets it by one. */
function chosen(
  right: Right,
  safe: readonly AclScope[],
  all: readonly AclScope[],
): readonly (readonly [AclScope, AclEvidence])[] {
  const { text, having, holders } = right;
  const left = new Set(having.keys());
  const found: [AclScope, AclEvidence][] = [];
  const take = (held: AclScope, evidence: AclEvidence) => {
    found.push([held, evidence]);
    for (const client of held.clients) left.delete(client);
  };
  for (const held of safe) if (boundBy(held, right) !== undefined) take(held, 'login');
  const words = wordsOf(text, holders.policies.get(text) ?? []);
  const named = safe
    .filter(({ scope }) => isNamed(scope.name, text, words))
    .toSorted((a, b) => b.clients.length - a.clients.length);
  for (const held of named) if (held.clients.some((client) => left.has(client))) take(held, 'policy');
  const same = all.filter(
    ({ clients }) =>
      clients.length > 1 && clients.length === having.size && clients.every((client) => having.has(client)),
  );
  const [only, ...others] = same;
  if (found.length === 0 && only !== undefined && others.length === 0 && safe.includes(only))
    take(only, 'holders');
  return found;
}

/** The words of the policies' names, and of the names in the rules. */
function wordsOf(text: string, policies: readonly string[]): ReadonlySet<string> {
  const names = readRules(text)?.named.map(({ name }) => name) ?? [];
  return new Set([...policies, ...names].flatMap((name) => name.toLowerCase().split(/[^a-z0-9]+/)));
}

function isNamed(scope: string, text: string, words: ReadonlySet<string>): boolean {
  const topics = topicsOf(scope);
  const read = readRules(text);
  const levels = [...Object.values(read?.whole ?? {}), ...(read?.named.map(({ policy }) => policy) ?? [])];
  const said = namedLevel(scope);
  const fits = said === undefined || (said === 'write') === levels.includes('write');
  return fits && topics.length > 0 && topics.every((word) => words.has(word));
}

function explain(
  proposed: readonly ProposedAclRule[],
  holders: AclHolders,
  claims: ReadonlyMap<string, ProposedClaim>,
  { mapping, world }: Pick<Input, 'mapping' | 'world'>,
): Pick<AclProposal, 'explained' | 'unexplained'> {
  const compile = createPatternCompiler();
  const parse = createRulesParser();
  const after = { ...mapping, rules: [...mapping.rules, ...proposed.map(({ rule }) => rule)] };
  const explained = new Map<string, ExplainedToken>();
  const unexplained = new Map<string, string>();
  for (const { token, power, clients, proof } of holders.tokens) {
    const [id, ...others] = clients;
    const client = id && findClient(world, id);
    if (id === undefined || client === undefined) continue;
    if (others.length > 0) {
      unexplained.set(
        token.accessorId,
        `its texts and identities name several clients: ${clients.map(nameOf).toSorted(compareText).join(', ')}`,
      );
      continue;
    }
    const fault = unverifiable(id.provider, mapping.acl.providers.get(id.provider));
    if (proof === undefined) {
      unexplained.set(
        token.accessorId,
        fault ??
          `a word or a service identity of it may mean the client ${nameOf(id)}, which proves nothing: if it is the token of this client, make "token of ${id.clientId}" its Description, and import again`,
      );
      continue;
    }
    const kind = classify(client, mapping, compile);
    const { policies, opensBy } = rulesOf(client, kind, after, compile, parse);
    const texts = new Set(policies.map(({ rules }) => rules));
    const services = [...power.services].toSorted(compareText);
    const isOfClient = (serviceName: string) => {
      const owner = claims.get(serviceText(ownService(mapping, serviceName)))?.client;
      return owner !== undefined && clientText(owner) === clientText(id);
    };
    const isAll =
      fault === undefined &&
      power.rules.size + services.length > 0 &&
      power.more.size === 0 &&
      [...power.rules].every((text) => texts.has(text)) &&
      services.every(isOfClient);
    if (isAll)
      explained.set(token.accessorId, {
        client: id,
        proof,
        scopes: power.rules.size > 0 ? opensBy : [],
        services,
      });
    else
      unexplained.set(
        token.accessorId,
        fault ?? `it is a token of the client ${nameOf(id)}, whose scopes do not give all of it`,
      );
  }
  return { explained, unexplained };
}
