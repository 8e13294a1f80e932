import type { Config } from '../../config/config.js';
import type { AclState } from '../acl/apply/acl-state.js';
import { clientLogin } from '../acl/state/client-logins.js';
import type { Consul } from '../consul/consul.js';
import { toCloudEvent } from '../decisions/envelope.js';
import { toPlainValue } from '../decisions/plain-value.js';
import { configError, type SyncError } from '../errors.js';
import type { Decision } from '../model/decision.js';
import type { ServiceName } from '../model/intention.js';
import { destinationKey } from '../model/key.js';
import { printable } from '../model/printable.js';
import { type Explanation, explain, isAllowed } from '../plan/explain.js';
import type { Plan } from '../plan/plan.js';
import { type Arrival, arrivalOf, type Obstacle } from '../plan/reach.js';
import { unreadableHoldOf } from '../plan/unreadable-holds.js';
import { serviceText } from '../plan/world.js';
import { planClaims } from '../state/client-claims.js';
import { inputOf } from '../state/fleet.js';
import { isKnownService } from '../state/known-services.js';
import type { WorldState } from '../state/world-state.js';
import { firstToMend } from './first-to-mend.js';
import { type LoginView, loginDocument, toLoginView } from './login-view.js';
import { changeView, holdView } from './plan-view.js';
import { reportReach } from './reach-of-plan.js';

/** Both sides, as a command or the daemon knows them. */
export interface CallSides {
  readonly config: Pick<Config, 'consul' | 'mode'>;
  readonly world: WorldState;
  readonly acl: AclState;
  readonly consul: Pick<Consul, 'inspect' | 'reachability' | 'readProxies' | 'manifests'>;
}

export interface AskedCall {
  readonly source: string;
  readonly destination: string;
  readonly method?: string | undefined;
  readonly path?: string | undefined;
}

/** What does not decide whether a call is allowed, but whether it works. */
export interface CallConditions {
  readonly isSourceKnown: boolean;
  readonly isDestinationKnown: boolean;
  readonly arrives: Arrival | 'unknown';
  /** Why `arrives` is unknown. */
  readonly arrivesTrouble?: string;
  /** What keeps calls from arriving, or some. */
  readonly obstacles: readonly Obstacle[];
  /** The terminating gateways that enforce the intentions of a destination without a sidecar. */
  readonly behind: readonly string[];
  /** Whether Consul has another entry of the destination than the manifest says. */
  readonly isUnsynced: boolean;
  readonly mode: string;
  /** Whether a running daemon reported its orders. */
  readonly areOrdersKnown: boolean;
  readonly lastDecision?: Decision;
  /** The last decision that changed the edge, such as the one that made it. */
  readonly lastChange?: Decision;
  /** Why the decision log could not be read. */
  readonly logTrouble?: string;
}

/**
 * Judges a call by the present state. `planOf`: the guarded plan of a destination. Asks Consul for the default policy, and for
 * the routes of a name that nothing is registered by. Throws ERR_CONFIG for a name that nothing knows.
 */
export async function explainCall(
  sides: CallSides,
  call: AskedCall,
  planOf: (destination: ServiceName) => Promise<Plan | undefined>,
  now: number,
  signal: AbortSignal,
): Promise<Explanation> {
  const { config, world, consul } = sides;
  const partition = config.consul.partition ?? 'default';
  const namespace = config.consul.namespace ?? 'default';
  const source: ServiceName = { partition, namespace, name: call.source };
  const destination: ServiceName = { partition, namespace, name: call.destination };
  if (world.mapping.select?.hasService(destination) === false)
    throw configError(`${printable(destination.name)} is outside select; ask the instance that manages it`);
  for (const each of [source, destination])
    if (!isKnownService(world, each.name) && !(await hasRouting(each, sides, signal)))
      throw noSuchName(each.name, 'service');
  const { defaultPolicy } = await consul.inspect(signal);
  const plan = await planOf(destination);
  const claim = [...world.claimStatuses(now).values()].find(({ service }) => service.name === source.name);
  const client = claim === undefined || claim.kind === 'none' ? undefined : claim.client;
  const { method, path } = call;
  return explain({
    source,
    request: path === undefined ? undefined : { method: method ?? 'GET', path },
    defaultPolicy,
    input: inputOf(world, destination, now),
    plan: plan ?? { key: destinationKey(destination.name, namespace, partition), changes: [], holds: [] },
    claimHolds: client === undefined ? [] : planClaims(client, world, now).holds,
    unreadable: client && unreadableHoldOf(client, world.directories.unreadableOf(client.provider)),
  });
}

