import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { IncompleteRead } from '../../../../src/errors.js';
import { failureOf } from '../../../support/failure-of.js';
import { type DirectoryRig, sent, startDirectoryRig } from '../directory-rig.js';
import { type Fault, json } from '../fake-keycloak.js';

const signal = new AbortController().signal;

describe('the Keycloak directory', () => {
  let rig: DirectoryRig;
  beforeEach(async () => {
    rig = await startDirectoryRig();
  });
  afterEach(() => rig.stop());

  const incomplete: readonly (readonly [string, string, Fault])[] = [
    ['a later page is a copy of the first', 'first=3', (_, response) => page(response, 0)],
    [
      'a later page begins rightly and then repeats what was there',
      'first=3',
      (_, response) =>
        sent(() =>
          json(
            response,
            200,
            [3, 0, 1].map((at) => rig.keycloak.clients[at]),
          ),
        ),
    ],
    [
      'a client does not say whether it is enabled',
      'first=0',
      (_, response) =>
        sent(() =>
          json(
            response,
            200,
            rig.keycloak.clients.slice(0, 4).map(({ enabled: _hidden, ...rest }) => rest),
          ),
        ),
    ],
    [
      'the discovery document is cut off',
      'openid-configuration',
      (_, response) => sent(() => cutOff(response)),
    ],
    ['the token is cut off', '/token', (_, response) => sent(() => cutOff(response))],
    ['a later page is empty', 'first=3', (_, response) => sent(() => json(response, 200, []))],
    [
      'every page is the whole list',
      'first=',
      (_, response) => sent(() => json(response, 200, rig.keycloak.clients)),
    ],
    ['the list is no list', 'first=0', (_, response) => sent(() => json(response, 200, { clients: [] }))],
    ['the list is null', 'first=0', (_, response) => sent(() => json(response, 200, null))],
    ['the list is empty', '/clients', (_, response) => sent(() => json(response, 200, []))],
    ['the JSON stops in the middle', 'first=3', (_, response) => sent(() => response.end('[{"id":"x"'))],
    ['the page is HTML', 'first=3', (_, response) => sent(() => response.end('<html>maintenance</html>'))],
    [
      'a page is not found',
      'first=3',
      (_, response) => sent(() => response.writeHead(404).end('nothing here')),
    ],
    [
      'a page redirects',
      'first=3',
      (_, response) => sent(() => response.writeHead(302, { location: '/' }).end()),
    ],
    ['the client scopes are hidden', 'client-scopes', (_, response) => sent(() => json(response, 200, []))],
    ['the connection ends within a page', 'first=3', (_, response) => sent(() => cutOff(response))],
    [
      'clients are shown by their ids only',
      'first=',
      (_, response) =>
        sent(() =>
          json(
            response,
            200,
            rig.keycloak.clients.slice(0, 1).map(({ id, clientId }) => ({ id, clientId })),
          ),
        ),
    ],
  ];

  it.each(incomplete)('calls the read incomplete when %s', async (_, part, fault) => {
    const { directory, onPath } = rig;
    onPath(part, fault);
    const error = await failureOf(directory.readAll(signal));
    expect(error).toBeInstanceOf(IncompleteRead);
    expect(error.code).toBe('ERR_DIRECTORY_INCOMPLETE');
  });

  it('is incomplete if a server ignores the page size', async () => {
    const { keycloak, directory, onPath } = rig;
    onPath('first=', (_, response) => sent(() => json(response, 200, keycloak.clients)));
    expect(await failureOf(directory.readAll(signal))).toMatchObject({ retriable: false });
    expect(keycloak.count('first=')).toBe(1);
  });

  it.each(['scopemesh', 'realm-management'])(
    'is incomplete for a list without %s, and names the role to grant',
    async (hidden) => {
      const { keycloak, directory } = rig;
      keycloak.remove(hidden);
      const error = await failureOf(directory.readAll(signal));
      expect(error).toBeInstanceOf(IncompleteRead);
      expect(error.message).toContain('view-clients');
      expect(error.retriable).toBe(false);
    },
  );

  const refused: readonly (readonly [number, string, boolean])[] = [
    [500, 'ERR_DIRECTORY_UNREACHABLE', true],
    [503, 'ERR_DIRECTORY_UNREACHABLE', true],
    [403, 'ERR_DIRECTORY_DENIED', false],
    [401, 'ERR_DIRECTORY_DENIED', false],
    [429, 'ERR_DIRECTORY_RATE_LIMITED', true],
  ];

  it.each(refused)('translates a second page answered with %i to %s', async (status, code, retriable) => {
    const { directory, onPath } = rig;
    onPath('first=3', (_, response) =>
      sent(() => response.writeHead(status, { 'retry-after': '7' }).end('{}')),
    );
    const error = await failureOf(directory.readAll(signal));
    expect(error).toMatchObject({ code, retriable });
    if (status === 429) expect(error.retryAfterMs).toBe(7000);
  });

  it('fails on an endless answer', async () => {
    const { open, onPath } = rig;
    const directory = open({ timeoutMs: 150 });
    onPath('first=3', (_, response) => sent(() => response.writeHead(200).write('[')));
    expect(await failureOf(directory.readAll(signal))).toMatchObject({ code: 'ERR_DIRECTORY_UNREACHABLE' });
  });

  it('reports a stopped server as unreachable', async () => {
    const { keycloak, directory } = rig;
    await keycloak.stop();
    expect(await failureOf(directory.readAll(signal))).toMatchObject({ code: 'ERR_DIRECTORY_UNREACHABLE' });
    await keycloak.start();
  });

  it('reports a client as absent only if Keycloak itself says so and would have shown it', async () => {
    const { keycloak, directory } = rig;
    const absent = '5cc257c9-81f6-4900-9913-868a79dc25ab';
    expect(await directory.read('internalId', absent, signal)).toBeUndefined();
    expect(await directory.read('clientId', 'nobody', signal)).toBeUndefined();

    keycloak.scopes = [];
    expect(await failureOf(directory.read('internalId', absent, signal))).toBeInstanceOf(IncompleteRead);
    expect(await failureOf(directory.read('clientId', 'nobody', signal))).toBeInstanceOf(IncompleteRead);
  });

  const notAbsent: readonly (readonly [string, Fault])[] = [
    ['a proxy finds nothing', (_, response) => sent(() => response.writeHead(404).end('not found'))],
    [
      'a proxy finds nothing, in JSON',
      (_, response) => sent(() => json(response, 404, { error: 'not_found' })),
    ],
    ['the realm is missing', (_, response) => sent(() => json(response, 404, { error: 'Realm not found.' }))],
    ['the body is missing', (_, response) => sent(() => response.writeHead(404).end())],
    ['another client comes', (_, response) => sent(() => json(response, 200, rig.keycloak.clients[0]))],
    ['an empty object comes', (_, response) => sent(() => json(response, 200, {}))],
  ];

  it.each(notAbsent)('does not take a client for absent when %s', async (_, fault) => {
    const { directory, onPath } = rig;
    onPath('/clients/', fault);
    const reading = directory.read('internalId', '5cc257c9-81f6-4900-9913-868a79dc25ab', signal);
    expect(await failureOf(reading)).toBeInstanceOf(IncompleteRead);
  });

  it('does not report a client as absent if the token sees no client', async () => {
    const { directory, onPath } = rig;
    onPath('/clients?', (_, response) => sent(() => json(response, 200, [])));
    const error = await failureOf(directory.read('clientId', 'svc-1', signal));
    expect(error).toBeInstanceOf(IncompleteRead);
    expect(error.message).toContain('view-clients');
  });

  it('refuses a search that finds other clients', async () => {
    const { keycloak, directory, onPath } = rig;
    onPath('/clients?', (_, response) => sent(() => json(response, 200, keycloak.clients)));
    expect(await failureOf(directory.read('clientId', 'nobody', signal))).toBeInstanceOf(IncompleteRead);
  });

  it('sends no request to an address that the ID of a key could change', async () => {
    const { keycloak, directory } = rig;
    for (const id of ['../users', 'a/b', '..', '', 'a?b', 'x'.repeat(37)]) {
      expect(await failureOf(directory.read('internalId', id, signal)), id).toBeInstanceOf(IncompleteRead);
    }
    expect(keycloak.count('/clients/')).toBe(0);
  });

  function page(response: Parameters<Fault>[1], first: number): boolean {
    return sent(() => json(response, 200, rig.keycloak.clients.slice(first, first + 4)));
  }
});

function cutOff(response: Parameters<Fault>[1]): void {
  response.writeHead(200, { 'content-type': 'application/json', 'content-length': '5000' });
  response.write('[', () => response.destroy());
}
