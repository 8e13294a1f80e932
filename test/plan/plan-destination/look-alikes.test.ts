import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { clientKey, formatKey, parseKey } from '../../../src/model/key.js';
import { parseGrantText, toGrantText } from '../../../src/plan/grant-text.js';
import { openingsOf } from '../../../src/plan/openings.js';
import { clientText } from '../../../src/plan/world.js';
import { claiming, client, mapping, planOf, rule, scene } from '../scene.js';

/** Texts that look alike, fold alike, normalise alike, or hold what separates parts elsewhere. */
const alike = fc.constantFrom(
  'main',
  'Main',
  'MAIN',
  'main ',
  ' main',
  'ma\u0131n',
  'm\u0430in',
  'main\u200b',
  'main\u0000',
  'main/web',
  'main%2Fweb',
  'main%2fweb',
  'main~',
  '~id/main',
  '["main"]',
  '["main","web"]',
  'main","web',
  '\u00e9',
  'e\u0301',
  '\ufb01n',
  'fin',
  '',
);
const two = fc.tuple(alike, alike).filter(([a, b]) => a !== b);

describe('Names that look alike never mix', () => {
  test('scopes of one provider open nothing for a client of another', () => {
    fc.assert(
      fc.property(
        two,
        alike,
        alike,
        alike,
        fc.option(alike, { nil: undefined }),
        (names, id, scope, to, api) => {
          const [ruled, other] = names;
          const owned = api === undefined ? {} : { api };
          const rules = [
            rule('*', 'orders', { provider: ruled, ...owned }),
            rule('*', to, { provider: ruled, ...owned }),
          ];
          const grants = [{ name: scope, ...owned }];
          const of = (provider: string) =>
            openingsOf(client(id, [], { provider, grants }), mapping({ rules, providers: names }));
          expect(of(ruled).openings).not.toEqual([]);
          expect(of(other)).toMatchObject({ openings: [], held: [], limited: [] });
        },
      ),
    );
  });

  test('scopes of one API open nothing at a rule about another', () => {
    fc.assert(
      fc.property(two, alike, (apis, scope) => {
        const [ruled, other] = apis;
        const rules = [rule('*', 'orders', { api: ruled })];
        const of = (api?: string) =>
          openingsOf(
            client('web', [], { grants: [{ name: scope, ...(api === undefined ? {} : { api }) }] }),
            mapping({ rules }),
          ).openings.length;
        expect([of(ruled), of(other), of()]).toEqual([1, 0, 0]);
      }),
    );
  });

  test('a service that claims a client of one provider gets nothing that one of another holds', () => {
    fc.assert(
      fc.property(two, alike, (names, clientId) => {
        const [claimed, other] = names;
        const holder = client(clientId, ['orders'], {
          provider: other,
          attributes: { 'consul-services': 'web' },
        });
        const [instance] = claiming('web', clientId).instances;
        if (instance === undefined) return;
        const rules = names.map((provider) => rule('orders', 'orders', { provider }));
        const changes = (provider: string) => {
          const meta = { ...instance.meta, 'oauth-provider': provider };
          const services = [{ ...claiming('web'), instances: [{ ...instance, meta }] }];
          const all = mapping({ providers: names, rules });
          return planOf(scene({ mapping: all, clients: [holder], services })).changes;
        };
        expect(changes(claimed)).toEqual([]);
        if (/^\w+$/.test(other) && /^\w+$/.test(clientId)) expect(changes(other)).toHaveLength(1);
      }),
    );
  });

  test('two clients have two keys, and two scopes two texts', () => {
    fc.assert(
      fc.property(alike, alike, alike, alike, (a, b, c, d) => {
        const isSame = a === c && b === d;
        expect(formatKey(clientKey(a, b)) === formatKey(clientKey(c, d))).toBe(isSame);
        expect(clientText({ provider: a, clientId: b }) === clientText({ provider: c, clientId: d })).toBe(
          isSame,
        );
        const texts = [toGrantText({ api: a, name: b }), toGrantText({ api: c, name: d })];
        expect(texts[0] === texts[1]).toBe(isSame);
        expect(toGrantText({ name: a })).not.toBe(toGrantText({ api: c, name: d }));
        expect(toGrantText({ name: a }) === toGrantText({ name: c })).toBe(a === c);
      }),
    );
  });

  test('a key and a scope come back from their texts', () => {
    fc.assert(
      fc.property(alike, alike, (a, b) => {
        expect(parseKey(formatKey(clientKey(a, b)))).toEqual(clientKey(a, b));
        expect(parseGrantText(toGrantText({ api: a, name: b }))).toEqual({ api: a, name: b });
        expect(parseGrantText(toGrantText({ name: a }))).toEqual({ name: a });
      }),
    );
  });
});
