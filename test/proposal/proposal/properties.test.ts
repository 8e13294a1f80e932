import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { OAuthClient } from '../../../src/model/client.js';
import type { Access } from '../../../src/model/intention.js';
import { covers } from '../../../src/plan/access.js';
import { openingsOf } from '../../../src/plan/openings.js';
import { planAdoption } from '../../../src/plan/plan-adoption.js';
import { serviceText } from '../../../src/plan/world.js';
import type { Proposal } from '../../../src/proposal/proposal.js';
import {
  ALLOW,
  claiming,
  client,
  DENY,
  entriesAfter,
  entriesOf,
  entry,
  inputsOf,
  keyOf,
  mapping,
  plansOf,
  type Scene,
  scene,
  source,
} from '../../plan/scene.js';
import { proposalFor } from '../scene-proposal.js';

/** The same scene once the rules are configured and every proposed claim is made and confirmed. */
function carriedOut(from: Scene, { rules, claims }: Proposal): Scene {
  const clients = from.clients.map((each) => {
    const named = claims
      .filter(({ client: id }) => id.provider === each.provider && id.clientId === each.clientId)
      .map(({ service }) => service.name);
    const all = [each.attributes['consul-services'] ?? '', ...named].join(',');
    return { ...each, attributes: { ...each.attributes, 'consul-services': all } };
  });
  const claimed = new Map(claims.map((each) => [serviceText(each.service), each]));
  const services = [
    ...from.services.filter(({ name }) => !claimed.has(serviceText(name))),
    ...claims.map(({ service, client: { clientId, provider } }) => {
      const [instance] = claiming(service.name, clientId).instances;
      const meta = { 'oauth-client-id': clientId, 'oauth-provider': provider };
      return { name: service, instances: instance === undefined ? [] : [{ ...instance, meta }] };
    }),
  ];
  return { ...from, clients, services, mapping: { ...from.mapping, rules: rules.map(({ rule }) => rule) } };
}

function adopted(from: Scene): Scene {
  let { entries } = from;
  for (const input of inputsOf(from))
    for (const change of planAdoption(input))
      entries = entriesAfter(entries, input.destination, change, from.mapping.owner);
  return { ...from, entries };
}

const GET: Access = { kind: 'http', permissions: [{ methods: ['GET'], pathExact: '/v1' }] };
const BOTH: Access = { kind: 'http', permissions: [{ methods: ['GET', 'POST'], pathExact: '/v1' }] };
const ODD: Access = { kind: 'http', permissions: [{ pathExact: '/' }, { pathPrefix: '//' }] };
const BELOW: Access = { kind: 'http', permissions: [{ pathExact: '/v1' }, { pathPrefix: '/v1/' }] };

const DESTINATIONS = ['orders', 'orders-api', 'reports', 'billing'] as const;
const SCOPES = [
  'orders:read',
  'orders:write',
  'orders-api:read',
  'reports:read',
  'reports:call',
  'billing:call',
  'orders*',
  'insights',
] as const;

