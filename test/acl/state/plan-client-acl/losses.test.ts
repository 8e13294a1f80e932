import { describe, expect, test } from 'vitest';
import { type ClientAclFacts, hasInferredLoss } from '../../../../src/acl/state/plan-client-acl.js';
import { createSelection } from '../../../../src/plan/selection.js';
import { claiming, client, NOW } from '../../../plan/scene.js';
import { settings } from '../../plan/acl-scene.js';
import {
  LATER,
  made,
  NAMED,
  NOTHING,
  policyOf,
  roleAfter,
  SUBJECT,
  stored,
  WEB,
  withGrants,
  withRole,
} from '../client-acl-scene.js';

describe('why a client loses something', () => {
  test('is nothing if everything is as it should be', () => {
    const it = made();
    expect(it.first.changes.length).toBeGreaterThan(4);
    for (const each of it.first.changes)
      expect(each).toMatchObject({
        reason: 'ScopeGranted',
        isInferred: false,
        scopes: ['a', 'b'],
        client: { provider: 'main', clientId: 'web', actorKind: 'workload' },
      });
    expect(it.plan()).toMatchObject({ changes: [], holds: [], isUnknown: false, opensBy: ['a', 'b'] });
  });

  test('is a drift if the objects should be as they were written last, and else the configuration', () => {
    const it = made();
    const actual = withRole(it, ({ policies }) => ({ policies: [...policies, 'by-hand'] }));
    const [change, ...others] = it.plan({ actual }).changes;
    expect(others).toEqual([]);
    expect(change).toMatchObject({
      reason: 'DriftCorrected',
      isInferred: false,
      narrows: true,
      scopes: ['a', 'b'],
      client: { clientId: 'web' },
    });
    const without = new Map([...it.lastApplied].filter(([key]) => key !== SUBJECT));
    expect(it.plan({ actual, lastApplied: without }).changes).toMatchObject([{ reason: 'MappingChanged' }]);
  });

  test('is a drift where somebody widened a binding rule, whose tokens end', () => {
    const it = made();
    const widened = it.actual.bindingRules.map(({ object }) => ({ ...object, selector: '' }));
    const { changes } = it.plan({ actual: { ...it.actual, bindingRules: stored(widened) } });
    const narrowing = changes.filter(({ narrows }) => narrows);
    expect(narrowing.map(({ verb }) => verb)).toContain('deleted');
    for (const each of narrowing)
      expect(each).toMatchObject({ reason: 'DriftCorrected', isInferred: false, scopes: ['a', 'b'] });
  });

  test('is the configuration if that no longer has the provider, unless an order closed the client before', () => {
    const it = made();
    const world = it.unread({ providers: ['other'] });
    const gone = it.plan({}, NOW, world);
    expect(gone.isUnknown).toBe(false);
    expect(gone.changes.length).toBeGreaterThan(1);
    for (const each of gone.changes)
      expect(each).toMatchObject({
        reason: 'MappingChanged',
        isInferred: false,
        scopes: ['a', 'b'],
        client: { provider: 'main', clientId: 'web', actorKind: 'unknown' },
      });
    for (const each of it.plan({ lastApplied: new Map() }, NOW, world).changes)
      expect(each.scopes).toEqual([]);
    world.setClientBlock(WEB, 'ClientQuarantined');
    for (const each of it.plan({}, NOW, world).changes) expect(each.reason).toBe('ClientQuarantined');
    // Also one that was read before.
    it.state.setMapping(it.configured({ providers: ['other'] }));
    for (const each of it.plan().changes) expect(each.reason).toBe('MappingChanged');
    expect(it.plan().changes).toHaveLength(gone.changes.length);
  });

  test.each<[string, ClientAclFacts['evidence'], boolean]>([
    ['without an event', [], true],
    ['if an event of another provider names it', [{ provider: 'other', clients: ['web'] }], true],
    ['if an event names another client', [{ provider: 'main', clients: ['api'] }], true],
    ['if an event names no client', [{ provider: 'main' }], true],
    ['if an event names it', [{ provider: 'main' }, { provider: 'main', clients: ['api', 'web'] }], false],
  ])('is inferred of a client that is gone %s: %#', (_, evidence, isInferred) => {
    const it = made();
    it.put(undefined);
    const { changes } = it.plan({ evidence });
    expect(new Set(changes.map(({ resource }) => resource.kind))).toEqual(
      new Set(['acl-auth-method', 'acl-role']),
    );
    for (const each of changes)
      expect(each).toMatchObject({ reason: 'ClientDeleted', isInferred, client: { actorKind: 'unknown' } });
    expect(hasInferredLoss(changes)).toBe(isInferred);
  });

  test('is the changed kind if tokens must prove something else, and an event that names it counts', () => {
    const human = client('web', ['a'], { grantTypes: ['authorization_code'], attributes: {} });
    const it = made({}, human, []);
    it.put({ ...human, grantTypes: ['client_credentials'] });
    const reasons = (facts = {}) =>
      it
        .plan(facts)
        .changes.filter(({ narrows }) => narrows)
        .map(({ reason, isInferred }) => [reason, isInferred]);
    expect(new Set(reasons().map(String))).toEqual(new Set(['ActorLimited,true']));
    expect(new Set(reasons(NAMED).map(String))).toEqual(new Set(['ActorLimited,false']));
  });

  test('is about the services that it loses, and not about those that it keeps', () => {
    const who = client('web', [], { attributes: { 'consul-services': 'web,shop' } });
    const it = made({}, who, [claiming('web', 'web'), claiming('shop', 'web')]);
    // `web` lost its last instance and is in its grace, `shop` names no client any more.
    it.show(claiming('shop', ''));
    expect(it.plan().changes).toMatchObject([
      { reason: 'ClaimRemoved', isInferred: false, after: { serviceIdentities: ['web'] } },
    ]);
    it.state.expireGraces(LATER);
    const both = it.plan(NAMED, LATER).changes;
    expect(both.length).toBeGreaterThan(0);
    // A service that has no instance left counts for the guard, whatever an event says of the client.
    for (const each of both) expect(each).toMatchObject({ reason: 'ClaimRemoved', isInferred: true });
  });
});

