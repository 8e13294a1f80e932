import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AclCache } from '../../../src/acl/state/acl-cache.js';
import { AclOwners } from '../../../src/acl/state/acl-owners.js';
import { guardableOrphans, guardableUnlinked } from '../../../src/acl/state/guard-left.js';
import type { AclSnapshot } from '../../../src/model/acl.js';
import type { GuardFacts } from '../../../src/plan/guards/guard.js';
import { guard } from '../../../src/plan/guards/guards.js';
import { policyOf } from '../../../src/plan/mode.js';
import { clientName } from '../../../src/plan/object-names.js';
import { WorldState } from '../../../src/state/world-state.js';
import { NOTHING_IN_THE_WAY } from '../../plan/guarded.js';
import { client, mapping, NOW, SETTINGS } from '../../plan/scene.js';
import { method, POLICY, policy } from '../apply/memory-acl.js';

const idOf = (at: number) => `client ${at} ß`;
const nameOf = (at: number) => clientName('pay', { provider: 'main', clientId: idOf(at) });
const subjectOf = (at: number) => `acl-role/${nameOf(at)}`;
const stored = <T>(name: string, object: T) => ({ id: name, isAltered: false, modifyIndex: 1, object });

/** Objects of clients that no Description names and nobody knows, and a policy that nothing links. */
function worldOf(count: number, mode: 'enforce' | 'observe' | 'extend' = 'enforce') {
  const world = new WorldState(mapping({ mode }), SETTINGS);
  world.putDirectory('main', [], world.beginRead(), NOW);
  const cache = new AclCache();
  const names = Array.from({ length: count }, (_, at) => nameOf(at));
  const description = 'scopemesh:pay';
  cache.replaceAll(
    {
      roles: names.map((name) => stored(name, { name, description, policies: [], serviceIdentities: [] })),
      policies: [stored(POLICY, policy().object)],
      authMethods: [],
      bindingRules: names.map((name) =>
        stored(`rule ${name}`, {
          description,
          authMethod: name,
          bindType: 'role' as const,
          bindName: name,
          selector: '',
        }),
      ),
    },
    1,
  );
  return { world, acl: { cache, owners: new AclOwners(cache) } };
}

function orphansOf(...args: Parameters<typeof worldOf>) {
  const kind = guardableOrphans(worldOf(...args));
  if (kind === undefined) throw new Error('unknown');
  return kind;
}

const budgetOf = (planned: number, limit: number): GuardFacts['budget'] => ({
  ownedAtStart: 100,
  used: 0,
  planned,
  maxRevocations: { percent: 0, atLeast: limit, windowMs: 600_000 },
});
const ruling = (verdict: 'approved' | 'rejected') => ({
  verdict,
  by: { id: 'ann' },
  at: '2026-01-01T00:00:00Z',
});
const rolesOf = (changes: readonly { readonly subject: string }[]) =>
  changes.flatMap(({ subject }) => (subject.startsWith('acl-role/') ? subject : [])).toSorted();

