import { expect, it } from 'vitest';
import type { ClaimRecord } from '../../../src/model/catalog.js';
import { silentLogger } from '../../../src/observe.js';
import { type ConsulRig, nameOf, never } from './rig.js';

export function claims(theRig: () => ConsulRig): void {
  const claimOf = (clientId: string): Omit<ClaimRecord, 'modifyIndex'> => ({
    provider: 'main',
    clientId,
    service: nameOf('web'),
  });

  it('the first to create a record keeps it', async () => {
    const { claim, consul, fresh } = theRig();
    const first = claimOf(fresh('client'));
    const record = await claim(first);
    const second = { do: 'create', record: { ...first, service: nameOf('other') } } as const;
    expect(await consul.claims.write([second], never)).toEqual([{ kind: 'conflict' }]);
    const listed = await consul.claims.list(never);
    expect(listed.filter(({ clientId }) => clientId === first.clientId)).toEqual([record]);
  });

  it('the answer to a creation has the index that the list shows, also among other writes', async () => {
    const { claim, consul, fresh } = theRig();
    const goes = await claim(claimOf(fresh('client')));
    const made = [claimOf(fresh('client')), claimOf(fresh('client'))];
    const writes = [
      { do: 'delete' as const, record: goes },
      ...made.map((record) => ({ do: 'create' as const, record })),
    ];
    const [, ...results] = await consul.claims.write(writes, never);
    const listed = await consul.claims.list(never);
    expect(results.map((each) => each.kind === 'written' && each.modifyIndex)).toEqual(
      made.map(({ clientId }) => listed.find((each) => each.clientId === clientId)?.modifyIndex),
    );
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
    const { claim, consul } = theRig();
    const record = await claim(claimOf(clientId));
    const [deleted] = await consul.claims.write([{ do: 'delete', record }], never);
    expect(deleted?.kind).toBe('written');
    expect(await consul.claims.list(never)).not.toContainEqual(record);
  });

  it('deleting a record that changed or is gone is a conflict', async () => {
    const { claim, consul, fresh } = theRig();
    const record = await claim(claimOf(fresh('client')));
    const remove = async (modifyIndex: number) =>
      consul.claims.write([{ do: 'delete', record: { ...record, modifyIndex } }], never);
    expect(await remove(record.modifyIndex - 1)).toEqual([{ kind: 'conflict' }]);
    expect(await remove(0)).toEqual([{ kind: 'conflict' }]);
    expect(await remove(record.modifyIndex)).toMatchObject([{ kind: 'written' }]);
    expect(await remove(record.modifyIndex)).toEqual([{ kind: 'conflict' }]);
    expect(await remove(0)).toEqual([{ kind: 'conflict' }]);
  });

  it('of many writes each has its own result, and one that fails harms no other', async () => {
    const { claim, consul, fresh } = theRig();
    const taken = claimOf(fresh('client'));
    const old = await claim(taken);
    const goes = await claim(claimOf(fresh('client')));
    const gone = { ...claimOf(fresh('client')), modifyIndex: 7 };
    const made = Array.from({ length: 200 }, () => claimOf(fresh('client')));
    const results = await consul.claims.write(
      [
        { do: 'create', record: taken },
        ...made.slice(0, 100).map((record) => ({ do: 'create', record }) as const),
        { do: 'delete', record: goes },
        { do: 'delete', record: gone },
        { do: 'create', record: claimOf('') },
        { do: 'create', record: claimOf('\ud800') },
        { do: 'create', record: claimOf('x'.repeat(100_000)) },
        ...made.slice(100).map((record) => ({ do: 'create', record }) as const),
        { do: 'delete', record: { ...old, modifyIndex: old.modifyIndex - 1 } },
      ],
      never,
    );
    const written = (count: number) => Array.from({ length: count }, () => 'written');
    expect(results.map(({ kind }) => kind)).toEqual([
      'conflict',
      ...written(101),
      'conflict',
      'refused',
      'refused',
      'refused',
      ...written(100),
      'conflict',
    ]);
    const listed = (await consul.claims.list(never)).map(({ clientId }) => clientId);
    expect(listed).toEqual(expect.arrayContaining([taken, ...made].map(({ clientId }) => clientId)));
    expect(listed).not.toContain(goes.clientId);
  });

  it('a record that scopemesh cannot understand is unreadable alone, and a key that names no client does not count', async () => {
    const { connect, server, request, claim, fresh } = theRig();
    const warnings: object[] = [];
    const logger = { ...silentLogger, warn: (fields: object) => warnings.push(fields) };
    const consul = connect(server.managementToken, { logger });
    await request('PUT', '/v1/kv/scopemesh/payments/claims/main/');
    const good = await claim(claimOf(fresh('good')));
    await request('PUT', '/v1/kv/scopemesh/payments/claims/main/a/b', 'not JSON');
    await request('PUT', '/v1/kv/scopemesh/payments/claims/main/strange', 'not JSON');
    // The record of another client.
    await request('PUT', '/v1/kv/scopemesh/payments/claims/main/stolen', { ...good, clientId: 'other' });
    for (const _ of [1, 2]) {
      const listed = await consul.claims.list(never);
      expect(listed).toContainEqual(good);
      expect(
        listed.flatMap(({ clientId, unreadableKey }) => (unreadableKey ? [[clientId, unreadableKey]] : [])),
      ).toEqual(['stolen', 'strange'].map((id) => [id, `scopemesh/payments/claims/main/${id}`]));
    }
    expect(warnings).toMatchObject([{ kind: 'kv', entries: 3, name: 'scopemesh/payments/claims/main/a/b' }]);
    await request('DELETE', '/v1/kv/scopemesh/payments/claims/main?recurse');
    expect(await consul.claims.list(never)).toEqual([]);
  });
}
