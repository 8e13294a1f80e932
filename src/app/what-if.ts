import { aclBudget } from '../acl/job/acl-budget.js';
import { NO_ACL_PLAN } from '../acl/job/plan-fleet-acl.js';
import { entryAfter, sourcesAfter } from '../apply/entry-sources.js';
import { configError } from '../errors.js';
import type { Grant, OAuthClient } from '../model/client.js';
import type { IntentionEntry, ServiceName } from '../model/intention.js';
import type { Rule } from '../model/rule.js';
import { parseGrantText, sameGrant, toGrantText } from '../plan/grant-text.js';
import { mergeHolds } from '../plan/holds.js';
import type { Plan } from '../plan/plan.js';
import { opensEvery } from '../plan/precedence.js';
import { type ClientId, serviceText } from '../plan/world.js';
import type { ReconcilerDeps } from '../reconcile/deps.js';
import type { FleetPlan } from '../reconcile/fleet-plan.js';
import { runCooperatively } from '../run-cooperatively.js';
import { inferredElsewhere, type PlannedWorld, planningFleet } from '../state/fleet.js';
import { type Supposition, supposing, worldToPlan } from '../state/supposed-world.js';
import type { WorldState } from '../state/world-state.js';
import { edgesTo } from '../trail/mesh-edges.js';
import { findClientId } from './client-id.js';
import { countInferredAhead } from './plan-one.js';

/** What a person asks. */
export interface AskedWhatIf {
  /** As PROVIDER/CLIENT-ID. */
  readonly client?: string | undefined;
  readonly add: readonly string[];
  readonly remove: readonly string[];
  readonly state?: 'disabled' | 'quarantined' | undefined;
  readonly rules: readonly Rule[];
}

export interface Simulated {
  readonly client: ClientId | undefined;
  readonly mapping: PlannedWorld['mapping'];
  /** The whole plan at the touched destinations under the supposition, and without it. */
  readonly after: FleetPlan;
  readonly before: FleetPlan;
  /** The services that the client's services reach, over any number of hops; undefined without a client. */
  readonly reach: { readonly before: readonly string[]; readonly after: readonly string[] } | undefined;
  /** Destinations that wait for a jwt-provider. */
  readonly awaits: boolean;
}

type Deps = Pick<ReconcilerDeps, 'world' | 'window' | 'acl' | 'clock'>;

/**
 * The plan as it would be, beside the present one. Plans by the daemon's own planner on a view of the world: nothing is
 * changed or written. `apiOf`: the API of a scope that names none. Throws ERR_CONFIG for what changes nothing or is not known.
 */
export async function simulate(
  asked: AskedWhatIf,
  deps: Deps,
  apiOf: (provider: string) => string | undefined,
  signal: AbortSignal,
): Promise<Simulated> {
  const { world, window, clock } = deps;
  const supposition = suppositionOf(asked, world, apiOf);
  await countInferredAhead(deps);
  const supposed = await runCooperatively(supposing(world, supposition, clock.now()), signal);
  const touched = supposed.destinations(clock.now());
  const acl = aclBudget(deps, clock.now());
  const others = inferredElsewhere(world, window, touched, clock.now());
  const budget = { ...acl, planned: acl.planned + others };
  const plan = (view: PlannedWorld) =>
    runCooperatively(
      planningFleet({ ...view, destinations: () => touched }, window, () => clock.now(), budget),
      signal,
    );
  const before = await plan(worldToPlan(world));
  const after = await plan(supposed);
  const { client } = supposition;
  return {
    client: client?.id,
    mapping: supposed.mapping,
    before: fleetPlanOf(before),
    after: fleetPlanOf(after),
    reach: client && {
      before: await runCooperatively(reaching(client.id, world, before, clock.now()), signal),
      after: await runCooperatively(reaching(client.id, world, after, clock.now()), signal),
    },
    awaits: after.some(({ awaits = [] }) => awaits.length > 0),
  };
}

