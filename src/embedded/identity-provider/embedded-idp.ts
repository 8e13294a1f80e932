import { randomBytes } from 'node:crypto';
import { createServer, type RequestListener } from 'node:http';
import type { Clock } from '../../clock.js';
import { SyncError } from '../../errors.js';
import { Secret } from '../../model/secret.js';
import { closeServer, listen } from '../listen.js';
import { type ClientStore, createClientStore, type EmbeddedClient } from './client-store.js';
import { createEventSender } from './event-sender.js';
import { createManagementApi, isManagementPath } from './management-api.js';
import { createSigningKey, createTokenServer, type LoginClient } from './oidc-provider.js';
import { createPersonStore, type EmbeddedPerson } from './person-store.js';
import { createPersonTokens, type SignPersonToken } from './person-token.js';

const HOST = '127.0.0.1';
/** The `aud` of access tokens. */
const AUDIENCE = 'consul';

interface EmbeddedIdpOptions {
  /** On 127.0.0.1; a free one if absent. */
  readonly port?: number;
  readonly clients: readonly EmbeddedClient[];
  readonly people?: readonly EmbeddedPerson[];
  /** Where people sign in. */
  readonly loginClient?: LoginClient;
  /** The webhook to which changes are reported, signed with `whsec_<base64>`. */
  readonly webhook?: { readonly url: string; readonly secret: Secret };
  /** If set, reading the directory needs it too. Otherwise a random one, which only writes need. */
  readonly managementToken?: Secret;
  /** Clients per page of the directory; 500 by default. */
  readonly pageSize?: number;
  readonly clock: Clock;
}

export interface EmbeddedIdp {
  /** Also the base of `<issuer>/directory` and `<issuer>/clients/<id>`. */
  readonly issuer: string;
  readonly managementToken: Secret;
  /** The secret of a client, also if it is a random one. */
  clientSecret(clientId: string): Secret | undefined;
  /** Resolves once every event so far is delivered or given up. */
  settled(): Promise<void>;
  /** Ends connections and drops events that are not yet delivered. Safe to repeat. */
  close(): Promise<void>;
}

/**
 * A real OIDC server for demos, tests and small installations. It issues tokens by client_credentials, and at `loginClient`
 * by authorization code to people who choose who they are. Clients and people are
 * changed over HTTP and kept in memory. Each change is in force when its request is answered, and is reported to the webhook.
 * Throws ERR_CONFIG if it cannot listen.
 */
export async function createEmbeddedIdp(options: EmbeddedIdpOptions): Promise<EmbeddedIdp> {
  const { clients, webhook, clock, pageSize = 500 } = options;
  const managementToken = options.managementToken ?? new Secret(randomBytes(32).toString('base64url'));
  const sender = webhook && createEventSender({ ...webhook, clock });
  const store: ClientStore = createClientStore(clients, clock, ({ type, clientId }) => {
    sender?.send(type, { clientId });
  });
  const people = createPersonStore((subject) => sender?.send('person.updated', { subject }));
  for (const person of options.people ?? []) people.put(person);
  let signPersonToken: SignPersonToken = () => Promise.reject(new Error('the server is still starting'));
  const management = createManagementApi({
    store,
    people,
    signPersonToken: (person, client) => signPersonToken(person, client),
    managementToken,
    readsNeedToken: options.managementToken !== undefined,
    pageSize,
    onSessionRevoked: (subject, clientId) =>
      sender?.send('session.revoked', clientId === undefined ? { subject } : { subject, clientId }),
  });

  // The issuer contains the port, which is known only once the server listens.
  let tokens: RequestListener = (_request, response) => response.writeHead(503).end();
  const server = createServer((request, response) => {
    const listener = isManagementPath(request.url ?? '/') ? management : tokens;
    listener(request, response);
  });
  server.requestTimeout = 10_000;
  const port = await listen(server, { host: HOST, port: options.port ?? 0 }).catch((cause: Error) => {
    const message = `embedded identity provider: cannot listen on ${HOST}:${options.port}: ${cause.message}`;
    throw new SyncError('ERR_CONFIG', message, { retriable: false, cause });
  });
  const issuer = `http://${HOST}:${port}`;
  try {
    const signingKey = await createSigningKey();
    signPersonToken = createPersonTokens({ issuer, audience: AUDIENCE, signingKey, clock });
    const { loginClient } = options;
    tokens = await createTokenServer({
      issuer,
      audience: AUDIENCE,
      store,
      signingKey,
      people,
      loginClient,
      clock,
    });
  } catch (error) {
    await closeServer(server);
    throw error;
  }

  let closed: Promise<void> | undefined;
  return {
    issuer,
    managementToken,
    clientSecret: (clientId) => store.get(clientId)?.secret,
    settled: () => sender?.settled() ?? Promise.resolve(),
    close() {
      closed ??= Promise.all([sender?.close(), closeServer(server)]).then(() => {});
      return closed;
    },
  };
}
