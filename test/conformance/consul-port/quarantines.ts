import { expect, it } from 'vitest';
import { failureOf } from '../../support/failure-of.js';
import { type ConsulRig, never } from './rig.js';

const FOLDER = '/v1/kv/scopemesh/payments/quarantine';

export function quarantines(theRig: () => ConsulRig): void {
  const recordOf = (clientId: string) => ({
    provider: 'main',
    clientId,
    at: '2026-03-01T10:00:00.000Z',
    receivedAt: '2026-03-01T10:00:01.000Z',
  });
  const write = (what: 'put' | 'delete', ...ids: readonly string[]) =>
    theRig().consul.quarantines.write(
      ids.map((clientId) => ({ do: what, record: recordOf(clientId) })),
      never,
    );
  const list = () => theRig().consul.quarantines.list(never);

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
  ])('the client id %j is kept as it is, until its record is deleted', async (clientId) => {
    expect(await write('put', clientId)).toMatchObject([{ kind: 'written' }]);
    expect(await list()).toContainEqual(recordOf(clientId));
    expect(await write('delete', clientId)).toMatchObject([{ kind: 'written' }]);
    expect(await list()).not.toContainEqual(recordOf(clientId));
  });

  it('a record may be written again and deleted again', async () => {
    const id = theRig().fresh('client');
    for (const what of ['put', 'put', 'delete', 'delete'] as const)
      expect(await write(what, id)).toMatchObject([{ kind: 'written' }]);
    expect(await list()).toEqual([]);
  });

  it('of many writes each has its own result, and one that fails harms no other', async () => {
    const ids = Array.from({ length: 130 }, () => theRig().fresh('client'));
    const results = await write('put', '', ...ids.slice(0, 70), 'x'.repeat(100_000), ...ids.slice(70));
    expect(results.flatMap(({ kind }, at) => (kind === 'written' ? [] : [[at, kind]]))).toEqual([
      [0, 'refused'],
      [71, 'refused'],
    ]);
    expect((await list()).map(({ clientId }) => clientId).toSorted()).toEqual(ids.toSorted());
    await write('delete', ...ids);
  });

  it.each([
    ['is no JSON', 'not JSON'],
    ['is a list', '[]'],
    ['has no instants', '{"at":7,"receivedAt":"soon"}'],
  ])('a record whose value %s still names its client', async (_, value) => {
    await theRig().request('PUT', `${FOLDER}/main/web`, value);
    expect(await list()).toEqual([{ provider: 'main', clientId: 'web' }]);
    await write('delete', 'web');
  });

  it('a key that names no client hides no other record', async () => {
    const { request } = theRig();
    for (const key of ['', 'main/', 'strange', 'main/a/b', 'main/%252', 'main/%2561'])
      await request('PUT', `${FOLDER}/${key}`, 'x');
    await write('put', 'web');
    expect(await list()).toEqual([recordOf('web')]);
    await request('DELETE', `${FOLDER}?recurse`);
    expect(await list()).toEqual([]);
  });

  it('a token that may not read a record gets no list, and one that may not write is refused', async () => {
    const { connect, tokenWith, request } = theRig();
    const connectWith = async (rules: string) => connect(await tokenWith(rules));
    await write('put', 'web');
    const blind = await connectWith('key_prefix "other/" { policy = "read" }');
    expect((await failureOf(blind.quarantines.list(never))).code).toBe('ERR_CONSUL_INCOMPLETE');
    const reader = await connectWith('key_prefix "scopemesh/payments/" { policy = "read" }');
    expect(await reader.quarantines.list(never)).toEqual([recordOf('web')]);
    for (const what of ['put', 'delete'] as const)
      expect(await reader.quarantines.write([{ do: what, record: recordOf('web') }], never)).toMatchObject([
        { kind: 'refused', detail: expect.stringContaining('key:write') },
      ]);
    await request('DELETE', `${FOLDER}?recurse`);
  });
}
