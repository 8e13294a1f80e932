import type { AclSnapshot } from '../../model/acl.js';
import type { Grant } from '../../model/client.js';
import type { ChangeReason } from '../../model/decision.js';
import type { Mode } from '../../model/rule.js';
import type { Evidence } from '../../model/trigger.js';
import {
  type AclChange,
  type AclPlan,
  type AclWhy,
  aclSubject,
  digestObject,
  nameOf,
} from '../../plan/acl/acl-change.js';
import { clientLoss } from '../../plan/acl/client-loss.js';
import { type DesiredClient, desiredClient } from '../../plan/acl/desired-client.js';
import { diffAcl } from '../../plan/acl/diff-acl.js';
import { type DesiredAcl, NOTHING_DESIRED } from '../../plan/acl/login.js';
import { clientName } from '../../plan/acl/quote.js';
import { classify } from '../../plan/actor.js';
import { parseGrantText, toldScopes } from '../../plan/grant-text.js';
import type { PlannedClient } from '../../plan/plan.js';
import { type ClientId, serviceText } from '../../plan/world.js';
import type { WorldState } from '../world-state.js';
import type { AclState } from './acl-state.js';

/** What a plan of a client's ACL objects is made from, besides the world. */
export interface ClientAclFacts {
  /** The objects with the client's name, and the policies that it is to have, also those that lack the mark. */
  readonly actual: AclSnapshot;
  readonly lastWritten: ReadonlyMap<string, string>;
  readonly evidence: readonly Evidence[];
  readonly grantReason: ChangeReason;
  readonly mode: Mode;
}

export interface ClientAclPlan extends AclPlan {
  readonly client: PlannedClient;
  /** What the client's one removal is counted and held under. */
  readonly subject: string;
  readonly desired: DesiredAcl;
  /** What opens the desired objects, to be remembered; in the form of `toGrantText`. */
  readonly opensBy: readonly string[];
  /** The client's directory was not read completely: nothing is known, and nothing follows. */
  readonly isUnknown: boolean;
}

/**
 * The plan of one client's ACL objects. Nothing follows from a directory that was not read completely, unless an order
 * closed the client. Policies are shared: a client's plan makes them and never takes one away that is as it should be.
 */
