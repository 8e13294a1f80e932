import { createServer as createPlainServer, type Server } from 'node:http';
import { createServer } from 'node:https';
import { type AddressInfo, connect } from 'node:net';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createHttpClient, type HttpClientOptions } from '../../../src/identity/http-client.js';
import { Secret } from '../../../src/model/secret.js';
import { noMetrics } from '../../../src/observe.js';
import { selfSigned } from '../../support/entra/certificate.js';

const signal = new AbortController().signal;
const PASSWORD = 'never-show-this';
const COMPANY = selfSigned('127.0.0.1');

/** What ends with the test. */
let opened: Server[];
/** The requests that the proxy got: the tunnel's target, and how the client proved itself. */
let tunnels: { readonly target: string | undefined; readonly proof: string | undefined }[];
/** What the proxy answers instead of a tunnel. */
let refusal: string | undefined;
let idp: string;
let proxy: string;

async function listen(server: Server): Promise<number> {
  opened.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as AddressInfo).port;
}

beforeEach(async () => {
  opened = [];
  tunnels = [];
  refusal = undefined;
  const { certificate: cert, key } = COMPANY;
  idp = `https://127.0.0.1:${await listen(createServer({ cert, key }, (_, response) => response.end('{}')))}`;
  const server = createPlainServer();
  server.on('connect', (request, socket) => {
    tunnels.push({ target: request.url, proof: request.headers['proxy-authorization'] });
    if (refusal !== undefined) return void socket.end(`HTTP/1.1 ${refusal}\r\n\r\n`);
    const [host = '', port = ''] = (request.url ?? '').split(':');
    const there = connect(Number(port), host, () => {
      socket.write('HTTP/1.1 200 OK\r\n\r\n');
      there.pipe(socket).pipe(there);
    });
    for (const end of [there, socket]) end.on('error', () => there.destroy());
  });
  proxy = `127.0.0.1:${await listen(server)}`;
});
afterEach(async () => {
  vi.unstubAllEnvs();
  for (const server of opened) {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
});

/** The status of an answer, or the message of the failure. */
async function ask(options: Partial<HttpClientOptions>, url = idp): Promise<string> {
  const http = createHttpClient({ provider: 'main', metrics: noMetrics, timeoutMs: 5_000, ...options });
  try {
    return String((await http.request(new URL(url), 'a place', {}, signal)).status);
  } catch (error) {
    return error instanceof Error ? error.message : 'no error';
  } finally {
    await http.close();
  }
}
const company = { caCert: COMPANY.certificate };
const by = (url: string, except = '') => ({ proxy: { url: new Secret(url), except } });

describe('the certificate of an identity provider', () => {
  it('that a company signed is refused, with what to set, until the CA is known', async () => {
    expect(await ask({})).toBe(
      `a place: ${idp} cannot be reached (DEPTH_ZERO_SELF_SIGNED_CERT); set caFile of this provider to a file with the CA that signed its certificate`,
    );
    expect(await ask(company)).toBe('200');
  });

  it('is refused if another CA signed it, or if it is for another host', async () => {
    expect(await ask({ caCert: selfSigned('127.0.0.1').certificate })).toContain('caFile');
    expect(await ask(company, idp.replace('127.0.0.1', 'localhost'))).toContain(
      'ERR_TLS_CERT_ALTNAME_INVALID',
    );
  });
});

describe('a proxy', () => {
  it('gets a tunnel for https with its password, and sees nothing of what is in it', async () => {
    expect(await ask({ ...company, ...by(`http://ann:${PASSWORD}@${proxy}`) })).toBe('200');
    const proof = `Basic ${Buffer.from(`ann:${PASSWORD}`).toString('base64')}`;
    expect(tunnels).toEqual([{ target: new URL(idp).host, proof }]);
  });

  it('does not replace the check of the certificate behind it', async () => {
    expect(await ask(by(`http://${proxy}`))).toContain('DEPTH_ZERO_SELF_SIGNED_CERT');
    expect(tunnels).toHaveLength(1);
  });

  it.each(['127.0.0.1', '*', 'example.com, 127.0.0.1'])(
    'is left out for the hosts of NO_PROXY: %s',
    async (no) => {
      expect(await ask({ ...company, ...by(`http://${proxy}`, no) })).toBe('200');
      expect(tunnels).toEqual([]);
    },
  );

  it('is left out for plain http, and no environment is read', async () => {
    vi.stubEnv('HTTP_PROXY', `http://${proxy}`);
    vi.stubEnv('http_proxy', `http://${proxy}`);
    vi.stubEnv('NO_PROXY', '*');
    const plain = await listen(createPlainServer((_, response) => response.end('{}')));
    expect(await ask(by(`http://${proxy}`), `http://127.0.0.1:${plain}`)).toBe('200');
    expect(tunnels).toEqual([]);
    expect(await ask({ ...company, ...by(`http://${proxy}`) })).toBe('200');
    expect(tunnels).toHaveLength(1);
  });

  it.each([
    ['407 Proxy Authentication Required', 'the proxy answered 407'],
    ['502 Bad Gateway', 'the proxy answered 502'],
  ])('that answers %s is named as the reason, without its password', async (status, why) => {
    refusal = status;
    const message = await ask({ ...company, ...by(`http://ann:${PASSWORD}@${proxy}`) });
    expect(message).toContain(why);
    expect(message).toContain('HTTPS_PROXY');
    expect(message).not.toContain(PASSWORD);
  });

  it('that is away is unreachable, without its password', async () => {
    const message = await ask({ ...company, ...by(`http://ann:${PASSWORD}@127.0.0.1:1`) });
    expect(message).toContain('ECONNREFUSED');
    expect(message).not.toContain(PASSWORD);
  });
});
