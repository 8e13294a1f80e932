import type { Config } from '../../../config/config.js';
import { isCaller } from '../../model/catalog.js';
import { compareText } from '../../model/compare-text.js';
import { groupBy } from '../../model/group-by.js';
import { isSelectedName } from '../../plan/openings.js';
import { isPlainServiceName, substitute } from '../../plan/pattern.js';
import type { WorldState } from '../../state/world-state.js';
import { type Finding, namesText, notice, ok, warning } from './finding.js';
import { type HttpNeed, httpNeeds } from './http-needs.js';
import { unreadText } from './opened.js';

/**
 * Whether the catalog has what rules and claims name. Call it after both sides were read. `linked`: the services that
 * terminating gateways name, which may exist outside Consul alone, and call nobody.
 */
export function meshFindings(
  config: Config,
  world: WorldState,
  now: number,
  linked: ReadonlySet<string>,
): readonly Finding[] {
  const rules = [
    ...unnamedFindings(world),
    ...destinationFindings(world, linked),
    ...protocolFindings(config, world),
  ];
  return [
    ...(rules.length === 0
      ? [ok('rules', `every rule has a destination that exists and can enforce it${unreadText(world)}`)]
      : rules),
    ...claimFindings(config, world, now, linked),
    ...caseFindings(world),
  ];
}

/** Services whose names differ in case alone. Consul answers a question for one of them with the instances of all. */
function caseFindings({ catalog }: WorldState): readonly Finding[] {
  const names = (catalog?.services ?? []).map(({ name }) => name.name).toSorted(compareText);
  return [...groupBy(names, (name) => name.toLowerCase()).values()]
    .filter((same) => same.length > 1)
    .map((same) =>
      warning(
        'services.case',
        `the services ${namesText(same)} differ in case alone: Consul mixes their instances up in its answers, also for their callers, and scopemesh counts each instance for its exact name`,
        'find out who registered the others, deregister them, and give that token no service rule for their names',
      ),
    );
}

/** Rules whose written destination opens nothing, whatever the scope is. */
function unnamedFindings(world: WorldState): readonly Finding[] {
  return world.mapping.rules.flatMap(({ to, scope }) => {
    const name = to === undefined ? undefined : substitute(to, {});
    if (name === undefined || isPlainServiceName(name)) return [];
    return [
      warning(
        'rules.destination',
        `the rule of ${namesText([scope])} opens nothing, because its destination ${JSON.stringify(name)} is not a plain service name`,
        'write one of a-z, 0-9 and - in the rule',
      ),
    ];
  });
}

function destinationFindings(world: WorldState, linked: ReadonlySet<string>): readonly Finding[] {
  const known = new Set(
    (world.catalog?.services ?? [])
      .filter(({ instances }) => instances.some(({ kind }) => kind === ''))
      .map((catalogService) => catalogService.name.name),
  );
  const scopesOf = new Map<string, string[]>();
  for (const { to, scope } of world.mapping.rules)
    if (
      to !== undefined &&
      isPlainServiceName(to) &&
      isSelectedName(to, world.mapping) &&
      !known.has(to) &&
      !linked.has(to)
    )
      scopesOf.set(to, [...(scopesOf.get(to) ?? []), scope]);
  return [...scopesOf].map(([to, scopes]) =>
    warning(
      'rules.destination',
      `the rule of ${namesText(scopes)} opens ${to}, which is not registered in Consul`,
      `register ${to}, or correct the rule`,
    ),
  );
}

const NEEDS: Readonly<Record<HttpNeed, string>> = {
  permissions: 'Consul enforces methods, paths and headers',
  user: 'Consul enforces user: required',
  human: 'Consul enforces onBehalfOf: human',
};

const INSTEAD: Readonly<Record<HttpNeed, string>> = {
  permissions: 'for a service that does not speak HTTP, write a rule without methods, paths and headers',
  user: 'for a service that does not speak HTTP, write a rule without user: required',
  human: 'a service that does not speak HTTP stays closed to clients of that kind',
};

/** Access that is held because it needs HTTP and the destination speaks tcp. */
function* protocolFindings(config: Config, world: WorldState): Iterable<Finding> {
  const place = {
    partition: config.consul.partition ?? 'default',
    namespace: config.consul.namespace ?? 'default',
  };
  for (const [need, at] of httpNeeds(world)) {
    const held = [...at].filter(([name]) => world.protocolOf({ ...place, name }) === 'tcp');
    if (held.length === 0) continue;
    const where = held.map(([destination, why]) => `${destination} (by ${namesText([...why])})`);
    const names = namesText(held.map(([destination]) => destination));
    yield warning(
      'rules.protocol',
      `${NEEDS[need]} only if the destination speaks HTTP; these destinations speak tcp, so the access is held: ${namesText(where)}${unreadText(world)}`,
      `set Protocol = "http" (or http2, grpc) in the service-defaults entry of ${names} (consul config write); ${INSTEAD[need]}`,
    );
  }
}

function* claimFindings(
  config: Config,
  world: WorldState,
  now: number,
  linked: ReadonlySet<string>,
): Iterable<Finding> {
  const statuses = [...world.claimStatuses(now).values()].filter(
    (each) => world.mapping.select?.hasService(each.service) !== false,
  );
  const claimed = statuses.filter(({ kind }) => kind === 'claimed' || kind === 'unrecorded').length;
  if (claimed > 0) yield ok('claims', `claims that count: ${claimed}`);
  const without: string[] = [];
  const claimants = new Map<string, string[]>();
  const inhabited = new Set(
    (world.catalog?.services ?? [])
      .filter(({ instances }) => instances.some(isCaller))
      .map((catalogService) => catalogService.name.name),
  );
  for (const claimStatus of statuses) {
    const { name } = claimStatus.service;
    if (claimStatus.kind === 'none' && inhabited.has(name) && name !== 'consul' && !linked.has(name))
      without.push(name);
    if (claimStatus.kind === 'claimed') {
      const { provider, clientId } = claimStatus.client;
      claimants.set(`${provider}/${clientId}`, [...(claimants.get(`${provider}/${clientId}`) ?? []), name]);
    }
    if (claimStatus.kind === 'refused')
      yield warning(
        'claims.refused',
        `the claim of ${name} on client ${claimStatus.client.provider}/${claimStatus.client.clientId} does not count: ${claimStatus.reason}`,
        claimStatus.detail,
      );
    if (claimStatus.kind === 'claimed' && claimStatus.addNothing)
      yield warning(
        'claims.ambiguous',
        `instances of ${name} claim different clients; the old claim is kept and nothing is added`,
        'let all instances claim the same client',
      );
  }
  for (const [client, services] of claimants)
    if (services.length > 1)
      yield warning(
        'claims.several',
        `client ${client} is claimed by ${services.toSorted().join(' and ')}: each of them gets all access of its scopes${config.login ? ', and a login to Consul with its token may register all of them' : ''}`,
        'give each service its own client, unless they are one application',
      );
  if (without.length > 0)
    yield notice(
      'claims.missing',
      `services without a claim, which get no access as a source: ${without.toSorted().join(', ')}`,
      `if a service should have one, register it with meta ${config.services.clientMeta}=<client id>`,
    );
}
