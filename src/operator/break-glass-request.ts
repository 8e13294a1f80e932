import type { BreakGlass } from '../model/break-glass.js';
import { confirmedServices, type OAuthClient } from '../model/client.js';
import { breakGlassAccess } from '../plan/break-glass.js';
import { policyOf } from '../plan/mode.js';
import { intentionSubject } from '../plan/plan.js';
import { planDestination } from '../plan/plan-destination.js';
import { inputOf } from '../state/fleet.js';
import { isKnownService } from '../state/known-services.js';
import type { OperatorDeps } from './deps.js';

/** What a person asks for; see `BreakGlass`. */
export type BreakGlassRequest = Pick<
  BreakGlass,
  'source' | 'destination' | 'partition' | 'namespace' | 'methods' | 'path' | 'reason' | 'forMs'
> & { readonly duringFreeze?: boolean };

/** So many grants at once, open or asked for. */
const MOST = 100;
const SECOND_PERSON = { id: 'person:second' };

/** Why a grant would open nothing. Undefined if it would open its edge now, a freeze aside. */
export function refusalOf(
  glass: BreakGlass,
  { world, clock }: Pick<OperatorDeps, 'world' | 'clock'>,
): string | undefined {
  const { mapping } = world;
  const { breakGlass, select } = mapping;
  const { source, destination, partition, namespace } = glass;
  if (breakGlass === undefined)
    return 'break-glass grants are off; to allow them, set guards.breakGlass in the configuration';
  const policy = policyOf(mapping);
  if (!policy.writes || !policy.plansNarrowing)
    return `mode is ${mapping.mode}, which cannot open and close an edge; break-glass grants need mode: enforce`;
  const excluded = [source, destination].find((name) => breakGlass.never.includes(name.toLowerCase()));
  if (excluded !== undefined)
    return `guards.breakGlass.never lists ${excluded}, so no break-glass grant has it as its source or destination`;
  if (glass.forMs > breakGlass.longestMs)
    return `guards.breakGlass.longest is ${breakGlass.longestMs / 60_000} minutes; ask for less`;
  if (breakGlassAccess(glass) === undefined)
    return 'the path is not plain: write it without dot segments, escapes and empty segments';
  const others = world.breakGlass.all.filter(({ id, endedAt }) => id !== glass.id && endedAt === undefined);
  if (others.length >= MOST) return `there are ${MOST} break-glass grants; end one with scopemesh grant end`;
  const to = { partition, namespace, name: destination };
  if (select?.hasService(to) === false || select?.hasPlace(to) === false)
    return 'the source or the destination is outside select; ask the instance that manages it';
  if (!world.hasEntries || world.catalog === undefined)
    return 'scopemesh has not read Consul completely yet; try again';
  const unknown = [source, destination].find((name) => !isKnownService(world, name));
  if (unknown !== undefined)
    return `neither Consul nor a rule has a service ${unknown}; correct the name, or register the service first`;
  const now = clock.now();
  const input = inputOf(world, to, now);
  const time = input.breakGlass.now;
  const open = { ...glass, openedAt: time, approvedBy: SECOND_PERSON };
  const here = input.breakGlass.grants.filter(({ id }) => id !== glass.id);
  const plan = planDestination({ ...input, breakGlass: { grants: [...here, open], now: time } });
  const subject = intentionSubject(to, source);
  if (plan.changes.some((change) => change.subject === subject && change.widens)) {
    const named = clientNaming(glass, world);
    return (
      named &&
      `client ${named.provider}/${named.clientId}, which is in quarantine, closed or disabled, names ${source} in consul-services`
    );
  }
  const details = plan.holds.flatMap((hold) =>
    hold.subject === subject ? `${hold.reason}: ${hold.detail}` : [],
  );
  return details.length === 0
    ? 'nothing to open: Consul allows this already'
    : [...new Set(details)].join('; ');
}

/** A client that is closed and whose service this is: the claim of the service is as easy to change as its registration. */
function clientNaming({ source }: BreakGlass, world: OperatorDeps['world']): OAuthClient | undefined {
  for (const provider of world.mapping.providers)
    for (const client of world.clients(provider).values())
      if (
        (!client.enabled || world.clientBlock(client) !== undefined) &&
        confirmedServices(client).includes(source)
      )
        return client;
  return undefined;
}
