import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { AclPlan } from '../../../src/acl/plan/acl-change.js';
import { diffAcl } from '../../../src/acl/plan/diff-acl.js';
import type { DesiredAcl } from '../../../src/acl/plan/login.js';
import { orphans } from '../../../src/acl/plan/tokens.js';
import type { Mode } from '../../../src/model/rule.js';
import { policyOf } from '../../../src/plan/mode.js';
import { isOurs } from '../../../src/plan/object-names.js';
import { runsOf } from '../../support/soak.js';
import { because } from './acl-scene.js';
import { AclStore } from './acl-store.js';
import { PRINCIPALS, someDesired, someForeign, someTampering } from './acl-worlds.js';

function planOf(store: AclStore, desired: DesiredAcl, mode: Mode = 'enforce', owner = 'pay'): AclPlan {
  return diffAcl({
    owner,
    ...policyOf({ mode }),
    desired,
    actual: store.snapshot(),
    mayRemove: () => true,
    why: because,
    lastApplied: new Map(),
  });
}

/** A store that was made to be `before`, then tampered with, with everybody logged in at both times. */
const someStory = fc
  .record({
    before: someDesired,
    after: someDesired,
    tamperings: fc.array(someTampering, { maxLength: 3 }),
    foreign: fc.array(someForeign, { maxLength: 1 }),
  })
  .map(({ before, after, tamperings, foreign }) => {
    const store = new AclStore();
    store.put(before);
    store.mint(PRINCIPALS);
    for (const tampering of [...tamperings, ...foreign]) tampering(store);
    store.mint(PRINCIPALS);
    return { store, before, after, isAlone: foreign.length === 0 };
  });

/** What the reaper finds: somebody may have taken away the mark of a role, and then the rule that gave it. */
function reap(store: AclStore): void {
  for (const id of orphans(store.listTokens(), 'pay', store.snapshot())) store.tokens.delete(id);
}

function isWithin(power: ReadonlySet<string>, ...outer: readonly ReadonlySet<string>[]): boolean {
  return [...power].every((each) => outer.some((set) => set.has(each)));
}

const RUNS = runsOf(80, 25);

