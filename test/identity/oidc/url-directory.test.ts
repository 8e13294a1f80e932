import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { systemClock } from '../../../src/clock.js';
import { IncompleteRead } from '../../../src/errors.js';
import type { Directory } from '../../../src/identity/directory.js';
import { createOidcDirectory, type OidcDirectoryOptions } from '../../../src/identity/oidc/directory.js';
import { singleUrl } from '../../../src/identity/oidc/url-directory.js';
import { Secret } from '../../../src/model/secret.js';
import { noMetrics, silentLogger } from '../../../src/observe.js';
import { anyCharacter } from '../../support/any-character.js';
import { type DirectoryServer, startDirectoryServer } from './directory-server.js';

const client = (clientId: string, ...scopes: string[]) => ({ clientId, scopes });

describe('the oidc directory at a URL', () => {
  let server: DirectoryServer;
  let opened: Directory[] = [];
  const signal = () => new AbortController().signal;
  const open = (more: Partial<OidcDirectoryOptions> = {}): Directory => {
    const directory = createOidcDirectory({
      provider: 'main',
      directory: `${server.origin}/clients`,
      clock: systemClock,
      logger: silentLogger,
      metrics: noMetrics,
      timeoutMs: 2000,
      ...more,
    });
    opened.push(directory);
    return directory;
  };
  const lines = () => server.seen.map(({ line }) => line);

  beforeEach(async () => {
    server = await startDirectoryServer();
  });
  afterEach(async () => {
    await Promise.all(opened.map((directory) => directory.close()));
    opened = [];
    await server.close();
  });

  test('follows relative and absolute next links, with the token on each page', async () => {
    server.answer = (path) => {
      if (path === '/clients') return { json: { clients: [client('a')], next: '?page=2' } };
      if (path === '/clients?page=2') {
        return { json: { clients: [client('b')], next: `${server.origin}/more/3` } };
      }
      return { json: { clients: [client('c', 's')], next: null } };
    };
    const snapshot = await open({ directoryToken: new Secret('open-sesame') }).readAll(signal());
    expect(snapshot.clients.map(({ clientId }) => clientId)).toEqual(['a', 'b', 'c']);
    expect(snapshot.requests).toBe(3);
    expect(lines()).toEqual(['GET /clients', 'GET /clients?page=2', 'GET /more/3']);
    expect(server.seen.map(({ headers }) => headers.authorization)).toEqual(
      Array(3).fill('Bearer open-sesame'),
    );
  });

  test('refuses a next link to another origin, and sends nothing there', async () => {
    const other = await startDirectoryServer();
    server.answer = () => ({ json: { clients: [client('a')], next: `${other.origin}/clients` } });
    const directory = open({ directoryToken: new Secret('open-sesame') });
    await expect(directory.readAll(signal())).rejects.toThrow(/must not go/);
    expect(other.seen).toEqual([]);
    await other.close();
  });

  test.each(['//127.0.0.1:9/clients', 'https://127.0.0.1/clients', 'file:///etc/passwd', 'http://x:y@z/'])(
    'next %s is refused without being followed',
    async (next) => {
      server.answer = () => ({ json: { clients: [client('a')], next } });
      await expect(open().readAll(signal())).rejects.toThrow(IncompleteRead);
      expect(server.seen).toHaveLength(1);
    },
  );

  test('a redirect is not followed', async () => {
    const other = await startDirectoryServer();
    server.answer = () => ({ status: 302, headers: { location: `${other.origin}/clients` } });
    await expect(open().readAll(signal())).rejects.toThrow(/redirects are not followed/);
    expect(other.seen).toEqual([]);
    await other.close();
  });

  test('a next link to an earlier page is an incomplete read', async () => {
    server.answer = (path) =>
      path === '/clients?b'
        ? { json: { clients: [client('b')], next: '/clients#again' } }
        : { json: { clients: [client('a')], next: '?b' } };
    await expect(open().readAll(signal())).rejects.toThrow(/next leads back/);
    expect(server.seen).toHaveLength(2);
  });

  test('endless pages stop at the limit', async () => {
    server.answer = (path) => {
      const page = Number(path.split('=')[1] ?? 0);
      return { json: { clients: [client(`c${page}`)], next: `?p=${page + 1}` } };
    };
    await expect(open({ maxPages: 5 }).readAll(signal())).rejects.toThrow(/more than 5 pages/);
    expect(server.seen).toHaveLength(5);
  });

  test('a client on two pages is an incomplete read', async () => {
    server.answer = (path) =>
      path === '/clients'
        ? { json: { clients: [client('a')], next: '?2' } }
        : { json: { clients: [client('a')] } };
    await expect(open().readAll(signal())).rejects.toThrow(/"a" is listed twice/);
  });

  test('each page is requested with its own ETag, and 304 means the last content', async () => {
    let second = { etag: '"two"', clients: [client('b', 'old')] };
    server.answer = (path, headers) => {
      const page =
        path === '/clients' ? { etag: 'W/"one"', clients: [client('a')], next: '?2' } : { ...second };
      if (headers['if-none-match'] === page.etag) return { status: 304 };
      return { json: page, headers: { etag: page.etag } };
    };
    const directory = open();
    const first = await directory.readAll(signal());
    expect(await directory.readAll(signal())).toEqual(first);
    second = { etag: '"three"', clients: [client('b', 'new')] };
    const third = await directory.readAll(signal());
    expect(third.clients.map(({ grants }) => grants)).toEqual([[], [{ name: 'new' }]]);
    expect(server.seen.map(({ headers }) => headers['if-none-match'])).toEqual([
      undefined,
      undefined,
      'W/"one"',
      '"two"',
      'W/"one"',
      '"two"',
    ]);
  });

  test('304 to a request without an ETag is refused', async () => {
    server.answer = () => ({ status: 304 });
    await expect(open().readAll(signal())).rejects.toThrow(IncompleteRead);
    server.answer = (path) =>
      path === '/clients' ? { json: { clients: [client('a')], next: '?2' } } : { status: 304 };
    await expect(open().readAll(signal())).rejects.toThrow(IncompleteRead);
  });

  test('a page with an older revision is an incomplete read, and a later one is read again', async () => {
    let revision = 7;
    server.answer = () => ({ json: { clients: [client('a')], revision } });
    const directory = open();
    await directory.readAll(signal());
    revision = 6;
    await expect(directory.readAll(signal())).rejects.toThrow(/revision 6 is older than revision 7/);
    revision = 7;
    await expect(directory.readAll(signal())).resolves.toMatchObject({ requests: 1 });
  });

  test.each<[string, Parameters<typeof failing>[0], string]>([
    [
      'a first page that is cut off',
      { json: { clients: [client('a')] }, cutOff: true },
      'ERR_DIRECTORY_INCOMPLETE',
    ],
    ['half a document', { body: '{"clients":[{"clientId":"a","sco' }, 'ERR_DIRECTORY_INCOMPLETE'],
    ['an empty body', { body: '' }, 'ERR_DIRECTORY_INCOMPLETE'],
    ['an empty list', { json: { clients: [] } }, 'ERR_DIRECTORY_INCOMPLETE'],
    ['an HTML page', { body: '<html></html>' }, 'ERR_DIRECTORY_INCOMPLETE'],
    ['bytes that are no UTF-8', { body: Buffer.from([0x7b, 0xff, 0x7d]) }, 'ERR_DIRECTORY_INCOMPLETE'],
    ['204', { status: 204 }, 'ERR_DIRECTORY_INCOMPLETE'],
    ['206', { status: 206, json: { clients: [client('a')] } }, 'ERR_DIRECTORY_INCOMPLETE'],
    ['404', { status: 404, json: {} }, 'ERR_DIRECTORY_INCOMPLETE'],
    ['401', { status: 401 }, 'ERR_DIRECTORY_DENIED'],
    ['403', { status: 403 }, 'ERR_DIRECTORY_DENIED'],
    ['429', { status: 429, headers: { 'retry-after': '7' } }, 'ERR_DIRECTORY_RATE_LIMITED'],
    ['500', { status: 500 }, 'ERR_DIRECTORY_UNREACHABLE'],
    ['silence', { silent: true }, 'ERR_DIRECTORY_UNREACHABLE'],
    ['a body over the limit', { json: { clients: [client('a'.repeat(5000))] } }, 'ERR_DIRECTORY_INCOMPLETE'],
  ])('%s is an error, never "none", and also on the second page', async (_, answer, code) => {
    const directory = failing(answer);
    await expect(directory.readAll(signal())).rejects.toMatchObject({ code });
    server.answer = (path) =>
      path === '/clients' ? { json: { clients: [client('z')], next: '?2' } } : answer;
    // An empty second page is an honest end; everything else fails the whole read.
    const second = directory.readAll(signal());
    if (JSON.stringify(answer) === '{"json":{"clients":[]}}') await expect(second).resolves.toBeDefined();
    else await expect(second).rejects.toMatchObject({ code });
  });

  function failing(answer: ReturnType<DirectoryServer['answer']>): Directory {
    server.answer = () => answer;
    return open({ ...('silent' in answer ? { timeoutMs: 300 } : {}), maxBytes: 4096 });
  }

  test('the stated wait is passed on', async () => {
    server.answer = () => ({ status: 429, headers: { 'retry-after': '7' } });
    await expect(open().readAll(signal())).rejects.toMatchObject({ retryAfterMs: 7000, retriable: true });
  });

  test('an abort ends the read with its reason', async () => {
    server.answer = () => ({ silent: true });
    const stop = new AbortController();
    const read = open({ timeoutMs: 60_000 }).readAll(stop.signal);
    stop.abort(new Error('stopping'));
    await expect(read).rejects.toThrow('stopping');
  });

  describe('with single reads', () => {
    const single = (answer: ReturnType<DirectoryServer['answer']>) => {
      server.answer = (path) =>
        path === '/clients' ? { json: { clients: [client('a', 'of-all')], single: true } } : answer;
      return open();
    };

    test('requests only the client once the document allows it', async () => {
      const directory = single({ json: client('a', 'alone') });
      await directory.readAll(signal());
      const read = await directory.read('clientId', 'a', signal());
      expect(read?.grants).toEqual([{ name: 'alone' }]);
      expect(lines()).toEqual(['GET /clients', 'GET /clients/a']);
    });

    test('without an earlier read, the document is read to know whether it allows it', async () => {
      const directory = single({ json: client('a', 'alone') });
      expect((await directory.read('clientId', 'a', signal()))?.grants).toEqual([{ name: 'alone' }]);
      expect(lines()).toEqual(['GET /clients', 'GET /clients/a']);
    });

    test('a document without single reads is read as a whole', async () => {
      server.answer = () => ({ json: { clients: [client('a'), client('b', 's')] } });
      const directory = open();
      expect((await directory.read('clientId', 'b', signal()))?.grants).toEqual([{ name: 's' }]);
      expect(await directory.read('clientId', 'c', signal())).toBeUndefined();
      expect(lines().every((line) => line === 'GET /clients')).toBe(true);
    });

    test('404 in JSON that names the client means absent', async () => {
      const directory = single({ status: 404, json: { error: 'not_found', clientId: 'gone' } });
      await directory.readAll(signal());
      expect(await directory.read('clientId', 'gone', signal())).toBeUndefined();
      expect(lines()).toEqual(['GET /clients', 'GET /clients/gone']);
    });

    test('404 in JSON that names nothing counts only with the complete document', async () => {
      const directory = single({ status: 404, json: { message: 'no Route matched' } });
      expect((await directory.read('clientId', 'a', signal()))?.grants).toEqual([{ name: 'of-all' }]);
      expect(await directory.read('clientId', 'b', signal())).toBeUndefined();
    });

    test.each([
      ['404 of a proxy', { status: 404, body: '<html>not here</html>' }],
      ['404 without a body', { status: 404 }],
      ['another client', { json: client('b') }],
      ['an empty object', { json: {} }],
      ['204', { status: 204 }],
      ['410', { status: 410 }],
    ])('%s is an error and not an absence', async (_, answer) => {
      await expect(single(answer).read('clientId', 'a', signal())).rejects.toThrow(IncompleteRead);
    });

    test.each(['.', '..', '\ud800'])(
      'an ID that no path can carry (%j) is looked up in the complete document',
      async (id) => {
        const directory = single({ json: client('wrong') });
        expect(await directory.read('clientId', id, signal())).toBeUndefined();
        expect(lines()).toEqual(['GET /clients']);
      },
    );

    test('any ID stays one segment below the directory', () => {
      const base = new URL('https://idp.example/v1/clients/?tenant=x');
      fc.assert(
        fc.property(fc.string({ unit: anyCharacter, minLength: 1 }), (id) => {
          const url = singleUrl(base, id);
          if (url === undefined) return;
          const segments = url.pathname.split('/');
          expect(url.origin + url.search).toBe('https://idp.example?tenant=x');
          expect(segments.slice(0, 3)).toEqual(['', 'v1', 'clients']);
          expect(segments.slice(3).map(decodeURIComponent)).toEqual([id]);
        }),
      );
    });

    test('a client can be read only by its client ID', async () => {
      const directory = single({ json: client('a') });
      await expect(directory.read('internalId', 'a', signal())).rejects.toMatchObject({
        code: 'ERR_INTERNAL',
      });
      expect(server.seen).toEqual([]);
    });
  });

  test.each<[string, Partial<OidcDirectoryOptions>]>([
    ['an empty address', { directory: '' }],
    ['another scheme', { directory: 'ftp://x/y' }],
    ['half a URL', { directory: 'http://' }],
    ['a password in the URL', { directory: 'https://user:hunter2@idp.example/' }],
    ['a token with a line break', { directoryToken: new Secret('hunter2\n') }],
    ['an empty token', { directoryToken: new Secret('') }],
  ])('%s is refused at once, without printing it', (_, more) => {
    expect(() => open(more)).toThrow(expect.objectContaining({ code: 'ERR_CONFIG' }));
    expect(() => open(more)).toThrow(
      expect.not.objectContaining({ message: expect.stringContaining('hunter2') }),
    );
  });

  test('no message contains the token or the query of the URL', async () => {
    server.answer = () => ({ status: 500, body: 'open-sesame' });
    const options = {
      directory: `${server.origin}/c?sig=hunter2`,
      directoryToken: new Secret('open-sesame'),
    };
    const error = await open(options)
      .readAll(signal())
      .catch((reason: unknown) => reason);
    expect(String(error)).toContain('/c: answered 500');
    expect(String(error)).not.toMatch(/hunter2|open-sesame/);
  });
});
