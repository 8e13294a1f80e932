import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { IncompleteRead } from '../../../src/errors.js';
import { readChangingPages } from '../../../src/identity/keycloak/changing-pages.js';
import { failureOf } from '../../support/failure-of.js';
import { type DirectoryRig, sent, startDirectoryRig } from './directory-rig.js';
import { json } from './fake-keycloak.js';

const signal = new AbortController().signal;
const PAGE_SIZE = 4;

let rig: DirectoryRig;
beforeEach(async () => {
  rig = await startDirectoryRig();
});
afterEach(() => rig.stop());

/** Runs `change` before each page of a list. */
function beforeEachPage(path: string, change: (first: number) => void): void {
  rig.keycloak.fault = (url) => {
    const first = url.searchParams.get('first');
    if (first !== null && url.pathname.endsWith(path)) change(Number(first));
    return false;
  };
}

/** Creates a client at the front of the list, or deletes it. */
function flip(): void {
  const { keycloak } = rig;
  if (keycloak.clients.some(({ clientId }) => clientId === 'aaa')) keycloak.remove('aaa');
  else keycloak.add('aaa');
}

const others = (ids: readonly string[]) => ids.filter((id) => id !== 'aaa');

describe('While somebody creates and deletes a client between all pages', () => {
  it('every other client is read', async () => {
    const whole = await rig.ids();
    beforeEachPage('/clients', flip);
    for (let read = 0; read < 5; read++) expect(others(await rig.ids())).toEqual(whole);
  });

  it('a client that is deleted is gone, because Keycloak says so when asked for it alone', async () => {
    const whole = await rig.ids();
    rig.keycloak.remove('svc-3');
    beforeEachPage('/clients', flip);
    expect(others(await rig.ids())).toEqual(whole.filter((id) => id !== 'svc-3'));
    expect(rig.keycloak.requests.some((request) => /\/clients\/[0-9a-f-]+$/.test(request))).toBe(true);
  });

  it('a client that is created again under its client ID between all pages is read once, and so is every other', async () => {
    const whole = await rig.ids();
    beforeEachPage('/clients', () => {
      rig.keycloak.remove('svc-3');
      rig.keycloak.add('svc-3');
    });
    for (let read = 0; read < 5; read++) expect((await rig.ids()).toSorted()).toEqual(whole.toSorted());
  });

  it('a client that a page leaves out although it exists is found', async () => {
    const whole = await rig.ids();
    const hidden = rig.keycloak.clients.find(({ clientId }) => clientId === 'svc-3');
    rig.onPath('/clients?first=', (url, response) => {
      flip();
      const [first, max] = ['first', 'max'].map((name) => Number(url.searchParams.get(name))) as [
        number,
        number,
      ];
      const shown = rig.keycloak.clients.filter((client) => client !== hidden);
      return sent(() => json(response, 200, shown.slice(first, first + max)));
    });
    expect(others(await rig.ids()).toSorted()).toEqual(whole.toSorted());
  });

  it('of many clients that are missing, those that were not asked for are unknown and not gone', async () => {
    const { keycloak, directory } = rig;
    for (let at = 0; at < 80; at++) keycloak.add(`many-${String(at).padStart(2, '0')}`);
    await rig.ids();
    for (let at = 0; at < 80; at++) keycloak.remove(`many-${String(at).padStart(2, '0')}`);
    beforeEachPage('/clients', flip);
    const held = async () =>
      (await directory.readAll(signal)).unreadable.filter(({ clientId }) => clientId?.startsWith('many-'));
    expect(await held()).toHaveLength(30);
    expect(await held()).toEqual([]);
  });

  it('the service accounts are read too', async () => {
    const directory = rig.open({ serviceAccountRoles: true });
    const whole = await directory.readAll(signal);
    let isThere = false;
    beforeEachPage('/users', () => {
      if (isThere)
        rig.keycloak.users = rig.keycloak.users.filter(({ username }) => username !== 'service-account-0');
      else rig.keycloak.addUser('service-account-0');
      isThere = !isThere;
    });
    expect((await directory.readAll(signal)).clients).toEqual(whole.clients);
  });
});

it('a service account that a whole list lacks makes the read incomplete if it exists', async () => {
  const directory = rig.open({ serviceAccountRoles: true });
  await directory.readAll(signal);
  rig.keycloak.fault = (url, response) => {
    if (!url.pathname.endsWith('/users') || url.searchParams.get('first') === null) return false;
    const own = rig.keycloak.account('scopemesh');
    const isFirst = url.searchParams.get('username') !== null && url.searchParams.get('first') === '0';
    return sent(() => json(response, 200, isFirst ? [own] : []));
  };
  expect(await failureOf(directory.readAll(signal))).toBeInstanceOf(IncompleteRead);
});

it('a list of service accounts without the own account makes the read incomplete', async () => {
  const directory = rig.open({ serviceAccountRoles: true });
  await directory.readAll(signal);
  rig.keycloak.fault = (url, response) => {
    const isList = url.pathname.endsWith('/users') && url.searchParams.get('first') !== null;
    if (!isList || url.searchParams.get('username') === null) return false;
    const shown = url.searchParams.get('first') === '0' ? [rig.keycloak.account('svc-0')] : [];
    return sent(() => json(response, 200, shown));
  };
  expect(await failureOf(directory.readAll(signal))).toMatchObject({
    message: expect.stringContaining('the account of scopemesh is not in the list'),
  });
});

describe('A list of pages', () => {
  const read = (pages: (first: number, max: number, request: number) => readonly string[]) => {
    let request = 0;
    return readChangingPages({
      place: 'a list',
      pageSize: PAGE_SIZE,
      limit: 1_000,
      read: async (first, max) => pages(first, max, request++),
      idOf: (entry) => entry,
    });
  };
  const letters = [...'bcdefghijklmnopqrstuvwxyz'];

  it('is whole if nothing changes', async () => {
    const { entries, isWhole } = await read((first, max) => letters.slice(first, first + max));
    expect({ entries, isWhole }).toEqual({ entries: letters, isWhole: true });
  });

  it('shows every entry that was there all the time, whatever is added and deleted before it', async () => {
    for (let seed = 1; seed <= 300; seed++) {
      let state = seed;
      const random = (below: number) => {
        state = (state * 48_271) % 2_147_483_647;
        return state % below;
      };
      let list: readonly string[] = letters;
      const result = await read((first, max) => {
        const extra =
          random(3) === 0 ? [] : Array.from({ length: random(7) }, (_, at) => `a${random(99)}-${at}`);
        list = [...letters, ...extra, `${letters[random(20)]}0`].toSorted();
        return list.slice(first, first + max);
      }).catch((error: unknown) => error);
      if (result instanceof IncompleteRead) continue;
      expect(result).toMatchObject({ entries: expect.arrayContaining(letters) });
    }
  });

  it('is incomplete if a server gives the same page again and again, and ends soon', async () => {
    let requests = 0;
    const error = await failureOf(
      read((_, max) => {
        requests++;
        return letters.slice(0, max);
      }),
    );
    expect(error).toBeInstanceOf(IncompleteRead);
    expect(requests).toBeLessThan(50);
  });
});