describe('an ACL plan', () => {
  test('leaves nothing to do after it was applied', () => {
    fc.assert(
      fc.property(someStory, ({ store, after }) => {
        for (const { step } of planOf(store, after).changes) store.take(step);
        expect(planOf(store, after).changes).toEqual([]);
      }),
      RUNS,
    );
  });

  test('makes Consul equal to the desired state if there are no foreign objects', () => {
    fc.assert(
      fc.property(someStory, ({ store, after, isAlone }) => {
        fc.pre(isAlone);
        for (const { step } of planOf(store, after).changes) store.take(step);
        const fresh = new AclStore();
        fresh.put(after);
        for (const principal of PRINCIPALS)
          expect([...store.powerByLogin(principal)].toSorted()).toEqual(
            [...fresh.powerByLogin(principal)].toSorted(),
          );
        expect(store.policies.size).toBe(fresh.policies.size);
        expect(store.roles.size).toBe(fresh.roles.size);
        expect(store.rules.size).toBe(fresh.rules.size);
      }),
      RUNS,
    );
  });

  test('never gives anybody more than the old state or the new one, after any number of its steps', () => {
    fc.assert(
      fc.property(someStory, ({ store, after }) => {
        const { changes } = planOf(store, after);
        const [old, done] = [store.clone(), store.clone()];
        for (const { step } of changes) done.take(step);
        const tokens = new Map([...store.tokens].map(([id, token]) => [id, store.powerOf(token.roles)]));
        for (const { step } of changes) {
          store.take(step);
          for (const principal of PRINCIPALS)
            expect(
              isWithin(
                store.powerByLogin(principal),
                old.powerByLogin(principal),
                done.powerByLogin(principal),
              ),
            ).toBe(true);
          // A live token has what it had, or what its holder would get now.
          for (const [id, token] of store.tokens)
            expect(
              isWithin(
                store.powerOf(token.roles),
                tokens.get(id) ?? new Set(),
                done.powerByLogin(token.principal),
              ),
            ).toBe(true);
        }
      }),
      RUNS,
    );
  });

  test('has removed everything that must go before it opens anything', () => {
    fc.assert(
      fc.property(someStory, ({ store, after }) => {
        const { changes } = planOf(store, after);
        const done = store.clone();
        for (const { step } of changes) done.take(step);
        const first = changes.findIndex((change) => change.widens);
        expect(changes.slice(first === -1 ? changes.length : first).some((change) => change.narrows)).toBe(
          false,
        );
        for (const { step } of changes.slice(0, first === -1 ? changes.length : first)) store.take(step);
        reap(store);
        for (const principal of PRINCIPALS)
          expect(isWithin(store.powerByLogin(principal), done.powerByLogin(principal))).toBe(true);
        for (const token of store.tokens.values())
          expect(isWithin(store.powerOf(token.roles), done.powerByLogin(token.principal))).toBe(true);
      }),
      RUNS,
    );
  });

  test('leaves no live token with more than its holder gets by a new login, nor for longer', () => {
    fc.assert(
      fc.property(someStory, ({ store, after }) => {
        for (const { step } of planOf(store, after).changes) store.take(step);
        reap(store);
        for (const token of store.tokens.values()) {
          expect(isWithin(store.powerOf(token.roles), store.powerByLogin(token.principal))).toBe(true);
          const method = after.authMethods.find(({ name }) => name === token.authMethod);
          if (method !== undefined && isOursIn(store, method.name))
            expect(token.lifeSeconds > 0 && token.lifeSeconds <= method.maxTokenTtlSeconds).toBe(true);
        }
      }),
      RUNS,
    );
  });

  test('touches nothing of another owner, also of one whose name begins with ours', () => {
    fc.assert(
      fc.property(someStory, someDesired, ({ store }, theirs) => {
        for (const each of ['payments', 'pay-ments'])
          expect(planOf(store, theirs, 'enforce', each).changes.every(({ verb }) => verb === 'created')).toBe(
            true,
          );
        const unmarked = store.snapshot();
        const foreign = [...unmarked.policies, ...unmarked.roles, ...unmarked.authMethods].filter(
          ({ object }) => !isOurs('pay', object.name, object.description),
        );
        const ids = new Set(foreign.map(({ id }) => id));
        for (const { step } of planOf(store, theirs).changes)
          if (step.do !== 'end-tokens') expect(ids.has(step.id ?? '')).toBe(false);
      }),
      RUNS,
    );
  });

  test('takes nothing from anybody in mode extend', () => {
    fc.assert(
      fc.property(someStory, ({ store, after }) => {
        const plan = planOf(store, after, 'extend');
        const old = store.clone();
        for (const { step, narrows } of plan.changes) {
          expect(narrows).toBe(false);
          store.take(step);
          expect(store.tokens.size).toBe(old.tokens.size);
          for (const principal of PRINCIPALS)
            expect(isWithin(old.powerByLogin(principal), store.powerByLogin(principal))).toBe(true);
          for (const token of store.tokens.values())
            expect(isWithin(old.powerOf(token.roles), store.powerOf(token.roles))).toBe(true);
        }
        expect(planOf(store, after, 'extend').changes).toEqual([]);
      }),
      RUNS,
    );
  });

  test('grants nothing more in mode extend to anybody who should have nothing, for every foreign change', () => {
    fc.assert(
      fc.property(someStory, ({ store, after }) => {
        const [old, desired] = [store.clone(), new AclStore()];
        desired.put(after);
        for (const { step } of planOf(store, after, 'extend').changes) store.take(step);
        for (const principal of PRINCIPALS.filter((each) => desired.powerByLogin(each).size === 0))
          expect(isWithin(store.powerByLogin(principal), old.powerByLogin(principal))).toBe(true);
      }),
      RUNS,
    );
  });

  test('removes nothing that may not go', () => {
    fc.assert(
      fc.property(someStory, ({ store, after }) => {
        const names = new Set(
          [...after.roles, ...after.authMethods, ...after.policies].map(({ name }) => name),
        );
        const plan = diffAcl({
          owner: 'pay',
          plansNarrowing: true,
          desired: after,
          actual: store.snapshot(),
          mayRemove: () => false,
          why: because,
          lastApplied: new Map(),
        });
        for (const { step } of plan.changes)
          if (step.do === 'delete' && step.kind !== 'acl-binding-rule')
            expect(names.has(step.name)).toBe(true);
      }),
      RUNS,
    );
  });

  test('is the same for every order of its input', () => {
    fc.assert(
      fc.property(someStory, ({ store, after }) => {
        const actual = store.snapshot();
        const reversed: DesiredAcl = {
          policies: after.policies.toReversed(),
          roles: after.roles.toReversed(),
          authMethods: after.authMethods.toReversed(),
          bindingRules: after.bindingRules.toReversed(),
        };
        const input = { owner: 'pay', plansNarrowing: true, mayRemove: () => true, why: because };
        const one = diffAcl({ ...input, desired: after, actual, lastApplied: new Map() });
        const other = diffAcl({
          ...input,
          desired: reversed,
          actual: {
            policies: actual.policies.toReversed(),
            roles: actual.roles.toReversed(),
            authMethods: actual.authMethods.toReversed(),
            bindingRules: actual.bindingRules.toReversed(),
          },
          lastApplied: new Map(),
        });
        expect(other).toEqual(one);
      }),
      RUNS,
    );
  });
});

function isOursIn(store: AclStore, name: string): boolean {
  const method = store.methods.get(name.toLowerCase());
  return method !== undefined && isOurs('pay', method.name, method.description);
}
