import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { clientOfDescription, describeSource, isOwned } from '../../src/plan/ownership.js';
import type { Plan } from '../../src/plan/plan.js';
import { createSelection, type Select } from '../../src/plan/selection.js';
import { parseClientText, serviceText } from '../../src/plan/world.js';
import { runsOf } from '../support/soak.js';
import {
  ALLOW,
  claiming,
  client,
  entriesOf,
  entry,
  mapping,
  named,
  ourSource,
  planOf,
  plansOf,
  rule,
  type Scene,
  scene,
  source,
} from './scene.js';
import { someScene } from './worlds.js';

const RUNS = runsOf(200, 60);

function selecting(of: Scene, select: Select): Scene {
  return { ...of, mapping: { ...of.mapping, select: createSelection(select) } };
}

describe('a selection', () => {
  const has = (select: Select, name: string, place = {}) =>
    createSelection(select).hasService({ ...named(name), ...place });

  test('has what every one of its lists has, by the patterns of the mapping', () => {
    const select = { services: ['pay-*', 'Orders'], namespaces: ['team-{name}'] };
    expect(has(select, 'pay-api', { namespace: 'team-a' })).toBe(true);
    expect(has(select, 'orders', { namespace: 'team-a' })).toBe(true);
    expect(has(select, 'pay-api')).toBe(false);
    expect(has(select, 'billing', { namespace: 'team-a' })).toBe(false);
    expect(has({ partitions: ['p'] }, 'x', { partition: 'q' })).toBe(false);
    expect(createSelection({ clients: ['bot-*'] }).hasClient({ clientId: 'bot-1' })).toBe(true);
    expect(createSelection({ clients: ['bot-*'] }).hasClient({ clientId: 'web' })).toBe(false);
  });

  test('an absent list selects everything', () => {
    const all = createSelection({ services: ['orders'] });
    expect([all.hasClient({ clientId: 'web' }), all.limitsClients]).toEqual([true, false]);
    expect(has({ clients: ['web'] }, 'anything')).toBe(true);
  });
});

describe('the plan of a selection', () => {
  test('of services is the plan of everything at these services, and nothing elsewhere', () => {
    const destinations = fc.subarray(['orders', 'reports', 'vault'], { minLength: 1 });
    fc.assert(
      fc.property(someScene, destinations, (of, services) => {
        const selected = selecting(of, { services });
        const isInside = ({ key }: Plan) => key.kind === 'destination' && services.includes(key.service);
        const isBusy = ({ changes, holds }: Plan) => changes.length + holds.length > 0;
        // What cannot be a service is held nowhere but where everything is selected.
        expect(plansOf(selected).filter(isBusy)).toEqual(plansOf(of).filter(isInside).filter(isBusy));
      }),
      RUNS,
    );
  });

  test('of clients is the plan of a world without the others', () => {
    fc.assert(
      fc.property(someScene, fc.subarray(['web', 'api', 'job', 'bot'], { minLength: 1 }), (of, clients) => {
        const read = { ...of, clients: of.clients.filter(({ clientId }) => clients.includes(clientId)) };
        // Such an edge is kept, because it may be of the client outside.
        fc.pre(!hasNamelessOutside(of, clients));
        fc.pre(of.unreadable.size === 0 && of.services.every((each) => namesOnlyOneSide(each, clients)));
        const gist = (plans: readonly Plan[]) =>
          plans.map(({ key, changes, holds }) => ({
            key,
            changes,
            holds: holds.map(({ subject, reason }) => [subject, reason]),
          }));
        expect(gist(plansOf(selecting(read, { clients })))).toEqual(gist(plansOf(without(read, clients))));
      }),
      RUNS,
    );
  });

  test('never touches an edge of a client that is outside', () => {
    fc.assert(
      fc.property(someScene, fc.subarray(['web', 'api', 'job', 'bot']), (of, clients) => {
        const plans = plansOf(selecting(of, { clients: clients.length === 0 ? ['none'] : clients }));
        const left = [...of.entries.values()].flatMap((each) =>
          each.sources
            .filter((from) => isOutside(from.description, clients) && isOwned('pay', from))
            .map((from) => `${each.destination.name} ${from.name}`),
        );
        const changed = plans.flatMap(({ changes }) =>
          changes.map(({ resource, source: from }) => `${resource.destination} ${from.name}`),
        );
        expect(changed.filter((each) => left.includes(each))).toEqual([]);
      }),
      RUNS,
    );
  });

  const edge = entriesOf(entry('orders', ourSource('web', ALLOW)));

  test('keeps an edge that a narrower selection leaves out', () => {
    const before = scene({ entries: edge, clients: [client('other', [])] });
    expect(planOf(before).changes).toMatchObject([{ action: 'revoke' }]);
    for (const select of [{ services: ['billing'] }, { clients: ['other'] }, { namespaces: ['team'] }])
      expect(planOf(selecting(before, select))).toMatchObject({ changes: [], holds: [] });
  });

  test('keeps an edge whose mark names no client, of a service that claims a client outside', () => {
    const id = 'x'.repeat(600);
    const mark = describeSource('pay', { provider: 'main', clientId: id });
    expect(clientOfDescription(mark)).toBeUndefined();
    const entries = entriesOf(entry('orders', source('web', ALLOW, mark)));
    const before = scene({ entries, services: [claiming('web', id)] });
    expect(planOf(before).changes).toMatchObject([{ action: 'revoke' }]);
    expect(planOf(selecting(before, { clients: ['other'] }))).toMatchObject({ changes: [], holds: [] });
  });

  test('closes an edge inside whose source claims a client outside now', () => {
    const moved = scene({ entries: edge, services: [claiming('web', 'theirs')] });
    expect(planOf(selecting(moved, { clients: ['web'] })).changes).toMatchObject([
      { action: 'revoke', reason: 'ClaimRemoved', isInferred: false },
    ]);
  });

  test('has the edge from a source outside to a destination inside, and not the reverse', () => {
    const of = scene({
      mapping: mapping({ rules: [rule('orders', 'orders'), rule('orders', 'billing')] }),
    });
    const changes = (services: readonly string[]) =>
      plansOf(selecting(of, { services })).flatMap((plan) => plan.changes.map(({ subject }) => subject));
    expect(changes(['orders'])).toEqual(['intention/default/default/orders/web']);
    expect(changes(['web'])).toEqual([]);
  });

  test('holds a service of a selected client behind the edge of a client outside', () => {
    const theirs = entriesOf(entry('orders', ourSource('web', ALLOW, 'theirs')));
    const { changes, holds } = planOf(selecting(scene({ entries: theirs }), { clients: ['web'] }));
    expect(changes).toEqual([]);
    expect(holds).toMatchObject([
      { reason: 'ForeignSource', detail: expect.stringContaining('select.clients') },
    ]);
  });
});