describe('a login by the name alone', () => {
  const FIRST = { acl: settings({ firstLogin: true }) };

  test('keeps the reason of a quarantine that ended', () => {
    const it = made(FIRST, WEB, []);
    const reasonsOf = (facts: Partial<ClientAclFacts>) =>
      new Set(
        it.plan({ actual: NOTHING, lastApplied: new Map(), ...facts }).changes.map(({ reason }) => reason),
      );
    expect(reasonsOf({})).toEqual(new Set(['ServiceNamed']));
    expect(reasonsOf({ grantReason: 'QuarantineEnded' })).toEqual(new Set(['QuarantineEnded']));
  });

  test('that exists gives no other reason to what is granted beside it', () => {
    const it = made(FIRST, WEB, []);
    it.put(withGrants('a', 'b', 'c'));
    expect(new Set(it.plan().changes.map(({ reason }) => reason))).toEqual(new Set(['ScopeGranted']));
    it.put({ ...WEB, attributes: { 'consul-services': 'shop,web' } });
    expect(new Set(it.plan().changes.map(({ reason }) => reason))).toEqual(new Set(['ServiceNamed']));
  });

  test('counts for the guard if the client names another service instead, and not if an instance is of another', () => {
    const it = made(FIRST, WEB, []);
    it.put({ ...WEB, attributes: { 'consul-services': 'shop' } });
    const lossesOf = () => it.plan().changes.filter(({ narrows }) => narrows);
    expect(lossesOf()).toMatchObject([{ reason: 'ClaimRemoved', isInferred: true }]);
    it.put(WEB);
    it.show(claiming('web', 'api'));
    it.state.putClient(
      { ...WEB, clientId: 'api' },
      client('api', [], { attributes: { 'consul-services': 'web' } }),
      it.state.beginRead(),
    );
    expect(lossesOf()).toMatchObject([{ reason: 'ClaimRemoved', isInferred: false }]);
  });

  test('is not taken from people who log in by the same client', () => {
    const human = client('web', ['a'], { grantTypes: ['authorization_code'], attributes: {} });
    const it = made(FIRST, human, []);
    it.put({ ...human, attributes: WEB.attributes });
    expect(it.plan()).toMatchObject({ changes: [], holds: [{ reason: 'LoginUnverifiable' }] });
    // Nobody logs in yet.
    const fresh = it.plan({ actual: NOTHING });
    expect(fresh.holds).toEqual([]);
    expect(fresh.desired.roles).toMatchObject([{ serviceIdentities: ['web'] }]);
  });
});

