import { z } from 'zod';
import { configError } from '../../errors.js';
import { type Authorize, sendAuthorized } from '../api-client.js';
import { type HttpAnswer, type HttpClient, parseJson, refusalOf } from '../http-client.js';
import { incomplete } from '../read-errors.js';
import { parseShape } from '../records.js';
import type { SsfOptions } from './options.js';
import type { Transmitter, TransmitterMetadata } from './transmitter.js';

export const PUSH = 'urn:ietf:rfc:8935';
export const POLL = 'urn:ietf:rfc:8936';

/** What a receiver may request for a stream. */
export interface StreamRequest {
  readonly delivery?: {
    readonly method: string;
    readonly endpoint_url?: string;
    readonly authorization_header?: string;
  };
  readonly events_requested: readonly string[];
}

/**
 * The management API of a transmitter (SSF 1.0, section 8.1). Throws as a Directory does, and ERR_CONFIG if the transmitter
 * lacks the endpoint.
 */
export type StreamApi = ReturnType<typeof createStreamApi>;

interface StreamApiOptions extends Pick<SsfOptions, 'provider' | 'transmitter' | 'clock'> {
  readonly metadata: Transmitter;
  readonly authorize: Authorize;
  readonly http: HttpClient;
}

const text = z.string().min(1).max(2048);
/** A stream at its transmitter (SSF 1.0, section 8.1.1): the fields that scopemesh uses. */
export type Stream = z.output<typeof STREAM>;
const STREAM = z
  .object({
    stream_id: text,
    iss: z.string(),
    aud: z.union([z.string(), z.array(z.string()).max(64)]),
    delivery: z.object({ method: text, endpoint_url: text.nullish() }),
    events_delivered: z.array(z.string()).max(1000).nullish(),
    default_subjects: z.string().max(64).nullish(),
    min_verification_interval: z.number().nonnegative().max(31_536_000).nullish(),
  })
  .transform((parsed) => ({
    issuer: parsed.iss,
    streamId: parsed.stream_id,
    audiences: [parsed.aud].flat(),
    /** A method URI. */
    method: parsed.delivery.method,
    endpoint: parsed.delivery.endpoint_url ?? undefined,
    /** The event types that it delivers. */
    eventsDelivered: parsed.events_delivered ?? undefined,
    /** Whether it includes all subjects. Some transmitters state it per stream, in addition to their configuration. */
    defaultSubjects: parsed.default_subjects ?? undefined,
    /** The shortest time between two verification requests. */
    minVerificationMs: (parsed.min_verification_interval ?? 0) * 1000,
  }));
const streams = z.union([z.array(STREAM).max(1000), STREAM.transform((one) => [one])]);
const statusAnswer = z.object({ status: z.string().max(64) });

export function createStreamApi(options: StreamApiOptions) {
  const { provider, http, clock, metadata, authorize } = options;
  const place = `provider ${provider}, streams of ${new URL(options.transmitter).origin}`;
  const send = (
    url: URL,
    method: 'GET' | 'POST' | 'PATCH',
    body: object | undefined,
    signal: AbortSignal,
  ): Promise<HttpAnswer> =>
    sendAuthorized(authorize, signal, (authorization) => {
      // RFC 8936, section 2.6: the language of the descriptions in `setErrs`.
      const json = body === undefined ? {} : { 'content-type': 'application/json', 'content-language': 'en' };
      const headers = { authorization, ...json };
      const request = { method, headers, ...(body === undefined ? {} : { body: JSON.stringify(body) }) };
      return http.request(url, place, request, signal);
    });
  const at = async (name: EndpointName, signal: AbortSignal): Promise<URL> => {
    const url = (await metadata.read(signal))[name];
    if (url !== undefined) return url;
    const remedy = 'configure the stream manually, and remove token and clientId from ssf';
    throw configError(`${place}: the transmitter has no ${name}; ${remedy}`);
  };
  const expect = (answer: HttpAnswer, ...statuses: readonly number[]): void => {
    if (!statuses.includes(answer.status)) throw refusalOf(answer, place, clock);
  };
  const parse = (answer: HttpAnswer): readonly Stream[] =>
    parseShape(streams, parseJson(answer, place), place).map((each) => {
      if (each.issuer !== options.transmitter) throw incomplete(place, 'a stream has another issuer');
      return each;
    });
  const parseOne = (answer: HttpAnswer): Stream => {
    const [one] = parse(answer);
    if (one === undefined) throw incomplete(place, 'the answer has no stream');
    return one;
  };

  const list = async (signal: AbortSignal): Promise<readonly Stream[]> => {
    const answer = await send(await at('configurationEndpoint', signal), 'GET', undefined, signal);
    // Some transmitters answer 404 if there is no stream.
    if (answer.status === 404) return [];
    expect(answer, 200);
    return parse(answer);
  };

  return {
    list,
    /** Undefined if a stream exists already and the transmitter allows no second one. */
    async create(request: StreamRequest, signal: AbortSignal): Promise<Stream | undefined> {
      const answer = await send(await at('configurationEndpoint', signal), 'POST', request, signal);
      if (answer.status === 409) return undefined;
      expect(answer, 200, 201);
      return parseOne(answer);
    },
    async update(streamId: string, request: StreamRequest, signal: AbortSignal): Promise<Stream> {
      const body = { stream_id: streamId, ...request };
      const answer = await send(await at('configurationEndpoint', signal), 'PATCH', body, signal);
      expect(answer, 200, 202);
      return parseOne(answer);
    },
    /** `enabled`, `paused`, `disabled`, or `gone`. Undefined if the transmitter does not state it. */
    async status(streamId: string, signal: AbortSignal): Promise<string | undefined> {
      const endpoint = (await metadata.read(signal)).statusEndpoint;
      if (endpoint === undefined)
        return (await list(signal)).some((each) => each.streamId === streamId) ? undefined : 'gone';
      const url = new URL(endpoint);
      url.searchParams.set('stream_id', streamId);
      const answer = await send(url, 'GET', undefined, signal);
      if (isGone(answer)) return 'gone';
      expect(answer, 200);
      return parseShape(statusAnswer, parseJson(answer, place), place).status;
    },
    /** Asks the transmitter to start a stopped stream again. */
    async enable(streamId: string, signal: AbortSignal): Promise<void> {
      const body = { stream_id: streamId, status: 'enabled' };
      const answer = await send(await at('statusEndpoint', signal), 'POST', body, signal);
      expect(answer, 200, 202);
    },
    /** `skipped`: it cannot be requested now, or never. `gone`: there is no such stream. */
    async verify(
      streamId: string,
      state: string,
      signal: AbortSignal,
    ): Promise<'requested' | 'skipped' | 'gone'> {
      const endpoint = (await metadata.read(signal)).verificationEndpoint;
      if (endpoint === undefined) return 'skipped';
      const answer = await send(endpoint, 'POST', { stream_id: streamId, state }, signal);
      if (answer.status === 429) return 'skipped';
      if (isGone(answer)) return 'gone';
      expect(answer, 204, 200, 202);
      return 'requested';
    },
    /** POSTs to the stream's own endpoint. */
    send: (endpoint: URL, body: object, signal: AbortSignal) => send(endpoint, 'POST', body, signal),
  };
}

type EndpointName = Extract<keyof TransmitterMetadata, `${string}Endpoint`>;

/** SSF 1.0, section 8.1: 404 if this receiver has no such stream. */
export function isGone({ status }: HttpAnswer): boolean {
  return status === 404 || status === 410;
}
