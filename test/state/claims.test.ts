import { describe, expect, test } from 'vitest';
import type { CatalogService, ClaimRecord } from '../../src/model/catalog.js';
import type { OAuthClient } from '../../src/model/client.js';
import type { Mapping } from '../../src/model/rule.js';
import { createSelection } from '../../src/plan/selection.js';
import { Claims } from '../../src/state/claims.js';
import { Directories } from '../../src/state/directories.js';
import { settings } from '../acl/plan/acl-scene.js';
import { claiming, client, keyOf, mapping, NOW, named, SETTINGS } from '../plan/scene.js';

const WEB = { provider: 'main', clientId: 'web' };
const GRACE = SETTINGS.claimGraceMs;
const FIRST = { acl: settings({ firstLogin: true }) };

function claimsOf(changes: Partial<Mapping> = {}) {
  const directories = new Directories();
  const claims = new Claims(mapping(changes), SETTINGS, directories, new Map());
  let reads = 0;
  return {
    claims,
    directories,
    read: (provider: string, ...clients: readonly OAuthClient[]) => {
      directories.putAll(provider, clients, ++reads, NOW);
      for (const each of clients) claims.putNamer(each, each);
    },
    /** What changed, by name. */
    show: (services: readonly CatalogService[], now = NOW) =>
      [...claims.applyCatalog({ services, protocols: new Map(), defaultProtocol: 'http' }, now)].map((key) =>
        key.split('/').at(-1),
      ),
    judge: () => {
      for (const key of [...claims.world(NOW).remembered.keys(), ...claims.claimStatuses.all.keys()])
        claims.updateStatus(key);
    },
    remembered: () => [...claims.world(NOW).remembered.keys()],
  };
}

const instance = (changes: Partial<CatalogService['instances'][number]> = {}) => ({
  id: 'x',
  node: 'n1',
  kind: '',
  meta: {},
  tags: [],
  ...changes,
});
const proxyOf = (name: string) => instance({ kind: 'connect-proxy', proxyOf: name });

describe('a read of the catalog', () => {
  test('is about the services of which something changed that a claim depends on', () => {
    const { show } = claimsOf();
    const of = (...instances: CatalogService['instances']) => [{ name: named('a'), instances }];
    const [one, other] = [instance({ tags: ['x'] }), instance({ id: 'y', meta: { 'oauth-client-id': 'a' } })];
    expect(show([...of(one, other), claiming('b', 'b')])).toEqual(['a', 'b']);
    expect(show([...of({ ...one, id: 'z', node: 'n2' }, other), claiming('b', 'b')])).toEqual([]);
    expect(show([...of(one, { ...other, tags: ['y'] }), claiming('b', 'b')])).toEqual(['a']);
    expect(show([...of(one), claiming('b', 'b')])).toEqual(['a']);
    expect(show([...of(one, one), claiming('b', 'b')])).toEqual(['a']);
    expect(show(of({ ...one, kind: 'api-gateway' }, one))).toEqual(['a', 'b']);
    expect(show(of({ ...one, kind: 'api-gateway' }, one))).toEqual([]);
  });

  test('shows the services of the selection and their sidecars, and judges all', () => {
    const { claims, show } = claimsOf({ select: createSelection({ services: ['pay', 'shop'] }) });
    expect(claims.catalog).toBeUndefined();
    const services = [
      claiming('pay', 'pay'),
      claiming('billing', 'billing'),
      { name: named('sidecar'), instances: [proxyOf('billing'), proxyOf('pay')] },
      { name: named('elsewhere'), instances: [proxyOf('billing'), instance()] },
    ];
    show(services);
    expect(claims.catalog?.services.map(({ name }) => name.name)).toEqual(['pay', 'sidecar']);
    expect(claims.catalog).toMatchObject({ defaultProtocol: 'http' });
    expect(claims.world(NOW).catalog?.services).toEqual(services);
    const all = claimsOf();
    all.show(services);
    expect(all.claims.catalog?.services).toEqual(services);
  });

  test('forgets a claim after the grace, which begins when the last instance is gone', () => {
    const { claims, show, remembered } = claimsOf();
    const [web, api] = [claiming('web', 'web'), claiming('api', 'api')];
    show([{ ...web, instances: [...web.instances, proxyOf('web')] }, api]);
    const gone = NOW + 10 * GRACE;
    expect(show([claiming('api', 'api'), { name: named('web'), instances: [proxyOf('web')] }], gone)).toEqual(
      ['web'],
    );
    expect(show([claiming('api', 'api')], gone + 1)).toEqual(['web']);
    expect(show([claiming('api', 'api')], gone + GRACE)).toEqual([]);
    expect(remembered()).toEqual([keyOf('web'), keyOf('api')]);
    claims.updateStatus(keyOf('web'));
    expect(show([claiming('api', 'api')], gone + GRACE + 1)).toEqual(['web']);
    expect(remembered()).toEqual([keyOf('api')]);
    // Nothing is left to know.
    expect(claims.updateStatus(keyOf('web'))).toMatchObject({ service: named('web'), after: undefined });
    expect(claims.claimStatuses.all.has(keyOf('web'))).toBe(false);
    expect(claims.updateStatus(keyOf('web'))).toBeUndefined();
  });
});

