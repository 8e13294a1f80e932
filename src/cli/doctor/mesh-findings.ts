import type { Config } from '../../../config/config.js';
import { isPlainServiceName } from '../../plan/pattern.js';
import type { WorldState } from '../../state/world-state.js';
import { type Finding, namesText, notice, ok, warning } from './finding.js';
import { type HttpNeed, httpNeeds } from './http-needs.js';
import { unreadText } from './opened.js';

/** What rules and claims find in the catalog; to be called once both sides were read. */
export function meshFindings(config: Config, world: WorldState, now: number): readonly Finding[] {
  const rules = [...destinationFindings(world), ...protocolFindings(config, world)];
  return [
    ...(rules.length === 0
      ? [ok('rules', `every rule has a destination that can enforce it${unreadText(world)}`)]
      : rules),
    ...claimFindings(config, world, now),
  ];
}

function destinationFindings(world: WorldState): readonly Finding[] {
  const known = new Set(
    (world.catalog?.services ?? []).filter(hasInstance).map((service) => service.name.name),
  );
  const scopesOf = new Map<string, string[]>();
  for (const { to, scope } of world.mapping.rules)
    if (to !== undefined && isPlainServiceName(to) && !known.has(to))
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
  permissions: 'methods, paths and headers count',
  user: 'user: required can be enforced',
  human: 'onBehalfOf: human can be enforced',
};

const INSTEAD: Readonly<Record<HttpNeed, string>> = {
  permissions: 'what is no HTTP service is opened only by a rule without methods, paths and headers',
  user: 'what is no HTTP service is opened only by a rule without user: required',
  human: 'what is no HTTP service stays closed to clients of that kind',
};

/** What is opened where tcp is spoken, and so is held, by what asks for more than that. */
function protocolFindings(config: Config, world: WorldState): readonly Finding[] {
  const place = {
    partition: config.consul.partition ?? 'default',
    namespace: config.consul.namespace ?? 'default',
  };
  const found: Finding[] = [];
  for (const [need, at] of httpNeeds(world)) {
    const held = [...at].filter(([name]) => world.protocolOf({ ...place, name }) === 'tcp');
    if (held.length === 0) continue;
    const where = held.map(([destination, why]) => `${destination} (by ${namesText([...why])})`);
    const names = namesText(held.map(([destination]) => destination));
    found.push(
      warning(
        'rules.protocol',
        `${NEEDS[need]} only where a destination speaks HTTP; these speak tcp, so that this is held: ${namesText(where)}${unreadText(world)}`,
        `set Protocol = "http" (or http2, grpc) in the service-defaults entry of ${names} (consul config write); ${INSTEAD[need]}`,
      ),
    );
  }
  return found;
}
function claimFindings(config: Config, world: WorldState, now: number): readonly Finding[] {
  const findings: Finding[] = [];
  const without: string[] = [];
  let claimed = 0;
  const claimants = new Map<string, string[]>();
  const inhabited = new Set(
    (world.catalog?.services ?? []).filter(hasInstance).map((service) => service.name.name),
  );
  for (const claimStatus of world.claimStatuses(now).values()) {
    const { name } = claimStatus.service;
    if (claimStatus.kind === 'none' && inhabited.has(name) && name !== 'consul') without.push(name);
    if (claimStatus.kind === 'claimed' || claimStatus.kind === 'unrecorded') claimed++;
    if (claimStatus.kind === 'claimed') {
      const { provider, clientId } = claimStatus.client;
      claimants.set(`${provider}/${clientId}`, [...(claimants.get(`${provider}/${clientId}`) ?? []), name]);
    }
    if (claimStatus.kind === 'refused')
      findings.push(
        warning(
          'claims.refused',
          `${name} claims client ${claimStatus.client.provider}/${claimStatus.client.clientId}, which does not count: ${claimStatus.reason}`,
          claimStatus.detail,
        ),
      );
    if (claimStatus.kind === 'claimed' && claimStatus.addNothing)
      findings.push(
        warning(
          'claims.ambiguous',
          `instances of ${name} claim different clients; the old claim is kept and nothing is added`,
          'make its instances agree',
        ),
      );
  }
  for (const [client, services] of claimants)
    if (services.length > 1)
      findings.push(
        warning(
          'claims.several',
          `client ${client} is claimed by ${services.toSorted().join(' and ')}: each of them has all that its scopes open${config.login ? ', and whoever logs in to Consul as it may register all of them' : ''}`,
          'give each service a client of its own, unless they are one application',
        ),
      );
  if (without.length > 0)
    findings.push(
      notice(
        'claims.missing',
        `without a claim, and so never opened as a source: ${without.toSorted().join(', ')}`,
        `where one should be: register the service with meta ${config.services.clientMeta}=<client id>`,
      ),
    );
  if (claimed > 0) findings.unshift(ok('claims', `claims that count: ${claimed}`));
  return findings;
}

function hasInstance(service: { readonly instances: readonly { readonly kind: string }[] }): boolean {
  return service.instances.some((instance) => instance.kind === '');
}