function suppositionOf(
  { client: text, add, remove, state, rules }: AskedWhatIf,
  world: WorldState,
  apiOf: (provider: string) => string | undefined,
): Supposition {
  const more = rules.length === 0 ? {} : { rules: [...world.mapping.rules, ...rules] };
  if (text === undefined) {
    if (rules.length === 0) throw configError('name a client with what changes, or give a rule');
    return more;
  }
  const id = findClientId(world, text);
  const known = world.client(id);
  if (known === undefined || !world.hasDirectory(id.provider) || world.isUnreadable(id))
    throw configError(`the client ${text} cannot be read now, so nobody can say what would change`);
  const api = apiOf(id.provider);
  const grantOf = (scope: string) => grantNamed(scope, api);
  let after: OAuthClient = state === 'disabled' ? { ...known, enabled: false } : known;
  for (const grant of remove.map(grantOf)) after = withGrant(after, grant, false);
  for (const grant of add.map(grantOf)) after = withGrant(after, grant, true);
  if (after === known && state !== 'quarantined' && rules.length === 0)
    throw configError('nothing changes: add or remove a scope, or choose a state');
  return {
    ...more,
    client: { id, after, ...(state === 'quarantined' ? { block: 'ClientQuarantined' } : {}) },
  };
}

/** `api`: of a scope that names none; undefined if the provider has no such API. */
export function grantNamed(scope: string, api: string | undefined): Grant {
  const named = parseGrantText(scope);
  return api === undefined || named.api !== undefined ? named : { api, ...named };
}

/** The client with or without a scope. Throws ERR_CONFIG if that changes nothing. */
export function withGrant(client: OAuthClient, grant: Grant, isGranted: boolean): OAuthClient {
  const others = client.grants.filter((each) => !sameGrant(each, grant));
  const has = others.length < client.grants.length;
  if (has === isGranted)
    throw configError(
      `client ${client.provider}/${client.clientId} ${has ? 'already has' : 'does not have'} the scope ${toGrantText(grant)}`,
    );
  return { ...client, grants: isGranted ? [...others, grant] : others };
}

function fleetPlanOf(plans: readonly Plan[]): FleetPlan {
  return {
    ...{ claims: [], jwtProviders: [], acl: NO_ACL_PLAN },
    changes: plans.flatMap(({ changes }) => changes),
    holds: mergeHolds(plans.flatMap(({ holds }) => holds)),
  };
}

/** What the client's services reach once these plans are written: the nearest first, service by service. */
function* reaching(
  client: ClientId,
  world: WorldState,
  plans: readonly Plan[],
  now: number,
): Generator<void, readonly string[]> {
  const { owner } = world.mapping;
  const changed = new Map<string, IntentionEntry | undefined>();
  const coming = new Map<string, ServiceName[]>();
  for (const { key, changes } of plans) {
    if (key.kind !== 'destination' || changes.length === 0) continue;
    const destination = { partition: key.partition, namespace: key.namespace, name: key.service };
    const entry = world.entries.get(serviceText(destination));
    const sources = sourcesAfter(entry?.sources ?? [], changes, owner);
    changed.set(serviceText(destination), entryAfter(entry, destination, sources, 0));
    for (const { source } of changes)
      coming.set(serviceText(source), [...(coming.get(serviceText(source)) ?? []), destination]);
  }
  const services = (world.catalog?.services ?? []).map(({ name }) => name);
  const starts = world
    .claimsOn(client, now)
    .flatMap((claim) => (claim.kind === 'refused' ? [] : claim.service));
  const [first] = starts;
  if (first === undefined) return [];
  const entryOf = (destination: ServiceName) => {
    const text = serviceText(destination);
    return changed.has(text) ? changed.get(text) : world.entries.get(text);
  };
  const names = new Set(starts.map(({ name }) => name));
  // A name that is added meanwhile has its turn too.
  for (const name of names) {
    const source = { ...first, name };
    const any = { ...first, name: '*' };
    const wildcard = entryOf(any);
    const destinations = [
      ...world.owned.holding(source),
      ...world.owned.holding(any),
      ...(coming.get(serviceText(source)) ?? []),
      ...(opensEvery(source, wildcard) ? services : []),
    ];
    for (const { destination } of edgesTo(destinations, source, { owner, entryOf, client }, wildcard))
      names.add(destination);
    yield;
  }
  for (const { name } of starts) names.delete(name);
  return [...names];
}
