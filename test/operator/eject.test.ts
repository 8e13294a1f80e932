import { describe, expect, it } from 'vitest';
import { planAclEjection } from '../../src/acl/plan/plan-acl-ejection.js';
import type { AclObject, AclRole, AclSnapshot, Stored } from '../../src/model/acl.js';
import { localPerson } from '../../src/model/cause.js';
import { ejectAcl, forgetWritten } from '../../src/operator/eject.js';
import { depsOf, worldWithTwo } from '../reconcile/deps.js';

const NEVER = new AbortController().signal;
const cause = { kind: 'command', receivedAt: '2026-01-01T00:00:00Z', principal: localPerson('ada') } as const;

function snapshotOf(role: Partial<AclRole>, isAltered = false): AclSnapshot {
  const object = {
    name: 'scopemesh-pay-main-web',
    description: 'scopemesh:pay client=main/web',
    policies: [],
    serviceIdentities: ['web'],
    ...role,
  };
  const stored: Stored<AclRole> = { id: 'r1', object, isAltered, modifyIndex: 7 };
  return { policies: [], roles: [stored], authMethods: [], bindingRules: [] };
}

/** Ejects the role that was read first, from a Consul that has `now`. */
async function ejected(now: AclSnapshot) {
  const { deps } = depsOf(worldWithTwo(), {});
  const written: AclObject[] = [];
  const acl = {
    ...deps.consul.acl,
    readNamed: async () => now,
    async write(id: string | undefined, object: AclObject) {
      written.push(object);
      return { id: id ?? '', object: object.object, isAltered: false, modifyIndex: 9 };
    },
  };
  const [first] = planAclEjection('pay', snapshotOf({}));
  if (first === undefined) throw new Error('no mark');
  const end = ejectAcl(first.change, cause, { ...deps, consul: { ...deps.consul, acl } }, NEVER);
  return { end: await end.catch((error: Error) => error.message), written: written.map((it) => it.object) };
}

describe('the ejection of an ACL object', () => {
  it.each([
    ['acl-policy', 'scopemesh-pay-a', [[], ['scopemesh-pay-a']]],
    ['acl-role', 'scopemesh-pay-a', [['scopemesh-pay-a'], []]],
    ['acl-binding-rule', 'scopemesh-pay-a/web', [['scopemesh-pay-a'], []]],
  ] as const)('reads %s again by its name, or by that of its auth method', async (kind, name, asked) => {
    const { deps } = depsOf(worldWithTwo(), {});
    const read: unknown[] = [];
    const readNamed = async (...[names, policies]: readonly unknown[]) => {
      read.push(names, policies);
      return { ...snapshotOf({}), roles: [] };
    };
    const consul = { ...deps.consul, acl: { ...deps.consul.acl, readNamed } };
    const [first] = planAclEjection('pay', snapshotOf({}));
    if (first === undefined) throw new Error('no mark');
    const planned = { ...first.change, resource: { ...first.change.resource, kind, name } };
    expect(await ejectAcl(planned, cause, { ...deps, consul }, NEVER)).toBe(0);
    expect(read).toEqual(asked);
  });

  it('writes what the object has now', async () => {
    const { end, written } = await ejected(snapshotOf({ serviceIdentities: [] }));
    expect(end).toBe(1);
    expect(written).toMatchObject([{ description: '', serviceIdentities: [] }]);
  });

  it('leaves an object that lost its mark meanwhile', async () => {
    expect(await ejected(snapshotOf({ description: 'mine' }))).toEqual({ end: 0, written: [] });
  });

  it('leaves the mark of an object with content that a write would lose', async () => {
    expect(planAclEjection('pay', snapshotOf({}, true))).toMatchObject([{ why: expect.any(String) }]);
    const { end, written } = await ejected(snapshotOf({}, true));
    expect([end, written]).toEqual([expect.stringContaining('would lose'), []]);
  });
});

it('forgets what was read without a mark, and nothing that Consul did not show', async () => {
  const { deps } = depsOf(worldWithTwo(), {});
  const forgotten: unknown[] = [];
  const journal = {
    ...deps.journal,
    readAll: async () =>
      new Map([
        [
          'a',
          {
            pending: [],
            holds: new Map(),
            lastApplied: new Map([
              ['intention/a', 'x'],
              ['intention/b', 'x'],
            ]),
          },
        ],
        ['b', { pending: [], holds: new Map(), lastApplied: new Map([['intention/c', 'x']]) }],
      ]),
    settle: async (...settled: readonly unknown[]) => void forgotten.push(settled),
  };
  await forgetWritten({ journal }, new Set(['intention/b']));
  expect(forgotten).toEqual([['a', [], { lastApplied: new Map([['intention/b', null]]) }]]);
});