describe('a client of which nothing may be concluded', () => {
  const nothing = {
    client: { provider: 'main', clientId: 'web', actorKind: 'workload' },
    subject: SUBJECT,
    desired: { policies: [], roles: [], authMethods: [], bindingRules: [] },
    opensBy: [],
    changes: [],
    holds: [],
    isUnknown: true,
  };

  test('keeps all: outside the selection, in an unread directory, and with a record that cannot be parsed', () => {
    const it = made();
    it.state.setMapping(it.configured({ select: createSelection({ clients: ['api'] }) }));
    expect(it.plan()).toEqual(nothing);
    it.state.setMapping(it.configured({ select: createSelection({ clients: ['web'] }) }));
    expect(it.plan()).toMatchObject({ isUnknown: false, changes: [] });
    expect(it.plan({}, NOW, it.unread())).toEqual({
      ...nothing,
      client: { ...nothing.client, actorKind: 'unknown' },
    });
    it.state.putUnreadable(WEB, 'x', it.state.beginRead());
    expect(it.plan()).toEqual(nothing);
  });

  test('loses all by an order, whatever was read', () => {
    const it = made();
    const unread = it.unread();
    const alone = it.unread();
    alone.putClient(WEB, WEB, alone.beginRead());
    it.state.putUnreadable(WEB, 'x', it.state.beginRead());
    for (const world of [unread, alone, it.state]) {
      world.setClientBlock(WEB, 'ClientQuarantined');
      const { isUnknown, changes } = it.plan({ lastApplied: new Map() }, NOW, world);
      expect(isUnknown).toBe(false);
      expect(new Set(changes.map(({ resource, reason }) => `${resource.kind} ${reason}`))).toEqual(
        new Set(['acl-auth-method ClientQuarantined', 'acl-role ClientQuarantined']),
      );
    }
  });

  test('and was read alone keeps all if it is not recorded what opened it, and loses all if it is disabled', () => {
    const it = made();
    const alone = it.unread();
    alone.putClient(WEB, withGrants('a'), alone.beginRead());
    expect(it.plan({ lastApplied: new Map() }, NOW, alone)).toEqual(nothing);
    expect(it.plan({}, NOW, alone).isUnknown).toBe(false);
    alone.putClient(WEB, { ...WEB, enabled: false }, alone.beginRead());
    const { isUnknown, changes } = it.plan({ lastApplied: new Map() }, NOW, alone);
    expect(isUnknown).toBe(false);
    expect(changes.length).toBeGreaterThan(1);
    for (const each of changes) expect(each.reason).toBe('ClientDisabled');
  });

  test('and was read alone does not record a scope that it gains', () => {
    const it = made();
    const alone = it.unread();
    alone.putClient(WEB, withGrants('b', 'c'), alone.beginRead());
    const plan = it.plan({}, NOW, alone);
    expect(plan.opensBy).toEqual(['b']);
    expect(roleAfter(plan)).toMatchObject([{ policies: [policyOf(it, 1)], serviceIdentities: ['web'] }]);
  });

  test('because the catalog was not read keeps its services and loses its scopes', () => {
    const it = made();
    const world = it.unread();
    world.putDirectory('main', [withGrants('a')], world.beginRead(), NOW);
    expect(roleAfter(it.plan({}, NOW, world))).toMatchObject([
      { policies: [policyOf(it, 0)], serviceIdentities: ['web'] },
    ]);
  });
});
