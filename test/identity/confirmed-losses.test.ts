import { describe, expect, it } from 'vitest';
import { ClientUnreadable, SyncError } from '../../src/errors.js';
import { withConfirmedLosses } from '../../src/identity/confirmed-losses.js';
import type { Directory } from '../../src/identity/directory.js';
import type { OAuthClient } from '../../src/model/client.js';
import { noMetrics, silentLogger } from '../../src/observe.js';
import { client as clientWith } from '../plan/scene.js';

const signal = new AbortController().signal;
const idsFrom = (first: number, count: number) =>
  Array.from({ length: count }, (_, at) => `client-${first + at}`);
const client = (clientId: string, more: Partial<OAuthClient> = {}) =>
  clientWith(clientId, ['orders:read'], more);

/** A provider whose list and single reads are scripted apart. */
function startProvider(count: number) {
  const clients = idsFrom(0, count).map((clientId) => client(clientId));
  const provider = {
    clients,
    listed: new Map(clients.map((each) => [each.clientId, each])),
    alone: new Map<string, OAuthClient | Error>(clients.map((each) => [each.clientId, each])),
    asked: [] as string[],
    /** Deletes them from the list, as a short list does. */
    hide: (ids: readonly string[]) => {
      for (const id of ids) provider.listed.delete(id);
    },
    delete: (ids: readonly string[]) => {
      provider.hide(ids);
      for (const id of ids) provider.alone.delete(id);
    },
    async readAll() {
      provider.asked = [];
      return directory.readAll(signal);
    },
    async idsRead() {
      const { clients: read, unreadable } = await provider.readAll();
      return {
        gone: clients
          .map(({ clientId }) => clientId)
          .filter((id) => ![...read, ...unreadable].some(({ clientId }) => clientId === id)),
        unknown: unreadable.map(({ clientId }) => clientId),
      };
    },
  };
  const inner: Directory = {
    provider: 'main',
    readAll: async () => ({ clients: [...provider.listed.values()], unreadable: [], requests: 1 }),
    async read(_by, clientId) {
      provider.asked.push(clientId);
      const answer = provider.alone.get(clientId);
      if (answer instanceof Error) throw answer;
      return answer;
    },
    close: async () => {},
  };
  const directory = withConfirmedLosses(inner, { logger: silentLogger, metrics: noMetrics });
  return provider;
}

describe('When few clients are missing from a list', () => {
  it('those that still answer alone are kept, and those that do not are gone', async () => {
    const idp = startProvider(20);
    await idp.readAll();
    idp.delete(['client-3']);
    idp.hide(['client-4']);
    const read = await idp.readAll();
    expect(read.clients.map(({ clientId }) => clientId).sort()).toEqual(
      idp.clients.flatMap(({ clientId }) => (clientId === 'client-3' ? [] : clientId)).sort(),
    );
    expect(read.unreadable).toEqual([]);
    expect(idp.asked).toEqual(['client-3', 'client-4']);
  });

  it('one that is disabled alone is disabled', async () => {
    const idp = startProvider(20);
    await idp.readAll();
    const disabled = client('client-3', { enabled: false });
    idp.hide(['client-3']);
    idp.alone.set('client-3', disabled);
    expect((await idp.readAll()).clients).toContainEqual(disabled);
  });

  it('one keeps only the scopes that it has alone', async () => {
    const idp = startProvider(20);
    await idp.readAll();
    const [kept] = idp.clients;
    const less = client('client-0', { grants: [] });
    idp.hide(['client-0']);
    idp.alone.set('client-0', less);
    const { clients } = await idp.readAll();
    expect(kept?.grants).toHaveLength(1);
    expect(clients).toContainEqual(less);
  });

  it('five are asked for, and believed to be gone if none answers', async () => {
    const idp = startProvider(100);
    await idp.readAll();
    idp.delete(idsFrom(10, 50));
    expect(await idp.idsRead()).toEqual({ gone: idsFrom(10, 50), unknown: [] });
    expect(idp.asked).toHaveLength(5);
    await idp.readAll();
    expect(idp.asked).toEqual([]);
  });

  it('fifty more are asked for if one of five answers, and the list counts for the others', async () => {
    const idp = startProvider(300);
    await idp.readAll();
    idp.delete(idsFrom(1, 119));
    idp.hide(['client-0']);
    expect(await idp.idsRead()).toEqual({ gone: idsFrom(1, 119), unknown: [] });
    expect(idp.asked).toHaveLength(55);
    expect((await idp.readAll()).clients).toContainEqual(client('client-0'));
    expect(idp.asked).toEqual(['client-0']);
  });

  it('one whose record cannot be read is unknown', async () => {
    const idp = startProvider(20);
    await idp.readAll();
    idp.hide(['client-3']);
    idp.alone.set('client-3', new ClientUnreadable('main', 'client-3', 'no scopes'));
    for (let read = 0; read < 3; read++) expect((await idp.idsRead()).unknown).toEqual(['client-3']);
  });

  it.each([
    ['the provider does not answer', 'ERR_DIRECTORY_UNREACHABLE'],
    ['the provider limits requests', 'ERR_DIRECTORY_RATE_LIMITED'],
  ] as const)('the list counts if %s', async (_, code) => {
    const idp = startProvider(20);
    await idp.readAll();
    idp.hide(['client-3', 'client-4']);
    idp.alone.delete('client-4');
    idp.alone.set('client-3', new SyncError(code, 'not now', { retriable: true }));
    expect(await idp.idsRead()).toEqual({ gone: ['client-3', 'client-4'], unknown: [] });
  });
});

describe('When a list shows few clients with less', () => {
  it('one has what it has alone, in each of several reads', async () => {
    const idp = startProvider(20);
    await idp.readAll();
    idp.listed.set('client-3', client('client-3', { grants: [] }));
    idp.listed.set('client-4', client('client-4', { grants: [] }));
    idp.alone.set('client-4', client('client-4', { grants: [] }));
    for (let read = 0; read < 2; read++) {
      const { clients } = await idp.readAll();
      expect(clients).toContainEqual(client('client-3'));
      expect(clients).toContainEqual(client('client-4', { grants: [] }));
    }
  });

  it('one that has even less alone has what it has alone', async () => {
    const idp = startProvider(20);
    await idp.readAll();
    const disabled = client('client-3', { grants: [], enabled: false });
    idp.listed.set('client-3', client('client-3', { grants: [] }));
    idp.alone.set('client-3', disabled);
    expect((await idp.readAll()).clients).toContainEqual(disabled);
  });

  it('one that the list shows as disabled is so, and is not asked for', async () => {
    const idp = startProvider(20);
    await idp.readAll();
    const disabled = client('client-3', { enabled: false });
    idp.listed.set('client-3', disabled);
    expect((await idp.readAll()).clients).toContainEqual(disabled);
    expect(idp.asked).toEqual([]);
  });
});
