import type { AclPolicy, AclRole, AclSnapshot } from '../model/acl.js';
import type { Grant, OAuthClient } from '../model/client.js';
import type { ChangeReason } from '../model/decision.js';
import type { Mapping, Mode } from '../model/rule.js';
import type { Evidence } from '../model/trigger.js';
import {
  type AclChange,
  type AclPlan,
  type AclWhy,
  aclSubject,
  digestObject,
  nameOf,
} from '../plan/acl/acl-change.js';
import { clientRevocationCause } from '../plan/acl/client-revocation-cause.js';
import { changesProof, type DesiredClient, desiredClient } from '../plan/acl/desired-client.js';
import { diffAcl } from '../plan/acl/diff-acl.js';
import { rulesOf } from '../plan/acl/granted-rules.js';
import { type DesiredAcl, NOTHING_DESIRED, objectsOf } from '../plan/acl/login.js';
import { clientName } from '../plan/acl/object-names.js';
import { existingTtlSeconds } from '../plan/acl/owned-acl.js';
import type { AclRules } from '../plan/acl/rules-text.js';
import { classify, needsHuman } from '../plan/actor.js';
import type { ClaimStatus } from '../plan/claims.js';
import { compareText } from '../plan/compare.js';
import { namedScopes, parseGrantText, sameGrant, toGrantText } from '../plan/grant-text.js';
import type { PatternCompiler } from '../plan/pattern.js';
import type { PlannedClient } from '../plan/plan.js';
import { type ClientId, serviceText } from '../plan/world.js';
import type { AclCache } from './acl-cache.js';
import type { WorldState } from './world-state.js';

/** What exists at Consul, and what reads the mapping. */
export interface KnownAcl {
  readonly cache: Pick<AclCache, 'of'>;
  tools(mapping: Mapping): {
    readonly parse: (text: string) => AclRules;
    readonly compile: PatternCompiler;
  };
}

/** What a plan of a client's ACL objects is made from, besides the world. */
export interface ClientAclFacts {
  /** The objects with the client's name, and the policies that it is to have, also those that lack the mark. */
  readonly actual: AclSnapshot;
  readonly lastApplied: ReadonlyMap<string, string>;
  readonly evidence: readonly Evidence[];
  readonly grantReason: ChangeReason;
  readonly mode: Mode;
  /** What a read did not show, and nobody told of, is taken to be there still. */
  readonly keepsUnshown?: boolean;
}

export interface ClientAclPlan extends AclPlan {
  readonly client: PlannedClient;
  /** What the client's one removal is counted and held under. */
  readonly subject: string;
  readonly desired: DesiredAcl;
  /** What opens the desired objects, to be remembered; in the form of `toGrantText`. */
  readonly opensBy: readonly string[];
  /** The client's directory was not read completely, or its record cannot be parsed: nothing follows. */
  readonly isUnknown: boolean;
}

/**
 * The plan of one client's ACL objects. Nothing follows from a directory that was not read completely, unless an order
 * closed the client. Policies are shared: a client's plan makes them and never takes one away that is as it should be.
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
  const shown = isConfigured ? world.client(id) : undefined;
  const known = facts.keepsUnshown && shown ? withUnshown(shown, facts, subject) : shown;
  const client: PlannedClient = {
    ...id,
    actorKind: known === undefined ? 'unknown' : classify(known, mapping, acl.tools(mapping).compile),
  };
  const isUnknown =
    clientBlock === undefined && isConfigured && (!world.hasDirectory(id.provider) || world.isUnreadable(id));
  if (isUnknown)
    return { client, subject, desired: NOTHING_DESIRED, opensBy: [], changes: [], holds: [], isUnknown };

  const desiredState = known === undefined ? undefined : desiredFor(known, facts, world, acl, now);
  const desired = desiredState?.desired ?? NOTHING_DESIRED;
  const { lastApplied, grantReason } = facts;
  const isAsWritten = isUnchanged(desired, lastApplied);
  const cause =
    isConfigured || clientBlock !== undefined
      ? causeOf(client, known, facts, desiredState, world, now)
      : undefined;
  const why = (direction: 'narrow' | 'widen'): AclWhy => {
    if (direction === 'widen')
      return { reason: grantReason, isInferred: false, client, scopes: desiredState?.scopes ?? [] };
    // Whatever differs although nothing else is wanted than was written was changed by hand.
    if (isAsWritten)
      return { reason: 'DriftCorrected', isInferred: false, client, scopes: desiredState?.scopes ?? [] };
    return (
      cause ?? {
        reason: 'MappingChanged',
        isInferred: false,
        client,
        scopes: (rememberedScopes(lastApplied, subject) ?? []).map(({ name }) => name),
      }
    );
  };
  const plan = diffAcl({
    owner: mapping.owner,
    mode: facts.mode,
    desired,
    actual: facts.actual,
    mayRemove: ({ kind }) => kind !== 'acl-policy',
    why: (_, direction) => why(direction),
    lastApplied,
  });
  const opensBy = desiredState?.opensBy ?? [];
  const opened = (rememberedScopes(lastApplied, subject) ?? []).map(toGrantText);
  return {
    client,
    subject,
    desired,
    // Where nothing is narrowed, what is lost stands on.
    opensBy: facts.mode === 'extend' ? [...new Set([...opensBy, ...opened])].toSorted(compareText) : opensBy,
    isUnknown,
    changes: plan.changes,
    holds: [...(desiredState?.holds ?? []), ...plan.holds],
  };
}

/**
 * The plan of a client whose loss by inference is held: what a read did not show stands on, and everything else goes its
 * way. Where it is not known what that is, nothing is narrowed.
 */
