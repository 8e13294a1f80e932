import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { IntentionEntry, IntentionSource } from '../../../src/model/intention.js';
import {
  claiming,
  client,
  keyOf,
  mapping,
  named,
  planOf,
  plansOf,
  rule,
  scene,
  sceneAfter,
} from '../scene.js';
import { hostileText } from '../worlds.js';

describe('hostile texts', () => {
  const literal = mapping({
    rules: [rule('orders:read', 'orders'), rule('{service}:connect', '{service}'), rule('to:*', 'reports')],
    protectedServices: ['vault'],
  });
  const isGranted = (scopes: readonly string[], destination: string) =>
    scopes.some(
      (scope) =>
        (destination === 'orders' && scope === 'orders:read') ||
        (destination === 'reports' && scope.startsWith('to:')) ||
        (/^[a-z0-9][a-z0-9-]*$/.test(destination) && scope === `${destination}:connect`),
    );

  test.each(['*', 'Orders', 'or.ders'])('hold a scope whose destination %j is not a plain name', (to) => {
    const plans = plansOf(scene({ mapping: mapping({ rules: [rule('orders', to)] }) }));
    expect(plans.flatMap(({ changes }) => changes)).toEqual([]);
    expect(plans.flatMap(({ holds }) => holds)).toMatchObject([
      { reason: 'InvalidServiceName', scopes: ['orders'], action: 'grant' },
    ]);
  });

  test('give one destination in two cases one plan', () => {
    const rules = [rule('orders', 'orders'), rule('orders', 'Orders')];
    const plans = plansOf(scene({ mapping: mapping({ rules }) }));
    expect(plans).toMatchObject([
      {
        key: { service: 'orders' },
        changes: [{ verb: 'created' }],
        holds: [{ reason: 'InvalidServiceName', detail: expect.stringContaining('destination "Orders"') }],
      },
    ]);
  });

  test('in scopes never open a destination that the mapping does not name', () => {
    fc.assert(
      fc.property(
        fc.array(
          fc.oneof(
            hostileText,
            hostileText.map((text) => `${text}:connect`),
            hostileText.map((text) => `to:${text}`),
          ),
          { maxLength: 6 },
        ),
        (scopes) => {
          const it = scene({ mapping: literal, clients: [client('web', scopes)] });
          for (const plan of plansOf(it)) {
            if (plan.key.kind !== 'destination' || plan.changes.length === 0) continue;
            expect(isGranted(scopes, plan.key.service)).toBe(true);
            expect(plan.key.service).not.toBe('vault');
          }
        },
      ),
      { numRuns: 500 },
    );
  });

  test('as client ids and service names neither throw nor become a source that nobody confirmed', () => {
    fc.assert(
      fc.property(
        hostileText,
        hostileText,
        fc.constantFrom('confirmed' as const, 'first' as const),
        (clientId, service, claims) => {
          const clients = [
            client(clientId, ['orders:read'], { attributes: { 'consul-services': service } }),
            client('web', ['orders:read']),
          ];
          const services = [claiming(service, clientId), claiming('web', 'web')];
          const it = scene({ mapping: { ...literal, claims }, clients, services });
          const plan = planOf(it);
          for (const { source, description, subject } of plan.changes) {
            expect(['web', service]).toContain(source.name);
            expect(source.name).toMatch(/^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/);
            expect(description).toMatch(/^scopemesh:pay( client=main\/[!-~]+)?$/);
            expect(subject.split('/')).toHaveLength(5);
          }
          const after = sceneAfter(it, [plan]);
          expect(planOf(after).changes).toEqual([]);
        },
      ),
      { numRuns: 500 },
    );
  });

  test('as names of sources and Descriptions in Consul neither throw nor make a foreign source ours', () => {
    fc.assert(
      fc.property(hostileText, hostileText, (name, description) => {
        const stranger: IntentionSource = {
          ...named(name),
          description: `x${description}`,
          access: { kind: 'allow' },
          isLegacy: false,
          raw: {},
        };
        const entry: IntentionEntry = {
          destination: named('orders'),
          sources: [stranger],
          meta: {},
          modifyIndex: 1,
          raw: {},
        };
        const it = scene({ mapping: literal, entries: new Map([[keyOf('orders'), entry]]) });
        const after = sceneAfter(it, plansOf(it));
        expect(after.entries.get(keyOf('orders'))?.sources[0]).toBe(stranger);
      }),
      { numRuns: 500 },
    );
  });
});
