import type { AclPolicy, AclRole, AclSnapshot } from '../../model/acl.js';
import type { Grant, OAuthClient } from '../../model/client.js';
import { compareText } from '../../model/compare-text.js';
import type { ChangeReason } from '../../model/decision.js';
import type { Mapping } from '../../model/rule.js';
import type { Evidence } from '../../model/trigger.js';
import { classify, needsHuman } from '../../plan/actor.js';
import type { ClaimStatus } from '../../plan/claim-status.js';
import { namedScopes, parseGrantText, sameGrant, toGrantText } from '../../plan/grant-text.js';
import type { WritePolicy } from '../../plan/mode.js';
import { clientName } from '../../plan/object-names.js';
import { ownService } from '../../plan/own-service.js';
import type { PatternCompiler } from '../../plan/pattern.js';
import type { PlannedClient } from '../../plan/plan.js';
import { type ClientId, findClient, mayOnlyLose, serviceText } from '../../plan/world.js';
import type { WorldState } from '../../state/world-state.js';
import {
  type AclChange,
  type AclChangeContext,
  type AclPlan,
  aclSubject,
  digestObject,
  nameOf,
} from '../plan/acl-change.js';
import { clientRevocationCause } from '../plan/client-revocation-cause.js';
import { changesProof, type DesiredClient, desiredClient, proofOf } from '../plan/desired-client.js';
import { diffAcl } from '../plan/diff-acl.js';
import { givesFirstLogins } from '../plan/first-logins.js';
import { rulesOf } from '../plan/granted-rules.js';
import { type DesiredAcl, NOTHING_DESIRED, objectsOf } from '../plan/login.js';
import { existingTtlSeconds } from '../plan/owned-acl.js';
import { withoutLogins } from '../plan/redirected-issuer.js';
import type { AclRules } from '../plan/rules-text.js';
import type { AclCache } from './acl-cache.js';
import { firstLoginsOf } from './first-logins.js';

/** The cached ACL objects, and the parsers of the mapping. */
export interface KnownAcl {
  readonly cache: Pick<AclCache, 'of' | 'holders' | 'isComplete'>;
  tools(mapping: Mapping): {
    readonly parse: (text: string) => AclRules;
    readonly compile: PatternCompiler;
  };
}

/** The input of the plan of a client's ACL objects, besides the world. */
export interface ClientAclFacts extends Pick<WritePolicy, 'plansNarrowing'> {
  /** The objects with the client's name and its desired policies, also without the mark. */
  readonly actual: AclSnapshot;
  readonly lastApplied: ReadonlyMap<string, string>;
  readonly evidence: readonly Evidence[];
  readonly grantReason: ChangeReason;
  /** What a read did not show counts as existing, unless evidence names it. */
  readonly keepsUnshown?: boolean;
}

export interface ClientAclPlan extends AclPlan {
  readonly client: PlannedClient;
  /** The subject under which a removal of the client is counted and held. */
  readonly subject: string;
  readonly desired: DesiredAcl;
  /** The scopes that open the desired objects, to be recorded; in the form of `toGrantText`. */
  readonly opensBy: readonly string[];
  /** Its directory was not read completely and it does not only lose, its record cannot be parsed, or it is outside `select`. */
  readonly isUnknown: boolean;
}

/**
 * The plan of one client's ACL objects. From a directory that was not read completely nothing is concluded, unless an order
 * closed the client, or it was read alone. Then it loses what it may lose, the rest of its plan waits, and it keeps what
 * depends on other clients too.
 * Policies are shared: a client's plan creates them and never removes an unchanged one.
 */
