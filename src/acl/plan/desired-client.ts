import type { AclAuthMethod, AclRole } from '../../model/acl.js';
import { ACTOR_KINDS, type ClassifiedKind } from '../../model/actor.js';
import type { OAuthClient } from '../../model/client.js';
import { compareText } from '../../model/compare-text.js';
import type { HoldReason } from '../../model/decision.js';
import type { ServiceName } from '../../model/intention.js';
import type { AclSettings, LoginProvider } from '../../model/login.js';
import type { Mapping } from '../../model/rule.js';
import { classify, needsHuman } from '../../plan/actor.js';
import type { ClaimStatus } from '../../plan/claim-status.js';
import { clientName, describeClient } from '../../plan/object-names.js';
import { ownService } from '../../plan/own-service.js';
import { compilePattern, type PatternCompiler } from '../../plan/pattern.js';
import type { Hold } from '../../plan/plan.js';
import { quarantineText } from '../../plan/stored-block.js';
import { type ClientBlock, serviceText } from '../../plan/world.js';
import { loginHold } from './acl-change.js';
import { type FirstLogin, isGained, isYielded, MAX_FIRST_LOGINS } from './first-logins.js';
import { rulesOf } from './granted-rules.js';
import {
  type DesiredAcl,
  expectedValue,
  lifetimeOf,
  maxTokenTtlSeconds,
  methodConfig,
  NOTHING_DESIRED,
  unverifiable,
} from './login.js';
import { type AclRules, parseRules } from './rules-text.js';
import { type ClaimName, Selector } from './selector.js';

interface ClientInput {
  readonly client: OAuthClient;
  readonly mapping: Mapping;
  readonly settings: AclSettings;
  /** The statuses of the claims on this client; undefined while the catalog was never read. */
  readonly claimStatuses: readonly ClaimStatus[] | undefined;
  /** The services that the client names and as which no instance is registered. */
  readonly firstLogins?: readonly FirstLogin[];
  /** The client's existing role, if owned. It keeps what cannot be decided now. */
  readonly former: AclRole | undefined;
  /** `MaxTokenTTL` of the client's existing auth method, if owned. */
  readonly existingTtlSeconds?: number | undefined;
  /** What tokens must prove for the client's existing auth method. */
  readonly existingProof?: Proof | undefined;
  /** Why an order closed the client; undefined if none did. */
  readonly clientBlock: ClientBlock | undefined;
  readonly compile?: PatternCompiler;
  readonly parse?: (text: string) => AclRules;
}

export interface DesiredClient {
  readonly desired: DesiredAcl;
  readonly actorKind: ClassifiedKind;
  readonly scopes: readonly string[];
  /** The same with their APIs, in the form of `toGrantText`. */
  readonly opensBy: readonly string[];
  readonly limited: readonly string[];
  /** Those of its service identities that rest on the client's own word at the identity provider; sorted. */
  readonly namedServices: readonly string[];
  readonly holds: readonly Hold[];
}

/** Roles that one hold names. */
const MAX_HOLDERS = 3;
/** Consul's rule for names in service identities. */
const IDENTITY = /^[a-z0-9]([a-z0-9_-]{0,254}[a-z0-9])?$/;

/**
 * The ACL objects of one client: policies, a role with the name of its auth method, and a binding rule that admits only
 * this client. A client with neither rules nor a service has no objects and cannot log in.
 *
 * | the role has | the token must prove |
 * |---|---|
 * | a service identity, or the client's kind is not `human` | that the client requested it for itself |
 * | only rules, and people sign in at the client | the client |
 * | rules, and the client must act for a human | the client, a person, and that the client acts for that person |
 *
 * A token that itself denies that its actor is an agent, or its subject a user, does not satisfy the third row.
 */
