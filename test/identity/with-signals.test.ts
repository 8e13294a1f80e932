import { describe, expect, it } from 'vitest';
import type { Directory } from '../../src/identity/directory.js';
import type { EventSource, RawRequest } from '../../src/identity/source.js';
import { composeSources, withSignals } from '../../src/identity/with-signals.js';

const closed: string[] = [];
const directory: Directory = {
  provider: 'main',
  readAll: async () => ({ clients: [], unreadable: [], requests: 0 }),
  read: async () => undefined,
  close: async () => {
    closed.push('directory');
  },
};
const source = (name: string): EventSource => ({
  provider: 'main',
  receive: async () => ({ kind: 'reply', status: 200, contentType: 'text/plain', body: name }),
});
const request = (type: string | undefined): RawRequest => ({
  method: 'POST',
  headers: { 'content-type': type },
  query: {},
  body: new Uint8Array(),
  receivedAt: '2026-01-01T00:00:00.000Z',
});
const receivedBy = async (of: EventSource | undefined, type: string | undefined) => {
  const reception = await of?.receive(request(type));
  return reception?.kind === 'reply' ? reception.body : undefined;
};

describe('a request to the address of a provider', () => {
  it('is a shared signal by its content type, and otherwise one of its own events', async () => {
    const both = composeSources({ directory, source: source('own'), signals: { source: source('sets') } });
    for (const type of [
      'application/secevent+jwt',
      'Application/SecEvent+JWT',
      'application/secevent+jwt; a=b',
    ])
      expect(await receivedBy(both, type)).toBe('sets');
    for (const type of ['application/json', 'application/secevent+jwt2', 'application/jwt', '', undefined])
      expect(await receivedBy(both, type)).toBe('own');
  });

  it('goes to the only receiver', async () => {
    const sets = composeSources({ directory, signals: { source: source('sets') } });
    expect(await receivedBy(sets, 'application/json')).toBe('sets');
    expect(await receivedBy(composeSources({ directory, source: source('own') }), undefined)).toBe('own');
    expect(composeSources({ directory })).toBeUndefined();
  });
});

it('shared signals keep a provider’s own webhook as it is, and end with its directory', async () => {
  const close = async () => {
    closed.push('signals');
  };
  const parts = withSignals({ directory }, { source: source('sets'), close });
  expect(parts).not.toHaveProperty('source');
  await parts.directory.close();
  expect(closed.sort()).toEqual(['directory', 'signals']);
});
