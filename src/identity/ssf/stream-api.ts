import { z } from 'zod';
import type { Clock } from '../../clock.js';
import { IncompleteRead, SyncError } from '../../errors.js';
import type { Secret } from '../../model/secret.js';
import type { AccessTokenSource } from '../access-token.js';
import { type HttpAnswer, type HttpClient, parseJson, refusalOf } from '../http-client.js';
import type { Transmitter, TransmitterMetadata } from './transmitter.js';

export const PUSH = 'urn:ietf:rfc:8935';
export const POLL = 'urn:ietf:rfc:8936';

/** A stream as its transmitter has it (SSF 1.0, section 8.1.1), as far as scopemesh uses it. */
export interface Stream {
  readonly streamId: string;
  readonly audiences: readonly string[];
  /** A method URI. */
  readonly method: string;
  readonly endpoint?: string;
  /** What it will send, by event type. */
  readonly eventsDelivered?: readonly string[];
  /** Whether all subjects are on it; some transmitters tell it of each stream, beside their configuration. */
  readonly defaultSubjects?: string;
  /** The least time between two requests for verification. */
  readonly minVerificationMs: number;
}

/** What a receiver may ask of a stream. */
export interface StreamRequest {
  readonly delivery?: {
    readonly method: string;
    readonly endpoint_url?: string;
    readonly authorization_header?: string;
  };
  readonly events_requested: readonly string[];
}

/**
 * The management API of a transmitter (SSF 1.0, section 8.1), with one token. Throws as a Directory does; ERR_CONFIG
 * where the transmitter has not the endpoint.
 */
export interface StreamApi {
  list(signal: AbortSignal): Promise<readonly Stream[]>;
  /** Undefined where there is one already and the transmitter allows no second. */
  create(request: StreamRequest, signal: AbortSignal): Promise<Stream | undefined>;
  update(streamId: string, request: StreamRequest, signal: AbortSignal): Promise<Stream>;
  /** `enabled`, `paused`, `disabled`, or `gone`; undefined of a stream whose transmitter tells none. */
  status(streamId: string, signal: AbortSignal): Promise<string | undefined>;
  /** Asks that a stopped stream go on. */
  enable(streamId: string, signal: AbortSignal): Promise<void>;
  /** `unasked` where it cannot be asked for now, or never; `gone` where there is no such stream. */
  verify(streamId: string, state: string, signal: AbortSignal): Promise<'asked' | 'unasked' | 'gone'>;
  /** POSTs to the stream's own endpoint. */
  send(endpoint: URL, body: object, signal: AbortSignal): Promise<HttpAnswer>;
}

export interface StreamApiOptions {
  readonly provider: string;
  readonly transmitter: string;
  readonly metadata: Transmitter;
  /** A token that stays, or where to get one. */
  readonly credentials: Secret | AccessTokenSource;
  readonly http: HttpClient;
  readonly clock: Clock;
}

const text = z.string().min(1).max(2048);
const stream = z.object({
  stream_id: text,
  iss: z.string(),
  aud: z.union([z.string(), z.array(z.string()).max(64)]),
  delivery: z.object({ method: text, endpoint_url: text.nullish() }),
  events_delivered: z.array(z.string()).max(1000).nullish(),
  default_subjects: z.string().max(64).nullish(),
  min_verification_interval: z.number().nonnegative().max(31_536_000).nullish(),
});
const streams = z.union([z.array(stream).max(1000), stream.transform((one) => [one])]);
const statusAnswer = z.object({ status: z.string().max(64) });

