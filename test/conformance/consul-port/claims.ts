import { expect, it } from 'vitest';
import type { ClaimRecord } from '../../../src/model/catalog.js';
import { failureOf } from '../../support/failure-of.js';
import { type ConsulRig, indexOf, nameOf, never } from './rig.js';

export function claims(theRig: () => ConsulRig): void {
  const claim = (clientId: string): Omit<ClaimRecord, 'modifyIndex'> => ({
    provider: 'main',
    clientId,
    service: nameOf('web'),
  });

  it('the first to create a record keeps it', async () => {
    const { consul, fresh } = theRig();
    const first = claim(fresh('client'));
    const created = await consul.claims.create(first, never);
    const second = await consul.claims.create({ ...first, service: nameOf('other') }, never);
    expect(second).toEqual({ kind: 'conflict' });
    const listed = await consul.claims.list(never);
    expect(listed.filter(({ clientId }) => clientId === first.clientId)).toEqual([
      { ...first, modifyIndex: indexOf(created) },
    ]);
  });

  it.each([
    'a/b',
    '..',
    '.',
    'a b',
    'a%2Fb',
    'ünï😀',
    'line\nbreak',
    '\u007f\t\0',
    'x'.repeat(300),
    'A',
    'a',
  ])('the client id %j is kept as it is', async (clientId) => {
    const { consul } = theRig();
    const created = await consul.claims.create(claim(clientId), never);
    const record = { ...claim(clientId), modifyIndex: indexOf(created) };
    expect(await consul.claims.list(never)).toContainEqual(record);
    expect((await consul.claims.delete(record, never)).kind).toBe('written');
    expect(await consul.claims.list(never)).not.toContainEqual(record);
  });

  it('deleting a record that changed or is gone is a conflict', async () => {
    const { consul, fresh } = theRig();
    const mine = claim(fresh('client'));
    const record = { ...mine, modifyIndex: indexOf(await consul.claims.create(mine, never)) };
    const stale = { ...record, modifyIndex: record.modifyIndex - 1 };
    expect(await consul.claims.delete(stale, never)).toEqual({ kind: 'conflict' });
    expect((await consul.claims.delete(record, never)).kind).toBe('written');
    expect(await consul.claims.delete(record, never)).toEqual({ kind: 'conflict' });
  });

  it('a record that scopemesh cannot understand makes the list incomplete, a folder does not', async () => {
    const { consul, request } = theRig();
    await request('PUT', '/v1/kv/scopemesh/payments/claims/main/');
    await consul.claims.list(never);
    await request('PUT', '/v1/kv/scopemesh/payments/claims/main/strange', 'not JSON');
    expect((await failureOf(consul.claims.list(never))).message).toContain('claims/main/strange');
    await request('DELETE', '/v1/kv/scopemesh/payments/claims/main?recurse');
    expect(await consul.claims.list(never)).toEqual([]);
  });
}