export function planClientAcl(
  id: ClientId,
  facts: ClientAclFacts,
  { world, acl }: { readonly world: WorldState; readonly acl: KnownAcl },
  now: number,
): ClientAclPlan {
  const { mapping } = world;
  const subject = roleSubject(mapping.owner, id);
  const clientBlock = world.clientBlock(id);
  const isConfigured = mapping.providers.includes(id.provider);
  const view = world.view(now);
  const isAlone = isConfigured && clientBlock === undefined && mayOnlyLose(view, id);
  const had = rememberedScopes(facts.lastApplied, subject);
  const read = isConfigured ? findClient(view, id) : undefined;
  const shown = isAlone && read !== undefined ? withoutGains(read, had) : read;
  const known = facts.keepsUnshown && shown ? withUnshown(shown, facts, subject) : shown;
  const client: PlannedClient = {
    // A caller may have more of the client, which belongs in no decision.
    provider: id.provider,
    clientId: id.clientId,
    actorKind: known === undefined ? 'unknown' : classify(known, mapping, acl.tools(mapping).compile),
  };
  const isUnknown =
    mapping.select?.hasClient(id) === false ||
    (clientBlock === undefined &&
      isConfigured &&
      (!(world.hasDirectory(id.provider) || isAlone) || world.isUnreadable(id)));
  const nothing = { client, subject, desired: NOTHING_DESIRED, opensBy: [], changes: [], holds: [] };
  // The recorded scopes and the role decide what may stay.
  const isUndecided = had === undefined || facts.actual.roles.length === 0;
  if (isUnknown || (isAlone && read?.enabled === true && isUndecided)) return { ...nothing, isUnknown: true };

  const desiredState =
    known === undefined ? undefined : desiredFor(known, { ...facts, isAlone }, world, acl, now);
  const desired = desiredState?.desired ?? NOTHING_DESIRED;
  const { lastApplied, grantReason } = facts;
  const isAsWritten = isUnchanged(desired, lastApplied);
  const cause =
    isConfigured || clientBlock !== undefined
      ? causeOf(client, known, facts, desiredState, world, now)
      : undefined;
  const identities = new Set(facts.actual.roles.flatMap(({ object }) => object.serviceIdentities));
  const isFirst = desiredState?.namedServices.some((name) => !identities.has(name)) ?? false;
  const widenReason = isFirst && grantReason !== 'QuarantineEnded' ? 'ServiceNamed' : grantReason;
  const why = (direction: 'narrow' | 'widen'): AclChangeContext => {
    if (direction === 'widen')
      return { reason: widenReason, isInferred: false, client, scopes: desiredState?.scopes ?? [] };
    // If the desired objects equal the last write, every difference was made by somebody else.
    if (isAsWritten)
      return { reason: 'DriftCorrected', isInferred: false, client, scopes: desiredState?.scopes ?? [] };
    return (
      cause ?? {
        reason: 'MappingChanged',
        isInferred: false,
        client,
        scopes: (had ?? []).map(({ name }) => name),
      }
    );
  };
  const diff = diffAcl({
    owner: mapping.owner,
    plansNarrowing: facts.plansNarrowing,
    desired,
    actual: isAlone ? withRulesOf(desired, facts.actual) : facts.actual,
    mayRemove: ({ kind }) => kind !== 'acl-policy',
    why: (_, direction) => why(direction),
    lastApplied,
  });
  const { changes, holds } = world.userTokens.redirects(id.provider)
    ? withoutLogins(diff, clientName(mapping.owner, id), { client })
    : diff;
  const opensBy = desiredState?.opensBy ?? [];
  const opened = (had ?? []).map(toGrantText);
  return {
    client,
    subject,
    desired,
    // If nothing is narrowed, lost scopes still open the objects.
    opensBy: facts.plansNarrowing ? opensBy : [...new Set([...opensBy, ...opened])].toSorted(compareText),
    isUnknown,
    changes: isAlone ? lossesOf(changes) : changes,
    holds: [...(desiredState?.holds ?? []), ...holds],
  };
}

/**
 * The plan of a client whose inferred loss is held: what a read did not show stays, and everything else is planned as
 * usual. If it is unknown what that is, nothing is narrowed.
 */
export function planHeldLoss(
  id: ClientId,
  facts: ClientAclFacts,
  deps: { readonly world: WorldState; readonly acl: KnownAcl },
  now: number,
): ClientAclPlan {
  const plan = planClientAcl(id, { ...facts, keepsUnshown: true }, deps, now);
  return hasInferredLoss(plan.changes)
    ? planClientAcl(id, { ...facts, plansNarrowing: false }, deps, now)
    : plan;
}

/** Whether its plan is not complete yet, because its directory was not read completely and nothing closed the client. */
export function isOfUnreadDirectory(id: ClientId, world: WorldState): boolean {
  const isConfigured = world.mapping.providers.includes(id.provider);
  return isConfigured && !world.hasDirectory(id.provider) && world.clientBlock(id) === undefined;
}

