import { expect, it } from 'vitest';
import { tolerateDenied } from '../../../src/acl/apply/tolerate-denied.js';
import { mapping } from '../../plan/scene.js';
import { failed, memoryAcl } from './memory-acl.js';

const denied = () => Promise.reject(failed('ERR_CONSUL_DENIED'));

it('work that Consul denies is given up, counted and logged where the mapping wants no ACL objects any more', async () => {
  const consul = memoryAcl();
  expect(await tolerateDenied(denied, consul.deps)).toBeUndefined();
  expect(consul.counted).toEqual(['scopemesh_acl_cleanup_denied_total 1']);
  expect(consul.warnings).toEqual([expect.stringContaining('give it acl:write once more')]);
});

it('work that Consul denies fails where the mapping wants ACL objects', async () => {
  const { deps } = memoryAcl();
  const world = { ...deps.world, mapping: mapping({ acl: { ...mapping().acl, login: true } }) };
  await expect(tolerateDenied(denied, { ...deps, world })).rejects.toMatchObject({
    code: 'ERR_CONSUL_DENIED',
  });
});

it.each([failed('ERR_CONSUL_UNREACHABLE'), new Error('a fault')])(
  'any other error is thrown: %s',
  async (error) => {
    const consul = memoryAcl();
    await expect(tolerateDenied(() => Promise.reject(error), consul.deps)).rejects.toBe(error);
    expect(consul.counted).toEqual([]);
  },
);

it('work that succeeds gives its result', async () => {
  const consul = memoryAcl();
  expect(await tolerateDenied(async () => 'made', consul.deps)).toBe('made');
  expect(consul.warnings).toEqual([]);
});