function isOutside(description: string, clients: readonly string[]): boolean {
  const named = clientOfDescription(description);
  return named !== undefined && !clients.includes(named.clientId);
}

/** Whether a service has an edge whose mark names no client, and claims or claimed a client outside. */
function hasNamelessOutside(of: Scene, clients: readonly string[]): boolean {
  const marked = [...of.entries.values()]
    .flatMap(({ sources }) => sources)
    .filter((from) => isOwned('pay', from) && clientOfDescription(from.description) === undefined);
  return marked.some((from) => {
    const { clientId } = of.remembered.get(serviceText(from)) ?? {};
    if (clientId !== undefined && !clients.includes(clientId)) return true;
    const claims = of.services.find(({ name }) => name.name === from.name)?.instances ?? [];
    return claims.some((one) => JSON.stringify(bare(one, clients)) !== JSON.stringify(one));
  });
}

/** Instances that disagree keep the old claim, whatever side the new claims are on. */
function namesOnlyOneSide({ instances }: Scene['services'][number], clients: readonly string[]): boolean {
  const claims = instances
    .filter(({ kind }) => kind === '')
    .map(({ meta, tags }) => [
      ...new Set([
        ...(meta['oauth-client-id'] === undefined ? [] : [meta['oauth-client-id']]),
        ...tags.map((tag) => tag.slice('oauth-client='.length)),
      ]),
    ]);
  const isInside = (each: string) => clients.includes(each);
  if (claims.flat().every(isInside)) return true;
  const isClear = instances.every(({ meta }) => meta['oauth-provider'] === undefined);
  return isClear && claims.every((each) => each.length === 1) && new Set(claims.flat()).size === 1;
}

/** The scene with neither claims nor marks of the other clients. */
function without(of: Scene, clients: readonly string[]): Scene {
  const entries = [...of.entries.values()].map((each) => ({
    ...each,
    sources: each.sources.map((from) =>
      isOutside(from.description, clients) && isOwned('pay', from)
        ? source(from.name, from.access, 'by hand', { isLegacy: from.isLegacy })
        : from,
    ),
  }));
  const left = [...of.entries.values()].flatMap((each) =>
    each.sources
      .filter((from) => isOutside(from.description, clients) && isOwned('pay', from))
      .map((from) => `intention/default/default/${each.destination.name}/${from.name}`),
  );
  const services = of.services.map((each) => ({
    ...each,
    instances: each.instances.map((one) => bare(one, clients)),
  }));
  return {
    ...of,
    services,
    entries: entriesOf(...entries),
    remembered: new Map([...of.remembered].filter(([, { clientId }]) => clients.includes(clientId))),
    clientBlocks: new Map(
      [...of.clientBlocks].filter(([id]) => clients.includes(parseClientText(id).clientId)),
    ),
    written: new Map([...of.written].filter(([subject]) => !left.includes(subject))),
  };
}

function bare(
  instance: Scene['services'][number]['instances'][number],
  clients: readonly string[],
): Scene['services'][number]['instances'][number] {
  const { meta, tags } = instance;
  return {
    ...instance,
    meta: clients.includes(meta['oauth-client-id'] ?? '') ? meta : {},
    tags: tags.filter((tag) => clients.includes(tag.slice('oauth-client='.length))),
  };
}