/** The object names that a client's plan needs. */
export function objectNamesOf(
  id: ClientId,
  { world, acl }: { readonly world: WorldState; readonly acl: KnownAcl },
): { readonly name: string; readonly policies: readonly string[] } {
  const name = clientName(world.mapping.owner, id);
  const known = findClient(world.view(0), id);
  const desiredState = known === undefined ? [] : policiesOf(known, world, acl);
  // Policies that the role already links may have to stay.
  const linked = acl.cache.of(name).role?.object.policies ?? [];
  return { name, policies: [...new Set([...desiredState.map((policy) => policy.name), ...linked])] };
}

/** The policies that its scopes grant, whether or not it can log in. */
function policiesOf(client: OAuthClient, { mapping }: WorldState, acl: KnownAcl): readonly AclPolicy[] {
  const { compile, parse } = acl.tools(mapping);
  return rulesOf(client, classify(client, mapping, compile), mapping, compile, parse).policies;
}

function roleSubject(owner: string, id: ClientId): string {
  return aclSubject('acl-role', clientName(owner, id));
}

/** Whether the client would lose something only because a read did not show it. */
export function hasInferredLoss(changes: readonly AclChange[]): boolean {
  return changes.some((change) => change.narrows && change.isInferred);
}

/** The name under which the scopes that opened a client's objects are recorded. */
export function scopesKey(subject: string): string {
  return `${subject} scopes`;
}

/** The scopes that opened a client's objects, as recorded; undefined if there is no record. */
export function rememberedScopes(
  lastApplied: ReadonlyMap<string, string>,
  subject: string,
): readonly Grant[] | undefined {
  const text = lastApplied.get(scopesKey(subject));
  if (text === undefined) return undefined;
  const value: unknown = JSON.parse(text);
  return Array.isArray(value)
    ? value.filter((scope) => typeof scope === 'string').map(parseGrantText)
    : undefined;
}

function desiredFor(
  client: OAuthClient,
  facts: Pick<ClientAclFacts, 'actual' | 'keepsUnshown'> & { readonly isAlone: boolean },
  world: WorldState,
  acl: KnownAcl,
  now: number,
): DesiredClient {
  const { mapping } = world;
  const [role] = facts.actual.roles;
  const [method] = facts.actual.authMethods;
  // Other clients decide too whether a claim counts. Without its statuses the client keeps the services that it has.
  const areUnknown = world.catalog === undefined || facts.isAlone;
  const claimStatuses = areUnknown ? undefined : world.claimsOn(client, now);
  const unshown = facts.keepsUnshown ? vanishedServices(role?.object, client, world, now) : [];
  return desiredClient({
    client,
    mapping,
    settings: mapping.acl,
    claimStatuses: claimStatuses && [
      ...claimStatuses,
      ...unshown.map(({ service }) => ({ kind: 'unknown' as const, service, client })),
    ],
    firstLogins: firstLoginsOf(client, world, acl.cache, now),
    former: role?.object,
    existingTtlSeconds: existingTtlSeconds(mapping.owner, method?.object),
    existingProof: method && proofOf(method.object),
    clientBlock: world.clientBlock(client),
    ...acl.tools(mapping),
  });
}

/** With the desired binding rules, if it keeps its role: a rule that differs would end the role to create it again. */
function withRulesOf({ roles, bindingRules }: DesiredAcl, actual: AclSnapshot): AclSnapshot {
  if (roles.length === 0) return actual;
  const asDesired = bindingRules.map((object) => ({ id: '', object, isAltered: false, modifyIndex: 0 }));
  return { ...actual, bindingRules: asDesired };
}

/**
 * The narrowing changes that may be made without the others: not those of an object that would be created again, and not
 * those of a new mapping that gives an object other access instead, because the client would have neither.
 */
function lossesOf(changes: readonly AclChange[]): readonly AclChange[] {
  const rest = changes.filter(({ narrows }) => !narrows);
  return changes.filter(
    (change) =>
      change.narrows &&
      !rest.some(
        ({ subject, verb }) =>
          subject === change.subject && (verb === 'created' || change.reason === 'MappingChanged'),
      ),
  );
}

