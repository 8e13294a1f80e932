import { setImmediate } from 'node:timers/promises';
import { isAclActive } from '../../apply/acl/acl-state.js';
import { tolerateDenied } from '../../apply/acl/tolerate-denied.js';
import type { Cause } from '../../model/cause.js';
import { clientKey, formatKey, providerKey } from '../../model/key.js';
import type { Evidence, Trigger } from '../../model/trigger.js';
import { hasOurName } from '../../plan/acl/object-names.js';
import type { ClientId } from '../../plan/world.js';
import { isPeoplesName } from '../../state/acl-cache.js';
import { clientOf, clientsWithAcl, uniqueClients } from '../../state/acl-owners.js';
import { providersOfPeople } from '../../state/people-acl.js';
import {
  type ClientAclPlan,
  losesByInference,
  objectNamesOf,
  planClientAcl,
  planHeldLoss,
} from '../../state/plan-client-acl.js';
import type { ReconcilerDeps } from '../deps.js';
import { countAhead } from './acl-budget.js';
import { peopleTriggers, planPeopleFleet } from './fleet-people.js';

const SLICE = 100;

type Known = Pick<ReconcilerDeps, 'world' | 'acl'>;

/** Reads every ACL object with a name of ours; returns the names under which something else stands than was known. */
export async function readAllAcl(
  deps: Pick<ReconcilerDeps, 'world' | 'acl' | 'consul'>,
  signal: AbortSignal,
): Promise<ReadonlySet<string>> {
  const { world, acl, consul } = deps;
  const { owner } = world.mapping;
  const read = world.beginRead();
  return acl.cache.replaceAll(await consul.acl.read((name) => hasOurName(owner, name), signal), read);
}

export interface PlannedAcl {
  readonly plan: ClientAclPlan;
  /** What is left of it where its loss is held. */
  readonly rest: () => ClientAclPlan;
  /** A job of the client was writing by an earlier plan when this one was made. */
  readonly isUnderWay: boolean;
}

/** The plans of clients from what was last read, before the guards. */
export async function planAcl(
  ids: readonly ClientId[],
  deps: Known,
  now: number,
  evidenceOf: (id: ClientId) => readonly Evidence[] = () => [],
): Promise<readonly PlannedAcl[]> {
  const { world, acl } = deps;
  const { mode } = world.mapping;
  const plans: PlannedAcl[] = [];
  for (const [at, id] of ids.entries()) {
    // Other work goes on between the plans of thousands.
    if (at % SLICE === SLICE - 1) await setImmediate();
    const key = formatKey(clientKey(id.provider, id.clientId));
    const { name, policies } = objectNamesOf(id, deps);
    const facts = {
      actual: acl.cache.snapshot([name], policies),
      evidence: evidenceOf(id),
      grantReason: 'ScopeGranted',
      mode: mode === 'observe' ? 'enforce' : mode,
    } as const;
    const known = { ...facts, lastApplied: world.lastApplied(key) };
    plans.push({
      isUnderWay: acl.isUnderWay(key),
      plan: planClientAcl(id, known, deps, now),
      rest: () => planHeldLoss(id, known, deps, now),
    });
  }
  return plans;
}

/** What one provider's complete read says. */
export interface ProviderWord {
  readonly provider: string;
  /** Those that it may have changed something for. */
  readonly clients: readonly ClientId[];
  /** Nothing of this provider was compared before: all of them are looked at, also those that the read does not show. */
  readonly isFirst: boolean;
  readonly evidenceOf: (id: ClientId) => readonly Evidence[];
}

type TriggerDeps = Pick<
  ReconcilerDeps,
  'world' | 'acl' | 'consul' | 'journal' | 'clock' | 'logger' | 'metrics'
>;

/**
 * Triggers for the clients of one provider whose objects are to change or are held after a complete read of it. From
 * what is known of Consul: reading thousands of auth methods with each poll would keep it busy, and what changed there
 * is the watch's.
 */
