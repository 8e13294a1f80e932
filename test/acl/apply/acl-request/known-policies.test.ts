import { describe, expect, it } from 'vitest';
import { applyAcl } from '../../../../src/acl/apply/apply-acl.js';
import { NEVER } from '../../../apply/apply-rig.js';
import { application, failed, gain, memoryAcl, POLICY, policy, role, WEB } from '../memory-acl.js';

describe('a policy that clients share', () => {
  const create = () => application([gain.create(policy())]);

  it('is created once where two jobs want it', async () => {
    const consul = memoryAcl();
    await Promise.all([applyAcl(create(), consul.deps, NEVER), applyAcl(create(), consul.deps, NEVER)]);
    expect(consul.requests()).toEqual([`create acl-policy-${POLICY}`]);
    expect(consul.settled).toHaveLength(1);
    expect(consul.pending.size).toBe(0);
  });

  it.each([
    ['has other rules', policy({ rules: '{}' })],
    ['is not ours', policy({ description: 'Mine' })],
  ])('is written where the one that is known %s', async (_how, known) => {
    const consul = memoryAcl();
    consul.known(known);
    await applyAcl(create(), consul.deps, NEVER);
    expect(consul.objects.get(`acl-policy-${POLICY}`)).toEqual(policy());
  });

  it('is made where Consul refuses it because another writer made the same at that moment', async () => {
    const consul = memoryAcl();
    consul.before = async (line) => {
      if (!line.startsWith('create')) return;
      consul.put(policy());
      throw failed('ERR_CONSUL_REJECTED', 'exists');
    };
    await applyAcl(create(), consul.deps, NEVER);
    expect(consul.settled).toMatchObject([
      { outcome: 'applied', detail: 'another writer made the same policy at the same moment' },
    ]);
    expect(consul.deps.acl.cache.policies.get(POLICY)?.object).toEqual(policy().object);
  });

  it.each([
    ['what another writer made is another', 'ERR_CONSUL_REJECTED', [policy({ rules: '{}' })]],
    ['nothing is there', 'ERR_CONSUL_REJECTED', []],
    ['the answer was lost', 'ERR_TIMEOUT', [policy()]],
  ] as const)('is not made where %s', async (_why, code, there) => {
    const consul = memoryAcl();
    consul.before = async (line) => {
      if (!line.startsWith('create')) return;
      consul.put(...there);
      throw failed(code);
    };
    await expect(applyAcl(create(), consul.deps, NEVER)).rejects.toMatchObject({ code });
    expect(consul.settled.map(({ outcome }) => outcome)).toEqual(code === 'ERR_TIMEOUT' ? [] : ['failed']);
    expect(consul.requests().filter((line) => line.startsWith('read'))).toHaveLength(
      code === 'ERR_TIMEOUT' ? 0 : 1,
    );
  });

  it('is not asked for where a refused write is no creation of one', async () => {
    const consul = memoryAcl();
    consul.put(policy(), role());
    consul.before = () => Promise.reject(failed('ERR_CONSUL_REJECTED'));
    const update = gain.update(`acl-policy-${POLICY}`, policy(), policy({ rules: '{}' }).object, 'widens');
    for (const change of [update, gain.create(role())])
      await expect(applyAcl(application([change]), consul.deps, NEVER)).rejects.toThrow('no');
    expect(consul.requests()).toEqual([`replace acl-policy-${POLICY}`, `create acl-role-${WEB}`]);
  });

  it('is replaced without waiting for other jobs, for only its own may', async () => {
    const consul = memoryAcl();
    consul.known(policy());
    const update = gain.update(`acl-policy-${POLICY}`, policy(), policy({ rules: '{}' }).object, 'widens');
    await applyAcl(application([update]), consul.deps, NEVER);
    expect(consul.requests()).toEqual([`replace acl-policy-${POLICY}`]);
  });
});