describe('the claim of an earlier process', () => {
  const former = [{ key: keyOf('web'), client: WEB }];

  test('is in no grace before the catalog was read, and unknown', () => {
    const { claims } = claimsOf();
    expect([...claims.restore(former, NOW)]).toEqual([keyOf('web')]);
    expect(claims.endGraces(NOW + 10 * GRACE)).toEqual([]);
    expect(claims.updateStatus(keyOf('web'))?.after).toEqual({
      kind: 'unknown',
      service: named('web'),
      client: WEB,
    });
  });

  test('is in its grace if the first catalog shows no instance, and only then', () => {
    const { claims, show } = claimsOf();
    claims.restore([...former, { key: keyOf('api'), client: { ...WEB, clientId: 'api' } }], NOW);
    expect(show([claiming('api', 'api')])).toEqual(['api', 'web']);
    expect(show([claiming('api', 'api')])).toEqual([]);
    expect([claims.endGraces(NOW + GRACE - 1), claims.endGraces(NOW + GRACE)]).toEqual([[], [keyOf('web')]]);
  });

  test('is kept by instances that disagree, however late the first catalog is', () => {
    const { claims, read, show } = claimsOf();
    read('main', client('web', []));
    claims.restore(former, NOW);
    show([claiming('web', 'web', 'other')], NOW + GRACE + 1);
    expect(claims.updateStatus(keyOf('web'))?.after).toMatchObject({ kind: 'claimed', addNothing: true });
  });

  test('that is restored after the catalog is in its grace only if no instance is there', () => {
    const { claims, show } = claimsOf();
    show([claiming('web', 'web', 'other'), claiming('api', '')]);
    const vacant = { key: keyOf('shop'), client: WEB };
    const restored = claims.restore([...former, vacant, { key: keyOf('api'), client: WEB }], NOW);
    expect([...restored]).toEqual([keyOf('web'), keyOf('shop')]);
    expect(claims.endGraces(NOW + GRACE)).toEqual([keyOf('shop')]);
  });

  test('in a role proves an instance, but with first logins only of a registered service', () => {
    const { claims, show } = claimsOf(FIRST);
    const both = [...former, { key: keyOf('Api'), client: WEB }];
    show([claiming('api', 'api')]);
    expect(claims.provenByRoles(both)).toEqual([both[1]]);
    claims.setMapping(mapping());
    expect(claims.provenByRoles(both)).toEqual(both);
  });
});