export async function aclTriggersOf(
  word: ProviderWord,
  deps: TriggerDeps,
  cause: Cause,
  signal: AbortSignal,
): Promise<readonly Trigger[]> {
  const { acl } = deps;
  if (!isAclActive(deps)) return [];
  const isAll = word.isFirst || acl.uncompared.has(word.provider);
  acl.uncompared.add(word.provider);
  if (!acl.cache.isComplete && (await tolerateDenied(() => readAllAcl(deps, signal), deps)) === undefined)
    return [];
  const all = isAll ? clientsWithAcl(deps, word.provider) : [];
  const triggers = await clientTriggers(
    uniqueClients([...word.clients, ...all]),
    deps,
    cause,
    word.evidenceOf,
  );
  acl.uncompared.delete(word.provider);
  return triggers;
}

/** Triggers for everybody whose objects are to change or are held, from a fresh and complete read. */
export async function aclTriggers(
  deps: TriggerDeps,
  cause: Cause,
  signal: AbortSignal,
): Promise<readonly Trigger[]> {
  if (!isAclActive(deps)) return [];
  if ((await tolerateDenied(() => readAllAcl(deps, signal), deps)) === undefined) return [];
  const clients = await clientTriggers(clientsWithAcl(deps), deps, cause);
  return [...clients, ...peopleTriggers(planPeopleFleet(deps), cause)];
}

/** Triggers for everybody who is known, where Consul cannot be read to see whose objects are to change. */
export function everyAclTrigger(deps: Known, cause: Cause): readonly Trigger[] {
  const keys = [
    ...clientsWithAcl(deps).map((id) => clientKey(id.provider, id.clientId)),
    ...providersOfPeople(deps).map((provider) => providerKey(provider)),
  ];
  return keys.map((key) => ({ key, cause, urgent: true }));
}

async function clientTriggers(
  clients: readonly ClientId[],
  deps: TriggerDeps,
  cause: Cause,
  evidenceOf?: ProviderWord['evidenceOf'],
): Promise<readonly Trigger[]> {
  const plans = await planAcl(clients, deps, deps.clock.now(), evidenceOf);
  if (plans.some(({ plan }) => losesByInference(plan.changes))) await countAhead(deps, deps.clock.now());
  return plans.filter(isPending).map(({ plan }) => toTrigger(plan, cause, evidenceOf?.(plan.client)));
}

/** Whether its client's job has, or may have, anything to do or to say. */
export function isPending({ plan, isUnderWay }: PlannedAcl): boolean {
  return isUnderWay || plan.changes.length + plan.holds.length > 0;
}

export function toTrigger(
  { client, changes }: ClientAclPlan,
  cause: Cause,
  evidence: readonly Evidence[] = [],
): Trigger {
  return {
    key: clientKey(client.provider, client.clientId),
    cause,
    ...(changes.some((change) => change.narrows) ? { urgent: true } : {}),
    ...(evidence.length === 0 ? {} : { evidence }),
  };
}

/** The keys under whose names something changed in Consul: clients', and providers' for people. */
export function keysOf(names: Iterable<string>, deps: Known, cause: Cause): readonly Trigger[] {
  const { world, acl } = deps;
  const { owner } = world.mapping;
  const changed = new Set(names);
  if (changed.size === 0) return [];
  const clients: ClientId[] = [];
  for (const name of changed) {
    // What is gone, or lost its Description, is found by the name that a known client has.
    for (const id of [clientOf(acl.cache.of(name), owner), world.clientNamed(name)])
      if (id !== undefined) clients.push(id);
  }
  const people = [...changed].some(isPeoplesName) ? providersOfPeople(deps) : [];
  const keys = [
    ...uniqueClients(clients).map((id) => clientKey(id.provider, id.clientId)),
    ...people.map((provider) => providerKey(provider)),
  ];
  return keys.map((key) => ({ key, cause, urgent: true }));
}