export function desiredClient(input: ClientInput): DesiredClient {
  const { client, mapping, settings } = input;
  const compile = input.compile ?? compilePattern;
  const actorKind = classify(client, mapping, compile);
  const name = clientName(mapping.owner, client);
  const id = { provider: client.provider, clientId: client.clientId };
  const holds: Hold[] = [];
  const hold = (reason: HoldReason, detail: string, scopes: readonly string[] = []) => {
    holds.push(loginHold(name, reason, detail, { scopes, client: { ...id, actorKind } }));
  };
  const rules = rulesOf(client, actorKind, mapping, compile, input.parse ?? parseRules);
  const { limited } = rules;
  const nothing: DesiredClient = {
    desired: NOTHING_DESIRED,
    actorKind,
    scopes: [],
    opensBy: [],
    limited,
    namedServices: [],
    holds,
  };
  const refuse = (reason: HoldReason, detail: string): DesiredClient => {
    hold(reason, detail, rules.scopes);
    return nothing;
  };
  if (input.clientBlock === 'ClientQuarantined' && client.enabled && wouldLogIn(input, rules))
    hold(input.clientBlock, quarantineText(id), rules.scopes);
  if (input.clientBlock !== undefined || !client.enabled) return nothing;
  for (const held of rules.held) hold(held.reason, held.detail, [held.scope]);
  const isDelegated = needsHuman(actorKind, mapping);
  const { identities, named } = settings.login ? identitiesOf(input, hold) : NO_IDENTITIES;
  if (isDelegated && identities.length > 0)
    hold(
      'UserTokenUnenforceable',
      `this client must act for a human, and a token with the identity of a service acts for nobody, so the client does not get the identity of ${identities.join(', ')}. Give the client another kind under actors.classify, set login: off, or remove the claim from the service and the service from the client's attribute consul-services`,
    );
  // People who log in by this client must not lose that by a name alone; the claim of an instance decides it.
  const locksOut =
    actorKind === 'human' &&
    input.existingProof === 'any' &&
    rules.policies.length > 0 &&
    named.length > 0 &&
    named.length === identities.length;
  if (locksOut)
    hold(
      'LoginUnverifiable',
      `people log in with the tokens of this client, and they could no longer do so if it had the identity of ${named.join(', ')}, so it does not get it. Remove the service from the client's attribute consul-services, or give the client another kind under actors.classify`,
    );
  const serviceIdentities = isDelegated || locksOut ? [] : identities;
  if (rules.policies.length === 0 && serviceIdentities.length === 0) return nothing;

  const provider = settings.providers.get(client.provider);
  const why = unverifiable(client.provider, provider);
  if (provider === undefined || why !== undefined) return refuse('LoginUnverifiable', why ?? '');
  const maxTtl = maxTokenTtlSeconds(
    lifetimeOf(client, input.existingTtlSeconds),
    (actorKind === 'unknown' ? ACTOR_KINDS : [actorKind]).map((kind) => mapping.limits[kind]),
  );
  if (maxTtl === undefined)
    return refuse(
      'LifetimeTooShort',
      'the access tokens of this client live less than one minute, which is the shortest lifetime of a Consul token; increase the lifetime at the identity provider, or let the client work without a Consul token',
    );
  const isOwn = !isDelegated && (serviceIdentities.length > 0 || actorKind !== 'human');
  const proof = isDelegated ? 'delegated' : isOwn ? 'own' : 'any';
  const selector = selectorFor(client.clientId, actorKind, provider, proof);
  if (selector === undefined)
    return refuse(
      'LoginUnverifiable',
      "scopemesh does not know how tokens of this provider show that a client requested them for itself, and a person's token must not act as the client",
    );
  if (selector.text === undefined)
    return refuse(
      'InvalidClientId',
      'the client ID is empty or contains an unpaired surrogate, so Consul cannot compare it; give the client another ID',
    );
  const description = describeClient(mapping.owner, client);
  return {
    actorKind,
    scopes: rules.scopes,
    opensBy: rules.opensBy,
    limited,
    namedServices: isDelegated || locksOut ? [] : named,
    holds,
    desired: {
      policies: rules.policies,
      roles: [
        { name, description, policies: rules.policies.map((policy) => policy.name), serviceIdentities },
      ],
      authMethods: [
        {
          name,
          description,
          maxTokenTtlSeconds: maxTtl,
          config: methodConfig(provider, selector.values, selector.lists),
        },
      ],
      bindingRules: [
        { description, authMethod: name, bindType: 'role', bindName: name, selector: selector.text },
      ],
    },
  };
}