describe('objects of unknown clients before the guards', () => {
  it('are one loss each, which names what is lost and nobody', () => {
    const { losses } = orphansOf(2);
    expect(losses.map(({ subject }) => subject).toSorted()).toEqual([subjectOf(0), subjectOf(1)].toSorted());
    expect(losses.find(({ subject }) => subject === subjectOf(0))?.hold).toEqual({
      subject: subjectOf(0),
      resource: { kind: 'acl-role', name: nameOf(0) },
      reason: 'RevocationLimit',
      detail: 'approved',
      action: 'revoke',
      scopes: [],
    });
  });

  it('are undecided while their directory is not read, and leave out what the jobs of clients hold', () => {
    const of = worldOf(2);
    const left = guardableOrphans(of, new Set([subjectOf(0)]));
    expect(left?.losses.map(({ subject }) => subject)).toEqual([subjectOf(1)]);
    of.world.forgetDirectory('main');
    expect(guardableOrphans(of)).toMatchObject({ losses: [], plan: { changes: [], holds: [] } });
  });

  it('end with the read of their client, also after they were planned', () => {
    const of = worldOf(2);
    const kind = guardableOrphans(of);
    of.world.putClient({ provider: 'main', clientId: idOf(0) }, client(idOf(0), []), of.world.beginRead());
    const still = kind?.plan.changes.filter((change) => kind.isStill(change)) ?? [];
    expect(rolesOf(still)).toEqual([subjectOf(1)]);
  });

  it('end so also if a person approved their removal', () => {
    const of = worldOf(2);
    const kind = guardableOrphans(of);
    if (kind === undefined) throw new Error('unknown');
    const rulings = new Map([0, 1].map((at) => [subjectOf(at), ruling('approved')]));
    const { changes } = guard(kind, { ...NOTHING_IN_THE_WAY, rulings, budget: budgetOf(2, 0) });
    expect(new Set(changes.map(({ approvedBy }) => approvedBy?.id))).toEqual(new Set(['ann']));
    expect(changes.every((change) => kind.isStill(change))).toBe(true);
    of.world.putClient({ provider: 'main', clientId: idOf(0) }, client(idOf(0), []), of.world.beginRead());
    const still = changes.filter((change) => kind.isStill(change));
    expect(rolesOf(still)).toEqual([subjectOf(1)]);
    expect(changes.length).toBe(2 * still.length);
  });

  it('are removed no longer if no plan of theirs has them', () => {
    const [change] = orphansOf(2).plan.changes;
    const other = orphansOf(0);
    if (change === undefined) throw new Error('nothing is planned');
    expect([other.isStill(change), other.byOrphan([change])]).toEqual([false, []]);
    expect(other.approved(change, new Map([[subjectOf(0), { id: 'ann' }]]))).toEqual(change);
  });

  it('are unknown while not all objects are read', () => {
    const { world } = worldOf(0);
    const cache = new AclCache();
    expect(guardableOrphans({ world, acl: { cache, owners: new AclOwners(cache) } })).toBeUndefined();
  });

  it('are removed name by name, those without a change left out', () => {
    const kind = orphansOf(3);
    const some = kind.plan.changes.filter(({ subject }) => !subject.includes(nameOf(1)));
    const parts = kind.byOrphan(some);
    expect(parts.map(({ subject }) => subject).toSorted()).toEqual([subjectOf(0), subjectOf(2)].toSorted());
    for (const { subject, name, changes } of parts) {
      expect(`acl-role/${name}`).toBe(subject);
      expect(changes.length).toBe(some.length / 2);
      expect(changes.every((change) => change.subject.includes(name))).toBe(true);
    }
  });

  it('are removed up to the limit, beyond it as a whole held, and each approved one is removed, for all counts', () => {
    const cases = fc.record({
      count: fc.integer({ min: 1, max: 6 }),
      limit: fc.integer({ min: 0, max: 6 }),
      verdicts: fc.dictionary(
        fc.constantFrom('0', '1', '2', '3', '4', '5'),
        fc.constantFrom('approved', 'rejected'),
      ),
    });
    fc.assert(
      fc.property(cases, ({ count, limit, verdicts }) => {
        const kind = orphansOf(count);
        const rulings = new Map(
          Object.entries(verdicts).map(([at, verdict]) => [
            subjectOf(Number(at)),
            ruling(verdict === 'approved' ? 'approved' : 'rejected'),
          ]),
        );
        const facts = { ...NOTHING_IN_THE_WAY, rulings, budget: budgetOf(count, limit) };
        const { changes, holds, counted, used } = guard(kind, facts);
        const all = Array.from({ length: count }, (_, at) => subjectOf(at));
        const isRemoved = (subject: string) => {
          const verdict = rulings.get(subject)?.verdict;
          return verdict === undefined ? count <= limit : verdict === 'approved';
        };
        expect(rolesOf(changes)).toEqual(all.filter(isRemoved).toSorted());
        expect([...counted].toSorted()).toEqual(all.filter(isRemoved).toSorted());
        expect(holds.map(({ subject }) => subject).toSorted()).toEqual(
          all.filter((subject) => !isRemoved(subject)).toSorted(),
        );
        expect(holds.every(({ reason }) => reason === 'RevocationLimit')).toBe(true);
        const approved = all.filter((subject) => rulings.get(subject)?.verdict === 'approved').toSorted();
        expect(used.map(({ subject }) => subject).toSorted()).toEqual(approved);
        for (const change of changes) {
          const isApproved = approved.some((subject) => change.resource.name?.startsWith(subject.slice(9)));
          expect(change.approvedBy?.id).toBe(isApproved ? 'ann' : undefined);
        }
      }),
    );
  });

  it('are removed in a freeze and while the store is low, and not in the modes observe and extend', () => {
    const facts = (mode: 'enforce' | 'observe' | 'extend', changes: Partial<GuardFacts> = {}) => ({
      ...NOTHING_IN_THE_WAY,
      policy: policyOf({ mode }),
      ...changes,
    });
    const freeze = { kind: 'started', since: NOW } as const;
    const narrowed = guard(orphansOf(1), facts('enforce', { freeze, isStoreLow: true }));
    expect(rolesOf(narrowed.changes)).toEqual([subjectOf(0)]);
    for (const mode of ['observe', 'extend'] as const) {
      const { changes, holds, counted } = guard(orphansOf(1, mode), facts(mode));
      expect(changes).toEqual([]);
      expect(holds.length).toBeGreaterThan(0);
      expect(holds.every(({ reason }) => reason === 'ModeForbids')).toBe(true);
      expect(counted).toEqual(mode === 'observe' ? [subjectOf(0)] : []);
    }
  });
});

