import type { KeyObject } from 'node:crypto';
import { createServer, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { exportJWK, exportSPKI, SignJWT } from 'jose';
import { giveBackRsaPair, type RsaPair, takeRsaPair } from './rsa-keys.js';

/** `redirecting`: the discovery document is elsewhere. */
type Health = 'well' | 'failing' | 'hanging' | 'redirecting';

/** The part of an identity provider that Consul asks for keys, and that can be as sick as a test wants it. */
export interface KeySetServer {
  /** Also the issuer. */
  readonly address: string;
  readonly jwksUrl: string;
  /** The public key as PEM. */
  readonly publicKey: string;
  /** How often it was asked. */
  readonly asked: number;
  /** `hanging` answers nothing until it is `well` again, and then what is left waiting. */
  setHealth(health: Health): void;
  /** Resolves when somebody waits for an answer. */
  isAwaited(): Promise<void>;
  /** A JWT of this issuer for the audience `consul`, for five minutes; `claims` replace those, null takes them out. */
  sign(claims: Readonly<Record<string, unknown>>): Promise<string>;
  /** The same by another key. */
  forge(claims: Readonly<Record<string, unknown>>): Promise<string>;
  /** Lets the process end although it is not closed. */
  unref(): void;
  close(): Promise<void>;
}

export async function startKeySetServer(): Promise<KeySetServer> {
  const pair = takeRsaPair();
  let stranger: RsaPair | undefined;
  const jwk = { ...(await exportJWK(pair.publicKey)), kid: 'key-1', alg: 'RS256', use: 'sig' };
  const sockets = new Set<Socket>();
  const waiting: (() => void)[] = [];
  let awaited = () => {};
  let health: Health = 'well';
  let asked = 0;
  let address = '';
  const answer = (path: string, response: ServerResponse) => {
    response.setHeader('content-type', 'application/json');
    if (health === 'failing') {
      response.statusCode = 503;
      response.end('{"error":"sick"}');
    } else if (health === 'redirecting' && path === '/.well-known/openid-configuration') {
      response.writeHead(302, { location: `${address}/moved/.well-known/openid-configuration` });
      response.end();
    } else if (path.endsWith('/.well-known/openid-configuration')) {
      response.end(
        JSON.stringify({
          issuer: address,
          jwks_uri: `${address}/jwks`,
          authorization_endpoint: `${address}/authorize`,
          id_token_signing_alg_values_supported: ['RS256'],
        }),
      );
    } else response.end(JSON.stringify({ keys: [jwk] }));
  };
  const signed = (key: KeyObject, claims: Readonly<Record<string, unknown>>) => {
    const now = Math.floor(Date.now() / 1000);
    const all = { iss: address, aud: 'consul', iat: now, exp: now + 300, ...claims };
    return new SignJWT(Object.fromEntries(Object.entries(all).filter(([, value]) => value !== null)))
      .setProtectedHeader({ alg: 'RS256', kid: 'key-1' })
      .sign(key);
  };
  const server = createServer((request, response) => {
    asked += 1;
    const path = request.url ?? '/';
    if (health !== 'hanging') return answer(path, response);
    waiting.push(() => answer(path, response));
    awaited();
  });
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const bound = server.address();
  address = `http://127.0.0.1:${typeof bound === 'object' && bound !== null ? bound.port : 0}`;
  return {
    address,
    jwksUrl: `${address}/jwks`,
    publicKey: await exportSPKI(pair.publicKey),
    get asked() {
      return asked;
    },
    setHealth(to) {
      health = to;
      if (to !== 'hanging') for (const reply of waiting.splice(0)) reply();
    },
    isAwaited: () =>
      waiting.length > 0 ? Promise.resolve() : new Promise<void>((resolve) => (awaited = resolve)),
    sign: (claims) => signed(pair.privateKey, claims),
    forge(claims) {
      stranger ??= takeRsaPair();
      return signed(stranger.privateKey, claims);
    },
    unref: () => server.unref(),
    close: () =>
      new Promise((resolve) => {
        server.close(() => {
          giveBackRsaPair(pair);
          if (stranger !== undefined) giveBackRsaPair(stranger);
          resolve();
        });
        for (const socket of sockets) socket.destroy();
      }),
  };
}