/** Whether the client would have ACL objects without its quarantine; their details do not matter. */
function wouldLogIn(input: ClientInput, rules: Pick<ReturnType<typeof rulesOf>, 'policies'>): boolean {
  return (
    rules.policies.length > 0 ||
    (input.settings.login && identitiesOf(input, () => undefined).identities.length > 0)
  );
}

/** What a token must prove besides the client: see the table of `desiredClient`. */
export type Proof = 'own' | 'any' | 'delegated';

/** Whether the required proof differs from the existing one, except that a client of people now acts as a service. */
export function changesProof(
  actual: AclAuthMethod | undefined,
  { desired, actorKind }: Pick<DesiredClient, 'desired' | 'actorKind'>,
): boolean {
  const [method] = desired.authMethods;
  if (actual === undefined || method === undefined) return false;
  const [had, has] = [proofOf(actual), proofOf(method)];
  return had !== has && !(actorKind === 'human' && had === 'any' && has === 'own');
}

export function proofOf({ config }: Pick<AclAuthMethod, 'config'>): Proof {
  const names = new Set<string>(Object.values(config.claimMappings));
  const is = (name: ClaimName) => names.has(name);
  return is('actor') ? 'delegated' : is('own_token') ? 'own' : 'any';
}

/** Undefined if the provider has no such proof. */
function selectorFor(
  clientId: string,
  actorKind: ClassifiedKind,
  provider: LoginProvider,
  proof: Proof,
): Selector | undefined {
  const selector = new Selector().equals('client_id', provider.claims.client, clientId);
  switch (proof) {
    case 'any':
      return selector;
    case 'own':
      if (provider.ownToken === undefined) return undefined;
      return selector.equals(
        'own_token',
        provider.ownToken.claim,
        expectedValue(provider.ownToken, clientId),
      );
    case 'delegated':
      // RFC 8693, section 4.1: the actor acts for the subject.
      selector
        .equals('actor', ['act', 'sub'], clientId)
        .differs('subject', provider.claims.subject, clientId);
      // draft-mora-oauth-entity-profiles-01: a token's profile of its actor and subject can contradict the directory.
      if (actorKind === 'agent')
        selector.holdsWordIfThere('actor_profile', ['act', 'sub_profile'], 'ai_agent');
      if (provider.person === undefined)
        return selector.holdsWordIfThere('subject_profile', ['sub_profile'], 'user');
      return selector.equals('person', provider.person.claim, provider.person.equals);
  }
}

interface Identities {
  /** Sorted. */
  readonly identities: readonly string[];
  /** Those of them that no claim gives. */
  readonly named: readonly string[];
}

const NO_IDENTITIES: Identities = { identities: [], named: [] };

