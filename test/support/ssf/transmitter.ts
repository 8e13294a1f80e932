import { randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createSigner, type SetSigner } from './set-signer.js';
import { answerManagement } from './stream-endpoints.js';

/** A stream as the stand-in has it (SSF 1.0, section 8.1.1). */
export interface StandInStream {
  readonly stream_id: string;
  readonly iss: string;
  readonly aud: string | readonly string[];
  delivery: { method: string; endpoint_url?: string; authorization_header?: string };
  events_requested: readonly string[];
  status: 'enabled' | 'paused' | 'disabled';
}

export interface Answer {
  readonly status: number;
  readonly json?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface ReceivedRequest {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly body: unknown;
  readonly headers: IncomingMessage['headers'];
}

/**
 * A transmitter of shared signals, built from the specifications: SSF 1.0 (discovery, streams, status, verification),
 * RFC 8935 (push), RFC 8936 (poll), RFC 8417 (sets). Members that scopemesh does not read are there too.
 */
export interface StandInTransmitter {
  readonly issuer: string;
  readonly streams: Map<string, StandInStream>;
  /** What signs; the first is used, all are published. */
  signers: SetSigner[];
  readonly managementToken: string;
  /** Tokens given to a client; what is taken out is refused. */
  readonly issued: Set<string>;
  /** `METHOD path`, oldest first. */
  readonly seen: string[];
  /** Bodies of requests to the poll endpoint. */
  readonly polled: unknown[];
  /** How a push was answered. */
  readonly answered: { readonly status: number; readonly body: string }[];
  /** What waits for a poll, by jti. */
  readonly waiting: Map<string, string>;
  /** What was given back by `setErrs`. */
  readonly refused: Map<string, unknown>;
  aud: string | readonly string[];
  /** Further members of the configuration document, or other values; undefined takes one out. */
  metadata: Readonly<Record<string, unknown>>;
  /** Further members of every stream as it is answered. */
  ofStreams: Readonly<Record<string, unknown>>;
  /** Verification events are asked for and never sent. */
  isSilent: boolean;
  /** Second streams are refused with 409. */
  isSingle: boolean;
  /** The most sets that one poll is answered, whatever it asks for. */
  mostSets: number;
  /** What is answered instead; undefined: what the specification says. */
  fault: ((asked: ReceivedRequest) => Answer | undefined) | undefined;
  /** Claims of a set about the subject. */
  claims(events: object, rest?: Readonly<Record<string, unknown>>): Record<string, unknown>;
  /** Sends a set down each stream; resolves when pushes are answered. */
  emit(claims: Record<string, unknown>): Promise<void>;
  close(): Promise<void>;
}

export interface StandInOptions {
  readonly now: () => number;
  /** The path of the issuer; none by default. */
  readonly path?: string;
  /** Whether the configuration is only where no path is inserted. */
  readonly isAppended?: boolean;
}

export async function startTransmitter(options: StandInOptions): Promise<StandInTransmitter> {
  const { path = '', isAppended = false } = options;
  const wellKnown = '/.well-known/ssf-configuration';
  const server = createServer((request, response) => {
    read(request).then((asked) => {
      self.seen.push(`${asked.method} ${asked.path}`);
      send(response, self.fault?.(asked) ?? answer(asked));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const bound = server.address();
  const origin = `http://127.0.0.1:${typeof bound === 'object' && bound !== null ? bound.port : 0}`;

  const answer = (asked: ReceivedRequest): Answer => {
    const configuration = isAppended ? path + wellKnown : wellKnown + path;
    if (asked.path === configuration) return { status: 200, json: configurationOf(self, origin) };
    if (asked.path === '/jwks') return { status: 200, json: { keys: self.signers.map(({ jwk }) => jwk) } };
    return answerManagement(asked, self, origin);
  };

  const self: StandInTransmitter = {
    issuer: origin + path,
    streams: new Map(),
    signers: [createSigner('key-1')],
    managementToken: 'management-token-0123456789',
    issued: new Set(),
    seen: [],
    polled: [],
    answered: [],
    waiting: new Map(),
    refused: new Map(),
    aud: 'https://scopemesh.example.com',
    metadata: {},
    ofStreams: {},
    isSilent: false,
    isSingle: false,
    mostSets: 100,
    fault: undefined,
    claims: (events, rest = {}) => ({
      iss: self.issuer,
      aud: self.aud,
      jti: randomUUID(),
      iat: Math.floor(options.now() / 1000),
      txn: randomUUID(),
      events,
      ...rest,
    }),
    async emit(claims) {
      const [signer] = self.signers;
      if (signer === undefined) throw new Error('nothing signs');
      const set = signer.sign(claims);
      for (const { delivery, status } of self.streams.values()) {
        if (status !== 'enabled') continue;
        if (delivery.method === 'urn:ietf:rfc:8936') self.waiting.set(String(claims.jti), set);
        else await push(delivery, set);
      }
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
  return self;

  async function push(delivery: StandInStream['delivery'], set: string): Promise<void> {
    const headers = {
      'content-type': 'application/secevent+jwt',
      accept: 'application/json',
      ...(delivery.authorization_header === undefined
        ? {}
        : { authorization: delivery.authorization_header }),
    };
    const reply = await fetch(delivery.endpoint_url ?? '', { method: 'POST', headers, body: set });
    self.answered.push({ status: reply.status, body: await reply.text() });
  }
}

function configurationOf(self: StandInTransmitter, origin: string): object {
  return {
    spec_version: '1_0',
    issuer: self.issuer,
    jwks_uri: `${origin}/jwks`,
    delivery_methods_supported: ['urn:ietf:rfc:8935', 'urn:ietf:rfc:8936'],
    configuration_endpoint: `${origin}/ssf/streams`,
    status_endpoint: `${origin}/ssf/status`,
    add_subject_endpoint: `${origin}/ssf/subjects:add`,
    remove_subject_endpoint: `${origin}/ssf/subjects:remove`,
    verification_endpoint: `${origin}/ssf/verify`,
    critical_subject_members: ['user'],
    authorization_schemes: [{ spec_urn: 'urn:ietf:rfc:6749' }],
    default_subjects: 'ALL',
    ...self.metadata,
  };
}

async function read(request: IncomingMessage): Promise<ReceivedRequest> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk);
  const text = Buffer.concat(chunks).toString('utf8');
  const { pathname, searchParams } = new URL(request.url ?? '/', 'http://localhost');
  const isJson = request.headers['content-type'] === 'application/json';
  return {
    method: request.method ?? 'GET',
    path: pathname,
    query: searchParams,
    body: isJson ? JSON.parse(text) : new URLSearchParams(text),
    headers: request.headers,
  };
}

function send(response: ServerResponse, { status, json, headers = {} }: Answer): void {
  response.writeHead(status, { 'content-type': 'application/json', 'cache-control': 'no-store', ...headers });
  response.end(json === undefined ? undefined : JSON.stringify(json));
}