export function planClientAcl(
  id: ClientId,
  facts: ClientAclFacts,
  { world, acl }: { readonly world: WorldState; readonly acl: AclState },
  now: number,
): ClientAclPlan {
  const { mapping } = world;
  const subject = roleSubject(mapping.owner, id);
  const closure = world.closure(id);
  const isConfigured = mapping.providers.includes(id.provider);
  const known = isConfigured ? world.client(id) : undefined;
  const client: PlannedClient = {
    ...id,
    actorKind: known === undefined ? 'unknown' : classify(known, mapping, acl.tools(mapping).compile),
  };
  const isUnknown = closure === undefined && isConfigured && !world.hasDirectory(id.provider);
  if (isUnknown)
    return { client, subject, desired: NOTHING_DESIRED, opensBy: [], changes: [], holds: [], isUnknown };

  const wanted = known === undefined ? undefined : wantedOf(known, facts.actual, world, acl, now);
  const desired = wanted?.desired ?? NOTHING_DESIRED;
  const { lastWritten, grantReason } = facts;
  const isAsWritten = isUnchanged(desired, lastWritten);
  const loss = isConfigured || closure !== undefined ? lossOf(client, facts, wanted, world, now) : undefined;
  const why = (direction: 'narrow' | 'widen'): AclWhy => {
    if (direction === 'widen')
      return { reason: grantReason, isInferred: false, client, scopes: wanted?.scopes ?? [] };
    // Whatever differs although nothing else is wanted than was written was changed by hand.
    if (isAsWritten)
      return { reason: 'DriftCorrected', isInferred: false, client, scopes: wanted?.scopes ?? [] };
    return (
      loss ?? {
        reason: 'MappingChanged',
        isInferred: false,
        client,
        scopes: (rememberedScopes(lastWritten, subject) ?? []).map(({ name }) => name),
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
    lastWritten,
  });
  return {
    client,
    subject,
    desired,
    opensBy: wanted?.opensBy ?? [],
    isUnknown,
    changes: plan.changes,
    holds: [...(wanted?.holds ?? []), ...plan.holds],
  };
}

/** The names that a client's plan needs to see. */
export function namesOf(
  id: ClientId,
  { world, acl }: { readonly world: WorldState; readonly acl: AclState },
  now: number,
): { readonly name: string; readonly policies: readonly string[] } {
  const known = world.client(id);
  const nothing: AclSnapshot = { policies: [], roles: [], authMethods: [], bindingRules: [] };
  const policies = known === undefined ? [] : wantedOf(known, nothing, world, acl, now).desired.policies;
  return { name: clientName(world.mapping.owner, id), policies: policies.map(({ name }) => name) };
}

export function roleSubject(owner: string, id: ClientId): string {
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

export function rememberedScopes(
  lastWritten: ReadonlyMap<string, string>,
  subject: string,
): readonly Grant[] | undefined {
  const text = lastWritten.get(scopesKey(subject));
  if (text === undefined) return undefined;
  const value: unknown = JSON.parse(text);
  return Array.isArray(value)
    ? value.filter((scope) => typeof scope === 'string').map(parseGrantText)
    : undefined;
}

function wantedOf(
  client: Parameters<typeof desiredClient>[0]['client'],
  actual: AclSnapshot,
  world: WorldState,
  acl: AclState,
  now: number,
): DesiredClient {
  const { mapping } = world;
  const [role] = actual.roles;
  return desiredClient({
    client,
    mapping,
    settings: mapping.acl,
    standings: world.catalog === undefined ? undefined : acl.standingsOf(client, world.standings(now)),
    former: role?.object,
    isClosed: world.closure(client) !== undefined,
    ...acl.tools(mapping),
  });
}

function lossOf(
  client: PlannedClient,
  facts: ClientAclFacts,
  wanted: DesiredClient | undefined,
  world: WorldState,
  now: number,
): AclWhy {
  const { actual, evidence, lastWritten } = facts;
  const mine = evidence.filter(({ provider }) => provider === client.provider);
  const keeps = new Set(wanted?.desired.roles.flatMap(({ serviceIdentities }) => serviceIdentities));
  const had = actual.roles.flatMap(({ object }) => object.serviceIdentities);
  const standings = world.standings(now);
  return clientLoss({
    id: client,
    closure: world.closure(client),
    client: world.client(client),
    now: wanted,
    had: rememberedScopes(lastWritten, roleSubject(world.mapping.owner, client)),
    lostServices: had
      .filter((name) => !keeps.has(name))
      .map((name) => {
        const service = { partition: 'default', namespace: 'default', name };
        return standings.get(serviceText(service)) ?? { kind: 'none', service, vanished: true };
      }),
    isNamed: mine.some(({ clients }) => clients?.includes(client.clientId) ?? false),
    toldScopes: mine.flatMap(toldScopes),
  });
}

function isUnchanged(desired: DesiredAcl, lastWritten: ReadonlyMap<string, string>): boolean {
  const objects = [
    ...desired.policies.map((object) => ({ kind: 'acl-policy' as const, object })),
    ...desired.roles.map((object) => ({ kind: 'acl-role' as const, object })),
    ...desired.authMethods.map((object) => ({ kind: 'acl-auth-method' as const, object })),
    ...desired.bindingRules.map((object) => ({ kind: 'acl-binding-rule' as const, object })),
  ];
  // Another client's job may have made a policy.
  const mine = objects.filter(({ kind }) => kind !== 'acl-policy');
  return (
    mine.length > 0 &&
    mine.every((each) => lastWritten.get(aclSubject(each.kind, ...nameOf(each))) === digestObject(each))
  );
}