/** The services whose identity the client gets. It keeps an existing identity if nothing is certain now. */
function identitiesOf(input: ClientInput, hold: (reason: HoldReason, detail: string) => void): Identities {
  const had = new Set(input.former?.serviceIdentities ?? []);
  const isProtected = (serviceName: string) => input.mapping.protectedServices.includes(serviceName);
  if (input.claimStatuses === undefined)
    return { identities: [...had].filter((name) => !isProtected(name)).toSorted(compareText), named: [] };
  const found = new Set<string>();
  const offer = (serviceName: ServiceName, isCertain: boolean): boolean => {
    if (!isCertain && !had.has(serviceName.name)) return false;
    // The instance of that service gives its identity. What this one gave before stays.
    const fault =
      input.mapping.select?.hasService(serviceName) === false
        ? undefined
        : faultOf(serviceName, input, isProtected);
    if (fault !== undefined) hold(...fault);
    else if (input.mapping.select?.hasService(serviceName) !== false || had.has(serviceName.name))
      found.add(serviceName.name);
    return found.has(serviceName.name);
  };
  for (const claimStatus of input.claimStatuses) {
    if (claimStatus.kind === 'none' || claimStatus.kind === 'refused') continue;
    const { client, service } = claimStatus;
    if (client.provider !== input.client.provider || client.clientId !== input.client.clientId) continue;
    offer(service, claimStatus.kind === 'claimed' && !claimStatus.addNothing);
  }
  const named: string[] = [];
  const { firstLogins = [] } = input;
  if (firstLogins.length > MAX_FIRST_LOGINS)
    hold(
      'InvalidServiceName',
      `the client names ${firstLogins.length} services as which no instance is registered, and it may log in as at most ${MAX_FIRST_LOGINS} such services; remove services from its attribute consul-services`,
    );
  for (const each of firstLogins) {
    const { service, rivals, examples, holders = [] } = each;
    if (found.has(service.name)) continue;
    const isLost = isYielded(input.client, input.mapping.owner, each);
    if (!isLost && offer(service, isGained(each))) named.push(service.name);
    if (input.mapping.select?.hasService(service) === false || isProtected(service.name)) continue;
    if (rivals > 0) hold('ClaimAmbiguous', ambiguityText(service, rivals, examples));
    else if (holders.length > 0 && (isLost || !had.has(service.name)))
      hold('ClaimAmbiguous', holdersText(service, holders));
  }
  return { identities: [...found].toSorted(compareText), named };
}

function ambiguityText({ name }: ServiceName, rivals: number, examples: FirstLogin['examples']): string {
  const others = rivals === 1 ? 'another client' : `${rivals} other clients`;
  const listed = examples.map(({ provider, clientId }) => JSON.stringify(`${provider}/${clientId}`));
  const who = listed.length === 0 ? others : `${others} (${listed.join(', ')})`;
  return `no instance of ${JSON.stringify(name)} is registered, and ${who} also ${rivals === 1 ? 'names' : 'name'} it, so no client gains its identity; let one client alone name it in consul-services`;
}

function holdersText({ name }: ServiceName, holders: readonly string[]): string {
  const listed = holders.slice(0, MAX_HOLDERS).map((each) => JSON.stringify(each));
  const more = holders.length > MAX_HOLDERS ? ` and ${holders.length - MAX_HOLDERS} more` : '';
  return `no instance of ${JSON.stringify(name)} is registered, and other roles in Consul have its identity (${listed.join(', ')}${more}), so this client does not gain it; remove the identity from these roles if the service is this client's`;
}

/** Why no client gets the identity of the service. */
function faultOf(
  serviceName: ServiceName,
  { mapping }: ClientInput,
  isProtected: (serviceName: string) => boolean,
): readonly [HoldReason, string] | undefined {
  const named = JSON.stringify(serviceName.name);
  if (
    !IDENTITY.test(serviceName.name) ||
    serviceText(serviceName) !== serviceText(ownService(mapping, serviceName.name))
  )
    return [
      'InvalidServiceName',
      `the service ${named} cannot have a service identity: its name must consist of lower-case letters, digits, - and _, and it must be in the partition and namespace that scopemesh uses; rename the service`,
    ];
  if (isProtected(serviceName.name))
    return [
      'ProtectedDestination',
      `guards.protected lists the service ${named}, so scopemesh gives its identity to no client; remove it from guards.protected, or remove the claim from the service and the service from the client's attribute consul-services`,
    ];
  return undefined;
}