describe('the records of claims', () => {
  const record = (clientId: string, service: string, modifyIndex = 1): ClaimRecord => ({
    provider: 'main',
    clientId,
    service: named(service),
    modifyIndex,
  });

  test('are those of the clients in the selection', () => {
    const all = [record('web', 'web'), record('api', 'api')];
    const { claims } = claimsOf({ select: createSelection({ clients: ['web'] }) });
    expect(claims.records).toEqual([]);
    claims.applyRecords(all, 1);
    expect(claims.records).toEqual([record('web', 'web')]);
    const whole = claimsOf();
    whole.claims.applyRecords(all, 2);
    expect(whole.claims.records).toEqual(all);
    expect([...whole.claims.world(NOW).claimRecords.keys()]).toEqual(['["main","web"]', '["main","api"]']);
    whole.claims.applyRecords([], 3);
    expect(whole.claims.records).toEqual([]);
  });

  test('concern every service that claims the client, and none if the service of the record is the same', () => {
    const { claims, read, show, judge } = claimsOf({ claims: 'first' });
    read('main', client('web', []), client('api', []));
    show([claiming('web', 'web'), claiming('shop', 'web'), claiming('api', 'api')]);
    judge();
    const both = [keyOf('web'), keyOf('shop')];
    expect([...claims.applyRecords([record('web', 'web')], 4)]).toEqual(both);
    expect([...claims.applyRecords([record('web', 'web', 2)], 5)]).toEqual([]);
    expect(claims.records).toEqual([record('web', 'web', 2)]);
    expect([...claims.applyRecords([record('web', 'shop')], 6)]).toEqual(both);
    expect([...claims.applyRecords([], 7)]).toEqual(both);
    expect([...claims.applyRecords([], 8)]).toEqual([]);
  });
});

describe('the reads of claim records', () => {
  const record = (service: string): ClaimRecord => ({
    provider: 'main',
    clientId: 'web',
    service: named(service),
    modifyIndex: 1,
  });

  test('never override a newer one, whether they show the record or not', () => {
    const { claims } = claimsOf({ claims: 'first' });
    claims.applyRecord(WEB, record('web'), 5);
    for (const older of [[record('thief')], []]) {
      expect([...claims.applyRecords(older, 4)]).toEqual([]);
      expect(claims.records).toEqual([record('web')]);
    }
    claims.applyRecord(WEB, record('thief'), 4);
    expect(claims.records).toEqual([record('web')]);
    claims.applyRecords([record('shop')], 6);
    expect(claims.records).toEqual([record('shop')]);
    claims.applyRecord(WEB, record('web'), 5);
    claims.applyRecords([record('web')], 5);
    expect(claims.records).toEqual([record('shop')]);
  });

  test('apply a list again that came before the newer read of one record', () => {
    const { claims } = claimsOf({ claims: 'first' });
    const list = [record('web')];
    claims.applyRecord(WEB, record('shop'), 2);
    claims.applyRecords(list, 1);
    expect(claims.records).toEqual([record('shop')]);
    claims.applyRecords(list, 3);
    expect(claims.records).toEqual(list);
  });
});

describe('a new configuration', () => {
  test('concerns every service of the catalog, every remembered claim and every status', () => {
    const { claims, show, judge } = claimsOf();
    claims.restore([{ key: keyOf('former'), client: WEB }], NOW);
    show([claiming('web', 'web'), claiming('quiet', '')]);
    judge();
    expect(claims.setMapping(mapping())).toEqual(new Set([keyOf('web'), keyOf('quiet'), keyOf('former')]));
    show([], NOW + 1);
    show([], NOW + 2 * GRACE);
    expect(claims.setMapping(mapping())).toEqual(new Set([keyOf('web'), keyOf('former')]));
  });

  test('with other providers gives what instances claim another provider, and then the grace is of that client', () => {
    const { claims, show } = claimsOf();
    show([claiming('web', 'web')]);
    claims.setMapping(mapping({ providers: ['extra'] }));
    show([], NOW + 1);
    expect(claims.world(NOW).remembered.get(keyOf('web'))).toEqual({
      provider: 'extra',
      clientId: 'web',
      lastSeenAt: NOW + 1,
      since: NOW,
    });
  });

  test('that ends first logins ends those of services without an instance and without a claim', () => {
    const { claims, read, show } = claimsOf(FIRST);
    const [ended, other] = [
      client('web', [], { attributes: { 'consul-services': 'Free,taken,graced' } }),
      client('api', [], { attributes: { 'consul-services': 'api' } }),
    ];
    read('main', ended, other);
    show([claiming('taken', 'web'), claiming('graced', 'web')]);
    show([claiming('taken', 'web')], NOW + 1);
    const of = (...names: readonly string[]) => names.map((name) => claims.hasEnded(ended, name));
    expect(of('Free', 'taken', 'graced')).toEqual([false, false, false]);
    claims.setMapping(mapping());
    expect(of('Free', 'taken', 'graced', 'api')).toEqual([true, false, false, false]);
    expect(claims.hasEnded(other, 'api')).toBe(true);
    show([claiming('api', 'api')], NOW + 2);
    show([], NOW + 3);
    expect([...of('Free'), claims.hasEnded(other, 'api')]).toEqual([true, false]);
    claims.setMapping(mapping({ claims: 'first' }));
    expect(of('Free')).toEqual([true]);
    claims.setMapping(mapping(FIRST));
    expect(of('Free')).toEqual([false]);
  });

  test('that gives none as before ends none', () => {
    const { claims, read } = claimsOf();
    read('main', client('web', []));
    claims.setMapping(mapping({ claims: 'first' }));
    expect(claims.hasEnded(client('web', []), 'web')).toBe(false);
  });
});