describe('what is left of a removal that was planned', () => {
  type Known = ReturnType<typeof worldOf>;
  /** Another read shows these of the objects. */
  const read = ({ acl, world }: Known, change: (all: AclSnapshot) => Partial<AclSnapshot>) => {
    const all = acl.cache.snapshot(acl.cache.owned.keys(), []);
    acl.cache.replaceAll({ ...all, ...change(all) }, world.beginRead());
  };
  const METHODS = [0, 1].map((at) =>
    stored(nameOf(at), { ...method().object, name: nameOf(at), description: 'scopemesh:pay' }),
  );
  /** The removal of the first of two, with who approved that of its role, after `happen`. */
  function left(happen: (of: Known) => void, authMethods: AclSnapshot['authMethods'] = METHODS) {
    const of = worldOf(2);
    read(of, () => ({ authMethods }));
    const kind = guardableOrphans(of);
    const [orphan] = kind?.byOrphan(kind.plan.changes) ?? [];
    if (kind === undefined || orphan === undefined) throw new Error('nothing is left');
    const planned = orphan.changes.map((each) =>
      each.subject === orphan.subject ? { ...each, approvedBy: { id: 'ann' } } : each,
    );
    happen(of);
    return { planned, present: kind.present({ ...orphan, changes: planned }) };
  }

  it('is all of it if nothing changed, with the name of who approved it', () => {
    const { planned, present } = left(() => {});
    expect(new Set(planned.map(({ approvedBy }) => approvedBy?.id))).toEqual(new Set([undefined, 'ann']));
    expect(present).toEqual(planned);
  });

  it('is what still exists', () => {
    const { planned, present } = left((of) => read(of, () => ({ roles: [] })));
    expect(present).toEqual(planned.filter(({ subject }) => subject.startsWith('acl-auth-method/')));
    expect(present?.length).toBe(1);
  });

  it('is nothing once all of it is gone', () => {
    const { present } = left((of) => read(of, () => ({ roles: [], authMethods: [], bindingRules: [] })));
    expect(present).toEqual([]);
  });

  it('is planned again if one of its objects was replaced', () => {
    const renewed = ({ roles }: AclSnapshot) => ({ roles: roles.map((each) => ({ ...each, id: 'new' })) });
    expect(left((of) => read(of, renewed)).present).toBeUndefined();
  });

  it('has no object that is new', () => {
    const { planned, present } = left((of) => read(of, () => ({ authMethods: METHODS })), []);
    expect(present).toEqual(planned);
  });

  it('is planned again once its client is read, or the mode removes nothing', () => {
    const clients = [0, 1].map((at) => client(idOf(at), []));
    const known = left(({ world }) => world.putDirectory('main', clients, world.beginRead(), NOW));
    expect(known.present).toBeUndefined();
    expect(left(({ world }) => world.setMapping(mapping({ mode: 'extend' }))).present).toBeUndefined();
  });
});

describe('policies that nothing links before the guards', () => {
  const guarded = (mode: 'enforce' | 'observe' | 'extend', facts: Partial<GuardFacts> = {}) => {
    const kind = guardableUnlinked([], worldOf(0, mode));
    expect(kind.losses).toEqual([]);
    const { changes, holds } = guard(kind, { ...NOTHING_IN_THE_WAY, policy: policyOf({ mode }), ...facts });
    return [changes.map(({ verb }) => verb), holds.map(({ reason }) => reason)];
  };

  it('are removed beyond the limit too, for nobody loses anything', () => {
    expect(guarded('enforce', { budget: budgetOf(9, 0) })).toEqual([['deleted'], []]);
  });

  it('stay where the mode removes nothing, and during a freeze', () => {
    expect(guarded('observe')).toEqual([[], ['ModeForbids']]);
    expect(guarded('extend')).toEqual([[], ['ModeForbids']]);
    expect(guarded('enforce', { freeze: { kind: 'started', since: NOW } })).toEqual([[], ['Frozen']]);
  });

  it('wait without a hold while the store is low', () => {
    expect(guarded('enforce', { isStoreLow: true })).toEqual([[], []]);
  });
});
