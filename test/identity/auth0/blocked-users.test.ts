import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Directory } from '../../../src/identity/directory.js';
import { type Auth0, startAuth0 } from '../../support/auth0/auth0.js';
import { openAuth0 } from './open.js';

const signal = new AbortController().signal;
const people = (count: number) =>
  Array.from({ length: count }, (_, at) => `auth0|p${String(at).padStart(2, '0')}`);

let tenant: Auth0;
let directory: Directory;
beforeEach(async () => {
  tenant = await startAuth0();
  directory = openAuth0(tenant).directory;
});
afterEach(async () => {
  await directory.close();
  await tenant.close();
});

/** The members whom scopemesh reads while these people have access. */
async function read(admitted: readonly string[] | undefined): Promise<readonly string[]> {
  const access = admitted && new Map([['ops', admitted]]);
  const members = await directory.readMembers?.(['ops'], signal, access);
  return members?.get('ops') ?? [];
}

/** Makes the search for blocked users find nobody. */
function emptySearch(): void {
  tenant.fault = ({ segments, query }) =>
    segments.join('/') === 'users' && query.has('q') ? { json: { users: [], total: 0 } } : undefined;
}

/** Who was read alone, in order. */
const asked = () =>
  tenant.asked
    .filter(({ segments: [first, , below] }) => first === 'users' && below === undefined)
    .flatMap(({ segments: [, id] }) => id ?? [])
    .sort();

describe('a search of Auth0 for blocked users that lacks somebody', () => {
  const [ann = '', ben = '', cid = ''] = people(3);

  it('opens nothing for who was blocked at the last read and still is', async () => {
    for (const each of [ann, ben, cid]) tenant.putUser(each, ['ops'], each !== ann);
    expect(await read([ann])).toEqual([ann]);
    expect(asked()).toEqual([]);
    emptySearch();
    expect(await read([ann])).toEqual([ann]);
    expect(await read([ann])).toEqual([ann]);
    tenant.putUser(ben, ['ops']);
    expect(await read([ann])).toEqual([ann, ben]);
    // Who is known to be unblocked is not asked for again.
    const before = asked().filter((each) => each === ben).length;
    expect(await read([ann, ben])).toEqual([ann, ben]);
    expect(asked().filter((each) => each === ben)).toHaveLength(before);
  });

  it('opens nothing right after a start for who has no access and is blocked', async () => {
    for (const each of [ann, ben, cid]) tenant.putUser(each, ['ops'], each === ben);
    emptySearch();
    expect(await read([ann])).toEqual([ann, cid]);
    expect(asked()).toEqual([ben, cid]);
    expect(await read([ann, cid])).toEqual([ann, cid]);
    expect(asked()).toEqual([ben, ben, cid]);
  });

  it('opens nothing for who was blocked while without the role', async () => {
    tenant.putUser(ann, ['ops']);
    tenant.putUser(ben, [], true);
    expect(await read([ann])).toEqual([ann]);
    emptySearch();
    expect(await read([ann])).toEqual([ann]);
    tenant.putUser(ben, ['ops'], true);
    expect(await read([ann])).toEqual([ann]);
  });

  it('costs 20 requests, and who was not asked for stays closed if one of them is blocked', async () => {
    const crowd = people(50);
    for (const each of crowd) tenant.putUser(each, ['ops'], true);
    expect(await read([])).toEqual([]);
    emptySearch();
    expect(await read([])).toEqual([]);
    expect(asked().length).toBeLessThanOrEqual(20);
  });

  it('counts if none of 20 who were blocked is so any more', async () => {
    const crowd = people(50);
    for (const each of crowd) tenant.putUser(each, ['ops'], true);
    expect(await read([])).toEqual([]);
    for (const each of crowd) tenant.putUser(each, ['ops']);
    expect(await read([])).toEqual(crowd);
    expect(asked().length).toBeLessThanOrEqual(20);
  });

  it('makes the read fail if Auth0 does not answer for one of them', async () => {
    tenant.putUser(ann, ['ops'], true);
    expect(await read([])).toEqual([]);
    tenant.putUser(ann, ['ops']);
    tenant.fault = ({ segments }) =>
      segments[0] === 'users' && segments.length === 2 ? { status: 500, json: {} } : undefined;
    await expect(read([])).rejects.toMatchObject({ code: 'ERR_DIRECTORY_UNREACHABLE' });
    tenant.fault = undefined;
    tenant.deleteUser(ann);
    expect(await read([])).toEqual([]);
  });

  it('is believed right after a start where nobody says who has access', async () => {
    tenant.putUser(ann, ['ops'], true);
    emptySearch();
    expect(await read(undefined)).toEqual([ann]);
    expect(asked()).toEqual([]);
  });
});
