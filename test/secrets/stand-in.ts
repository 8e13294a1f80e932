import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A server that plays every identity provider, and repeats what it was sent wherever an answer has room for it. */
export interface StandIn {
  readonly address: string;
  /** Everything that it was sent, with the credentials of Basic and the bodies of forms decoded too. */
  seen(): string;
  close(): Promise<void>;
}

/** `tokenFor`: the access token that the provider at this address gives out. */
export async function startStandIn(tokenFor: (address: string) => string): Promise<StandIn> {
  const seen: string[] = [];
  let count = 0;
  const server = createServer(async (incoming, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of incoming) chunks.push(Buffer.from(chunk));
    const body = Buffer.concat(chunks).toString();
    seen.push(...readable(incoming, body));
    count++;
    const url = new URL(incoming.url ?? '/', 'http://stand-in');
    const base = `http://${incoming.headers.host}`;
    const discovery = /^(.*)\/\.well-known\/(?:openid-configuration|oauth-authorization-server)$/.exec(
      url.pathname,
    );
    const transmitter = /^\/\.well-known\/ssf-configuration(.*)$/.exec(url.pathname);
    if (discovery !== null && incoming.headers.authorization === undefined) {
      const issuer = `${base}${discovery[1]}`;
      // Auth0 names its issuer with a slash at its end.
      const own = base.includes('localhost') ? `${issuer}/` : issuer;
      return json(response, 200, {
        issuer: own,
        token_endpoint: `${issuer}/token`,
        jwks_uri: `${issuer}/keys`,
      });
    }
    if (transmitter !== null) {
      const issuer = `${base}${transmitter[1]}`;
      return json(response, 200, {
        issuer,
        jwks_uri: `${issuer}/keys`,
        configuration_endpoint: `${issuer}/stream`,
        status_endpoint: `${issuer}/status`,
        verification_endpoint: `${issuer}/verify`,
        delivery_methods_supported: ['urn:ietf:rfc:8935', 'urn:ietf:rfc:8936'],
      });
    }
    if (/\/(token|oauth\/token|v1\/token)$/.test(url.pathname) && count % 4 !== 0)
      return json(response, 200, {
        access_token: tokenFor(base + url.pathname),
        token_type: 'Bearer',
        expires_in: 1,
        scope: 'read',
      });
    repeat(incoming, response, body, count);
  });
  server.listen({ host: '127.0.0.1', port: 0 });
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    address: `http://127.0.0.1:${port}`,
    seen: () => seen.join('\n'),
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

function readable(incoming: IncomingMessage, body: string): readonly string[] {
  const { authorization = '' } = incoming.headers;
  const basic = /^Basic (.*)$/.exec(authorization)?.[1];
  return [
    incoming.url ?? '',
    JSON.stringify(incoming.headers),
    authorization,
    basic === undefined ? '' : decodeURIComponent(Buffer.from(basic, 'base64').toString()),
    body,
    ...new URLSearchParams(body).values(),
  ];
}

/** Every place of an answer where a server may repeat what it refuses. */
function repeat(incoming: IncomingMessage, response: ServerResponse, body: string, count: number): void {
  const { authorization = '' } = incoming.headers;
  const secret = authorization.replace(/^(Bearer|Basic|SSWS) /, '');
  const basic = Buffer.from(secret, 'base64').toString().split(':').at(1);
  const given = new URLSearchParams(body).get('client_secret') ?? basic;
  const said = `refused ${authorization}, ${body}, ${given}`;
  const headers = { 'www-authenticate': `Bearer error="invalid_token", error_description="${secret}"` };
  switch (count % 8) {
    case 0:
      json(response, 401, { error: given ?? secret, error_description: said, message: said }, headers);
      return;
    case 1:
      json(response, 403, { errorCode: secret, errorSummary: said, code: secret }, headers);
      return;
    case 2:
      response.writeHead(500, { 'content-type': 'text/html', server: secret }).end(`<h1>${said}</h1>`);
      return;
    case 3:
      response.writeHead(200, { 'content-type': 'application/json' }).end(`{"clients": [${said}`);
      return;
    case 4:
      response.writeHead(302, { location: `http://user:${encodeURIComponent(secret)}@127.0.0.1:1/` }).end();
      return;
    case 5:
      json(response, 429, { error: said }, { 'retry-after': secret, 'x-rate-limit-reset': secret });
      return;
    case 6: {
      const next = `http://user:${encodeURIComponent(secret)}@127.0.0.1:1/?token=${encodeURIComponent(secret)}`;
      const record = { clientId: { [secret]: said }, id: said, name: secret };
      json(
        response,
        200,
        { clients: [record], value: [record], next, '@odata.nextLink': next, [secret]: said },
        { link: `<${next}>; rel="next"` },
      );
      return;
    }
    default:
      response.socket?.end(`HTTP/1.1 ${secret} ${said}\r\n\r\n`);
  }
}

function json(response: ServerResponse, status: number, value: unknown, headers = {}): void {
  response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(value));
}