/** Of few clients, services and scopes, so that much is explained: each caller may do one of two things at a destination. */
const someMesh: fc.Arbitrary<Scene> = fc
  .record({
    clients: fc.uniqueArray(
      fc
        .record({
          clientId: fc.constantFrom('web', 'job', 'bot', 'spare'),
          scopes: fc.subarray([...SCOPES]),
          names: fc.constantFrom(undefined, undefined, undefined, undefined, 'web', 'job, bot'),
          enabled: fc.constantFrom(true, true, true, true, true, false),
        })
        .map(({ clientId, scopes, names, enabled }) =>
          client(clientId, scopes, {
            enabled,
            attributes: names === undefined ? {} : { 'consul-services': names },
          }),
        ),
      { minLength: 2, selector: ({ clientId }) => clientId },
    ),
    services: fc.subarray([
      claiming('web', 'web'),
      claiming('job', ''),
      claiming('bot', 'bot', 'job'),
      claiming('shop', 'spare'),
      claiming('evil', 'web'),
    ]),
    entries: fc.tuple(
      ...[...DESTINATIONS, '*'].map((destination) =>
        fc
          .tuple(
            fc.constantFrom(ALLOW, ALLOW, ALLOW, GET, BOTH, BELOW, ODD),
            fc.constantFrom<readonly Access[]>([], [], [], [DENY], [ALLOW], [BOTH]),
            fc.subarray(['web', 'job', 'bot', 'shop', '*'], { minLength: 2 }),
          )
          .map(([common, [other = common], names]) =>
            entry(
              destination,
              ...names.map((name, at) => source(name, at === 0 ? other : common, 'by hand')),
            ),
          ),
      ),
    ),
    more: fc.subarray([...DESTINATIONS, '*'], { minLength: 2 }),
    claims: fc.constantFrom('confirmed' as const, 'confirmed' as const, 'first' as const),
  })
  .map(({ clients, services, entries, more, claims }) =>
    scene({
      mapping: mapping({ claims }),
      clients,
      services,
      entries: entriesOf(...entries.filter(({ destination: { name } }) => more.includes(name))),
    }),
  );

const RULES = { numRuns: 30 };

/** By `serviceText`: each service whose claim on the client counts, is proposed, or counts once a person settles a conflict. */
function servicesThatMayClaim(holder: OAuthClient, from: Scene, { claims }: Proposal): ReadonlySet<string> {
  const names = (holder.attributes['consul-services'] ?? '').split(/[ ,]+/).filter((name) => name !== '');
  const proposed = claims.filter(({ client: { clientId } }) => clientId === holder.clientId);
  const claimants = from.services.filter(({ instances }) =>
    instances.some(({ meta }) => meta['oauth-client-id'] === holder.clientId),
  );
  return new Set([
    ...(from.mapping.claims === 'confirmed' && from.services.length > 0 ? names.map(keyOf) : []),
    ...proposed.map(({ service }) => serviceText(service)),
    ...claimants.map(({ name }) => serviceText(name)),
  ]);
}

describe('a proposal for any mesh', () => {
  it('opens nothing that Consul does not allow now by an exact intention', () => {
    fc.assert(
      fc.property(someMesh, (from) => {
        const proposal = proposalFor(from);
        const { mapping: after } = carriedOut(from, proposal);
        for (const holder of from.clients)
          for (const service of servicesThatMayClaim(holder, from, proposal))
            for (const { destination, access } of openingsOf({ ...holder, enabled: true }, after).openings) {
              const now = from.entries
                .get(keyOf(destination))
                ?.sources.find((each) => each.peer === undefined && serviceText(each) === service);
              expect(now?.access.kind === 'other' ? undefined : now?.access).toSatisfy(
                (actual: Access | undefined) => covers(actual, access),
              );
            }
      }),
      RULES,
    );
  });

  it('leaves nothing to write once its claims are made and its intentions are adopted', () => {
    fc.assert(
      fc.property(someMesh, (from) => {
        const proposal = proposalFor(from);
        const after = adopted(carriedOut(from, proposal));
        expect(plansOf(after).flatMap(({ changes }) => changes)).toEqual([]);
      }),
      RULES,
    );
  });

  it('does not depend on the order of clients, services and intentions', () => {
    fc.assert(
      fc.property(someMesh, (from) => {
        const reversed = {
          ...from,
          clients: from.clients.toReversed(),
          services: from.services.toReversed(),
          entries: new Map([...from.entries].toReversed()),
        };
        expect(proposalFor(reversed)).toEqual(proposalFor(from));
      }),
      { numRuns: 10 },
    );
  });

  it('names each intention once, as explained or with a reason', () => {
    fc.assert(
      fc.property(someMesh, (from) => {
        const { explained, unexplained } = proposalFor(from);
        const count = [...from.entries.values()].reduce((sum, each) => sum + each.sources.length, 0);
        expect(explained.length + unexplained.length).toBe(count);
      }),
      { numRuns: 10 },
    );
  });
});