export function createStreamApi(options: StreamApiOptions): StreamApi {
  const { provider, http, clock, metadata } = options;
  const place = `provider ${provider}, streams of ${new URL(options.transmitter).origin}`;
  const authorize = createAuthorization(options.credentials);

  const send = async (
    url: URL,
    method: 'GET' | 'POST' | 'PATCH',
    body: object | undefined,
    signal: AbortSignal,
  ): Promise<HttpAnswer> => {
    const ask = async (accessToken: string) => {
      const headers = {
        authorization: `Bearer ${accessToken}`,
        // RFC 8936, section 2.6, asks for the language of what `setErrs` describe.
        ...(body === undefined ? {} : { 'content-type': 'application/json', 'content-language': 'en' }),
      };
      const request = { method, headers, ...(body === undefined ? {} : { body: JSON.stringify(body) }) };
      return http.request(url, place, request, signal);
    };
    const first = await authorize(signal);
    const answer = await ask(first);
    if (answer.status !== 401) return answer;
    const renewed = await authorize(signal, first);
    return renewed === first ? answer : ask(renewed);
  };
  const at = async (name: EndpointName, signal: AbortSignal): Promise<URL> => {
    const url = (await metadata.read(signal))[name];
    if (url !== undefined) return url;
    const message = `${place}: it has no ${name}; make the stream by hand, and leave out token and clientId`;
    throw new SyncError('ERR_CONFIG', message, { retriable: false });
  };
  const expect = (answer: HttpAnswer, ...statuses: readonly number[]): void => {
    if (!statuses.includes(answer.status)) throw refusalOf(answer, place, clock);
  };
  const parse = (answer: HttpAnswer): readonly Stream[] => {
    const parsed = streams.safeParse(parseJson(answer, place));
    if (!parsed.success) throw wrong('a stream of the wrong shape');
    return parsed.data.map((each) => {
      if (each.iss !== options.transmitter) throw wrong('a stream of another issuer');
      return toStream(each);
    });
  };
  const parseOne = (answer: HttpAnswer): Stream => {
    const [one] = parse(answer);
    if (one === undefined) throw wrong('no stream');
    return one;
  };
  const wrong = (what: string) =>
    new IncompleteRead('ERR_DIRECTORY_INCOMPLETE', `${place}: answered ${what}`, { retriable: true });

  const list = async (signal: AbortSignal): Promise<readonly Stream[]> => {
    const answer = await send(await at('configurationEndpoint', signal), 'GET', undefined, signal);
    // Some say 404 for no stream.
    if (answer.status === 404) return [];
    expect(answer, 200);
    return parse(answer);
  };

  return {
    list,
    async create(request, signal) {
      const answer = await send(await at('configurationEndpoint', signal), 'POST', request, signal);
      if (answer.status === 409) return undefined;
      expect(answer, 200, 201);
      return parseOne(answer);
    },
    async update(streamId, request, signal) {
      const body = { stream_id: streamId, ...request };
      const answer = await send(await at('configurationEndpoint', signal), 'PATCH', body, signal);
      expect(answer, 200, 202);
      return parseOne(answer);
    },
    async status(streamId, signal) {
      const endpoint = (await metadata.read(signal)).statusEndpoint;
      if (endpoint === undefined)
        return (await list(signal)).some((each) => each.streamId === streamId) ? undefined : 'gone';
      const url = new URL(endpoint);
      url.searchParams.set('stream_id', streamId);
      const answer = await send(url, 'GET', undefined, signal);
      if (isGone(answer)) return 'gone';
      expect(answer, 200);
      const parsed = statusAnswer.safeParse(parseJson(answer, place));
      if (!parsed.success) throw wrong('a status of the wrong shape');
      return parsed.data.status;
    },
    async enable(streamId, signal) {
      const body = { stream_id: streamId, status: 'enabled' };
      const answer = await send(await at('statusEndpoint', signal), 'POST', body, signal);
      expect(answer, 200, 202);
    },
    async verify(streamId, state, signal) {
      const endpoint = (await metadata.read(signal)).verificationEndpoint;
      if (endpoint === undefined) return 'unasked';
      const answer = await send(endpoint, 'POST', { stream_id: streamId, state }, signal);
      if (answer.status === 429) return 'unasked';
      if (isGone(answer)) return 'gone';
      expect(answer, 204, 200, 202);
      return 'asked';
    },
    send: (endpoint, body, signal) => send(endpoint, 'POST', body, signal),
  };
}

type EndpointName = keyof {
  [Name in keyof TransmitterMetadata as Name extends `${string}Endpoint` ? Name : never]: Name;
};

/** SSF 1.0, section 8.1, has 404 for a stream that this receiver has not. */
export function isGone({ status }: HttpAnswer): boolean {
  return status === 404 || status === 410;
}

function toStream(parsed: z.output<typeof stream>): Stream {
  const { endpoint_url: endpoint } = parsed.delivery;
  return {
    streamId: parsed.stream_id,
    audiences: [parsed.aud].flat(),
    method: parsed.delivery.method,
    ...(endpoint == null ? {} : { endpoint }),
    ...(parsed.events_delivered == null ? {} : { eventsDelivered: parsed.events_delivered }),
    ...(parsed.default_subjects == null ? {} : { defaultSubjects: parsed.default_subjects }),
    minVerificationMs: (parsed.min_verification_interval ?? 0) * 1000,
  };
}

function createAuthorization(
  credentials: Secret | AccessTokenSource,
): (signal: AbortSignal, stale?: string) => Promise<string> {
  return 'reveal' in credentials
    ? () => Promise.resolve(credentials.reveal())
    : (signal, stale) => credentials.get(signal, stale);
}