export function noSuchName(name: string, what: string): SyncError {
  return configError(
    `no ${what} has the name ${printable(name)}: the decision log, Consul and the identity providers do not know it`,
  );
}

/** Whether a config entry gives the name a meaning although nothing is registered by it. */
async function hasRouting(
  serviceName: ServiceName,
  { consul }: Pick<CallSides, 'consul'>,
  signal: AbortSignal,
): Promise<boolean> {
  const [routes = []] = await consul.reachability.readRoutes([serviceName], signal);
  if (routes.length > 0) return true;
  const gateways = await consul.reachability.readGateways('terminating-gateway', serviceName, signal);
  return gateways.some((each) => each.routes.some(({ service }) => service === serviceName.name));
}

/** What the client of the source may do with Consul; null if that is nothing and no hold or limit explains it. */
export function consulAccess(
  sides: Pick<CallSides, 'world' | 'acl'>,
  { client }: Explanation,
  now: number,
): LoginView | null {
  const found = client && clientLogin(sides, client, now);
  if (found === undefined) return null;
  const view = toLoginView(found, sides.world.mapping);
  const isNothing = view.login === undefined && view.holds.length + view.limited.length === 0;
  return isNothing && view.standingTtlSeconds === undefined ? null : view;
}

/** Asks Consul whether the calls arrive, and with what obstacles. `areOrdersKnown`: of the daemon. */
export async function lookAtCall(
  { config, world, consul }: CallSides,
  { source, destination }: Explanation,
  areOrdersKnown: boolean,
  signal: AbortSignal,
): Promise<CallConditions> {
  const inCatalog = (name: string) =>
    world.view(0).catalog?.services.some((each) => each.name.name === name && each.instances.length > 0) ??
    false;
  const { edges, behind, trouble } = await reportReach([{ source, destination }], 1, consul, world, signal);
  const obstacles = edges.flatMap((each) => each.obstacles);
  return {
    isSourceKnown: inCatalog(source.name),
    isDestinationKnown: inCatalog(destination.name) || behind.length > 0,
    arrives: trouble === undefined ? arrivalOf(obstacles) : 'unknown',
    ...(trouble === undefined ? {} : { arrivesTrouble: trouble }),
    obstacles,
    behind: behind.flatMap(({ gateways }) => gateways),
    isUnsynced:
      consul.manifests?.unsynced().some((each) => serviceText(each) === serviceText(destination)) ?? false,
    mode: config.mode,
    areOrdersKnown,
  };
}

/** As `explain --json` prints it. */
export function explainDocument(
  explanation: Explanation,
  conditions: CallConditions,
  access: LoginView | null,
) {
  const { holds, pending, candidates, openings, request, source, destination, claim, ...rest } = explanation;
  const { lastDecision: last, lastChange: change, isUnsynced, ...around } = conditions;
  const { service: _, ...claimStatus } = claim;
  return {
    allowed: isAllowed(explanation.verdict),
    verdict: rest.verdict,
    source: source.name,
    destination: destination.name,
    request: request ?? null,
    decidedBy: toPlainValue(candidates[0]) ?? { precedence: 0, defaultPolicy: rest.defaultPolicy },
    intentions: toPlainValue(candidates),
    defaultPolicy: rest.defaultPolicy,
    claim: claimStatus,
    client: rest.client ?? null,
    openings: toPlainValue(openings),
    wanted: toPlainValue(rest.desired) ?? null,
    denied: explanation.denied ?? null,
    breakGlass: explanation.breakGlass,
    holds: holds.map(holdView),
    pending: pending === undefined ? null : changeView(pending),
    ...around,
    mend: firstToMend(explanation, around.obstacles)?.what ?? null,
    ...(isUnsynced ? { isUnsynced } : {}),
    lastDecision: last === undefined ? null : toCloudEvent(last),
    lastChange: change === undefined ? null : toCloudEvent(change),
    consulAccess: access && loginDocument(access),
  };
}
