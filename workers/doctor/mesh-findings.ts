import type { Config } from '../../config/config.js';
import { isPlainServiceName } from '../../src/plan/pattern.js';
import type { WorldState } from '../../src/reconcile/world-state.js';
import { type Finding, notice, ok, warning } from './finding.js';

/** What rules and claims find in the catalog; to be called once both sides were read. */
export function meshFindings(config: Config, world: WorldState, now: number): readonly Finding[] {
  return [...ruleFindings(config, world), ...claimFindings(config, world, now)];
}

function ruleFindings(config: Config, world: WorldState): readonly Finding[] {
  const known = new Set(
    (world.catalog?.services ?? []).filter(hasInstance).map((service) => service.name.name),
  );
  const place = {
    partition: config.consul.partition ?? 'default',
    namespace: config.consul.namespace ?? 'default',
  };
  const findings: Finding[] = [];
  const named = config.rules.flatMap((rule) =>
    rule.to !== undefined && isPlainServiceName(rule.to) ? [{ ...rule, to: rule.to }] : [],
  );
  for (const to of new Set(named.map((rule) => rule.to))) {
    const rules = named.filter((rule) => rule.to === to);
    const scopes = rules.map((rule) => rule.scope).join(', ');
    const isHttp = (rule: (typeof rules)[number]) =>
      rule.userRequired ||
      [rule.methods, rule.path, rule.pathExact, rule.pathPrefix, rule.pathRegex, rule.headers].some(
        (part) => part !== undefined,
      );
    if (!known.has(to))
      findings.push(
        warning(
          'rules.destination',
          `the rule of ${scopes} opens ${to}, which is not registered in Consul`,
          `register ${to}, or correct the rule`,
        ),
      );
    if (rules.some(isHttp) && world.protocolOf({ ...place, name: to }) === 'tcp')
      findings.push(
        warning(
          'rules.protocol',
          `the rule of ${scopes} has methods, paths, headers or a user, but ${to} speaks tcp, so it is held`,
          `give it Protocol http: consul config write a service-defaults entry named ${to}`,
        ),
      );
  }
  return findings.length === 0 ? [ok('rules', 'every rule has a destination that can enforce it')] : findings;
}

function claimFindings(config: Config, world: WorldState, now: number): readonly Finding[] {
  const findings: Finding[] = [];
  const without: string[] = [];
  let claimed = 0;
  const claimants = new Map<string, string[]>();
  const inhabited = new Set(
    (world.catalog?.services ?? []).filter(hasInstance).map((service) => service.name.name),
  );
  for (const standing of world.standings(now).values()) {
    const { name } = standing.service;
    if (standing.kind === 'none' && inhabited.has(name) && name !== 'consul') without.push(name);
    if (standing.kind === 'claimed' || standing.kind === 'unrecorded') claimed++;
    if (standing.kind === 'claimed') {
      const { provider, clientId } = standing.client;
      claimants.set(`${provider}/${clientId}`, [...(claimants.get(`${provider}/${clientId}`) ?? []), name]);
    }
    if (standing.kind === 'refused')
      findings.push(
        warning(
          'claims.refused',
          `${name} claims client ${standing.client.provider}/${standing.client.clientId}, which does not count: ${standing.reason}`,
          standing.detail,
        ),
      );
    if (standing.kind === 'claimed' && standing.addNothing)
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