describe('first logins', () => {
  const two = { ...FIRST, providers: ['main', 'extra'] };

  test('are certain for everybody who names a service once every client of every provider is known', () => {
    const { claims, read } = claimsOf(two);
    const isCertain = () => claims.firstLogins(client('web', []))[0]?.isCertain;
    expect(claims.drainCertain()).toEqual([]);
    read('main', client('web', []), client('api', []));
    expect([claims.drainCertain(), isCertain()]).toEqual([[], false]);
    read('extra');
    expect(isCertain()).toBe(true);
    expect(claims.drainCertain()).toEqual([WEB, { ...WEB, clientId: 'api' }]);
    expect(claims.drainCertain()).toEqual([]);
  });

  test.each([
    ['cannot be parsed', { clientId: 'x', why: 'y' }],
    ['has no readable client ID', { why: 'y' }],
  ])('are not certain while a record %s', (_, unreadable) => {
    const { claims, directories } = claimsOf(FIRST);
    directories.putAll('main', [client('web', [])], 1, NOW, [unreadable]);
    claims.putNamer(WEB, client('web', []));
    expect([claims.drainCertain(), claims.firstLogins(client('web', []))[0]?.isCertain]).toEqual([[], false]);
    directories.putAll('main', [client('web', [])], 2, NOW);
    expect([claims.drainCertain(), claims.firstLogins(client('web', []))[0]?.isCertain]).toEqual([
      [WEB],
      true,
    ]);
  });

  test('change for the other client that names the service, and for nobody without them', () => {
    const { claims, read } = claimsOf(FIRST);
    const also = client('api', [], { attributes: { 'consul-services': 'WEB' } });
    read('main', client('web', []));
    expect(claims.putNamer(also, also)).toEqual([WEB]);
    // Now two name it, so for a third nothing changes.
    const third = { ...also, clientId: 'job' };
    expect([claims.putNamer(third, third), claims.putNamer(third, undefined)]).toEqual([[], []]);
    expect(claims.putNamer(also, also)).toEqual([]);
    expect(claims.firstLogins(client('web', []))).toMatchObject([{ rivals: 1 }]);
    expect(claims.putNamer(also, { ...also, enabled: false })).toEqual([WEB]);
    expect(claims.firstLogins(client('web', []))).toMatchObject([{ rivals: 0 }]);
    expect(claims.namersOf('Web')).toEqual([WEB]);
    expect(claims.putNamer(WEB, undefined)).toEqual([]);
    expect(claims.namersOf('web')).toEqual([]);
    claims.putNamer(WEB, client('web', []));
    claims.setMapping(mapping());
    expect([claims.namersOf('web'), claims.putNamer(also, also)]).toEqual([[], []]);
    expect(claims.drainCertain()).toEqual([]);
  });

  test('of a name that very many give are a hundred of them', () => {
    const { claims, read } = claimsOf(FIRST);
    const all = Array.from({ length: 150 }, (_, at) =>
      client(`c${at}`, [], { attributes: { 'consul-services': 'web' } }),
    );
    read('main', ...all);
    expect(claims.namersOf('web')).toHaveLength(100);
  });
});