export function planHeldLoss(
  id: ClientId,
  facts: ClientAclFacts,
  deps: { readonly world: WorldState; readonly acl: KnownAcl },
  now: number,
): ClientAclPlan {
  const plan = planClientAcl(id, { ...facts, keepsUnshown: true }, deps, now);
  return losesByInference(plan.changes) ? planClientAcl(id, { ...facts, mode: 'extend' }, deps, now) : plan;
}

/** The names that a client's plan needs to see. */
export function objectNamesOf(
  id: ClientId,
  { world, acl }: { readonly world: WorldState; readonly acl: KnownAcl },
): { readonly name: string; readonly policies: readonly string[] } {
  const name = clientName(world.mapping.owner, id);
  const known = world.client(id);
  const desiredState = known === undefined ? [] : policiesOf(known, world, acl);
  // What its role has already may have to stay.
  const linked = acl.cache.of(name).role?.object.policies ?? [];
  return { name, policies: [...new Set([...desiredState.map((policy) => policy.name), ...linked])] };
}

/** What its scopes give it, whether or not it can log in. */
function policiesOf(client: OAuthClient, { mapping }: WorldState, acl: KnownAcl): readonly AclPolicy[] {
  const { compile, parse } = acl.tools(mapping);
  return rulesOf(client, classify(client, mapping, compile), mapping, compile, parse).policies;
}

function roleSubject(owner: string, id: ClientId): string {
  return aclSubject('acl-role', clientName(owner, id));
}

/** Whether the client would lose something only because a read did not show it. */
export function losesByInference(changes: readonly AclChange[]): boolean {
  return changes.some((change) => change.narrows && change.isInferred);
}

/** Under which name the scopes that opened a client's objects are remembered beside them. */
export function scopesKey(subject: string): string {
  return `${subject} scopes`;
}

function rememberedScopes(
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
  facts: Pick<ClientAclFacts, 'actual' | 'keepsUnshown'>,
  world: WorldState,
  acl: KnownAcl,
  now: number,
): DesiredClient {
  const { mapping } = world;
  const [role] = facts.actual.roles;
  const [method] = facts.actual.authMethods;
  const claimStatuses = world.catalog === undefined ? undefined : world.claimsOn(client, now);
  const unshown = facts.keepsUnshown ? vanishedServices(role?.object, world, now) : [];
  return desiredClient({
    client,
    mapping,
    settings: mapping.acl,
    claimStatuses: claimStatuses && [
      ...claimStatuses,
      ...unshown.map(({ service }) => ({ kind: 'unknown' as const, service, client })),
    ],
    former: role?.object,
    existingTtlSeconds: existingTtlSeconds(mapping.owner, method?.object),
    isClosed: world.clientBlock(client) !== undefined,
    ...acl.tools(mapping),
  });
}

/** With the scopes that opened what stands, and that neither the read shows nor an event told of. */
function withUnshown(client: OAuthClient, facts: ClientAclFacts, subject: string): OAuthClient {
  const { provider, grants } = client;
  const named = facts.evidence.filter((each) => each.provider === provider).flatMap(namedScopes);
  const had = rememberedScopes(facts.lastApplied, subject) ?? [];
  const unshown = had.filter((grant) => ![...grants, ...named].some((each) => sameGrant(each, grant)));
  return { ...client, grants: [...grants, ...unshown] };
}

/** The services of a role of which no instance is left. */
function vanishedServices(role: AclRole | undefined, world: WorldState, now: number) {
  return (role?.serviceIdentities ?? [])
    .map((name) => statusOfService(name, world, now))
    .filter((status) => status.kind === 'none' && status.vanished);
}

function statusOfService(name: string, world: WorldState, now: number): ClaimStatus {
  const service = { partition: 'default', namespace: 'default', name };
  return world.claimStatuses(now).get(serviceText(service)) ?? { kind: 'none', service, vanished: true };
}

function causeOf(
  client: PlannedClient,
  known: OAuthClient | undefined,
  facts: ClientAclFacts,
  desiredState: DesiredClient | undefined,
  world: WorldState,
  now: number,
): AclWhy {
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
    lostServices: had.filter((name) => !keeps.has(name)).map((name) => statusOfService(name, world, now)),
    needsHuman: needsHuman(client.actorKind, world.mapping),
    changesProof: desiredState !== undefined && changesProof(actual.authMethods[0]?.object, desiredState),
    isNamed: mine.some(({ clients }) => clients?.includes(client.clientId) ?? false),
    namedScopes: mine.flatMap(namedScopes),
    grantReason: facts.grantReason,
  });
}

function isUnchanged(desired: DesiredAcl, lastApplied: ReadonlyMap<string, string>): boolean {
  // Another client's job may have made a policy.
  const mine = objectsOf(desired).filter(({ kind }) => kind !== 'acl-policy');
  return (
    mine.length > 0 &&
    mine.every((each) => lastApplied.get(aclSubject(each.kind, ...nameOf(each))) === digestObject(each))
  );
}
