import { expect, it } from 'vitest';
import { isOfOneObject, reportRefusals } from '../../../src/acl/apply/refusals.js';
import { failed, memoryAcl } from './memory-acl.js';

it('only a refusal and a conflict are about one object', () => {
  const codes = ['ERR_CONSUL_DENIED', 'ERR_CONSUL_REJECTED', 'ERR_CONSUL_CONFLICT'] as const;
  expect(codes.map((code) => isOfOneObject(failed(code)))).toEqual([true, true, true]);
  for (const error of [failed('ERR_CONSUL_UNREACHABLE'), failed('ERR_TIMEOUT'), new Error('x'), undefined])
    expect(isOfOneObject(error)).toBe(false);
});

it('the refusals of one comparison are one warning, and each denial is counted', () => {
  const consul = memoryAcl();
  reportRefusals([], consul.deps);
  expect([consul.warnings, consul.counted]).toEqual([[], []]);
  reportRefusals([failed('ERR_CONSUL_CONFLICT')], consul.deps);
  expect([consul.warnings.length, consul.counted]).toEqual([1, []]);
  reportRefusals([failed('ERR_CONSUL_DENIED'), failed('ERR_CONSUL_DENIED')], consul.deps);
  expect([consul.warnings.length, consul.counted]).toEqual([2, ['scopemesh_acl_cleanup_denied_total 2']]);
});