/** Without the scopes that did not open the objects. */
function withoutGains(client: OAuthClient, had: readonly Grant[] = []): OAuthClient {
  return { ...client, grants: client.grants.filter((grant) => had.some((each) => sameGrant(each, grant))) };
}

/** Adds the recorded scopes that the read does not show and that no evidence names. */
function withUnshown(client: OAuthClient, facts: ClientAclFacts, subject: string): OAuthClient {
  const { provider, grants } = client;
  const named = facts.evidence.filter((each) => each.provider === provider).flatMap(namedScopes);
  const had = rememberedScopes(facts.lastApplied, subject) ?? [];
  const unshown = had.filter((grant) => ![...grants, ...named].some((each) => sameGrant(each, grant)));
  return { ...client, grants: [...grants, ...unshown] };
}

/** The services of a client's role that have no instance left, unless the configuration ended its login as these. */
function vanishedServices(role: AclRole | undefined, client: OAuthClient, world: WorldState, now: number) {
  return (role?.serviceIdentities ?? [])
    .map((name) => statusOfService(name, world, now))
    .filter((status) => status.kind === 'none' && status.vanished)
    .filter(({ service }) => !world.hasEndedLogin(client, service.name));
}

function statusOfService(name: string, world: WorldState, now: number): ClaimStatus {
  const serviceName = ownService(world.mapping, name);
  return (
    world.claimStatuses(now).get(serviceText(serviceName)) ?? {
      kind: 'none',
      service: serviceName,
      vanished: true,
    }
  );
}

/**
 * The claim status of a lost service. Of a service without instances the client's own word decides: while it names the
 * service, that counts as a claim, and after that as one that is no longer confirmed.
 */
function lossOfService(
  name: string,
  client: OAuthClient | undefined,
  world: WorldState,
  now: number,
): ClaimStatus {
  const status = statusOfService(name, world, now);
  if (client === undefined || status.kind !== 'none' || !status.vanished) return status;
  // A new configuration says so, and no read.
  if (world.hasEndedLogin(client, name)) return { ...status, vanished: false };
  if (!givesFirstLogins(world.mapping)) return status;
  const { service } = status;
  const of = { service, client: { provider: client.provider, clientId: client.clientId } };
  if (world.firstLogins(client, now).some((each) => each.service.name === name))
    return { kind: 'claimed', ...of, addNothing: false };
  const detail = 'the client no longer names the service';
  return { kind: 'refused', ...of, reason: 'ClaimUnconfirmed', detail };
}

function causeOf(
  client: PlannedClient,
  known: OAuthClient | undefined,
  facts: ClientAclFacts,
  desiredState: DesiredClient | undefined,
  world: WorldState,
  now: number,
): AclChangeContext {
  const { actual, evidence, lastApplied } = facts;
  const mine = evidence.filter(({ provider }) => provider === client.provider);
  const keeps = new Set(desiredState?.desired.roles.flatMap(({ serviceIdentities }) => serviceIdentities));
  const had = actual.roles.flatMap(({ object }) => object.serviceIdentities);
  return clientRevocationCause({
    id: client,
    clientBlock: world.clientBlock(client),
    client: known,
    now: desiredState,
    had: rememberedScopes(lastApplied, roleSubject(world.mapping.owner, client)),
    lostServices: had
      .filter((name) => !keeps.has(name))
      .map((name) => lossOfService(name, known, world, now)),
    needsHuman: needsHuman(client.actorKind, world.mapping),
    changesProof: desiredState !== undefined && changesProof(actual.authMethods[0]?.object, desiredState),
    isNamed: mine.some(({ clients }) => clients?.includes(client.clientId) ?? false),
    namedScopes: mine.flatMap(namedScopes),
    grantReason: facts.grantReason,
  });
}

function isUnchanged(desired: DesiredAcl, lastApplied: ReadonlyMap<string, string>): boolean {
  // Policies are left out, because the job of another client may have created them.
  const mine = objectsOf(desired).filter(({ kind }) => kind !== 'acl-policy');
  return (
    mine.length > 0 &&
    mine.every((each) => lastApplied.get(aclSubject(each.kind, ...nameOf(each))) === digestObject(each))
  );
}
