import { SyncError } from '../../errors.js';
import type { Logger } from '../../observe.js';
import { EVENTS_REQUESTED } from './meaning.js';
import { POLL, PUSH, type Stream, type StreamApi, type StreamRequest } from './stream-api.js';
import type { Transmitter } from './transmitter.js';

/** The stream of this receiver, found or made once and then known. */
export interface OwnStream {
  /** Throws as StreamApi does; ERR_CONFIG where its audience is not ours. */
  find(signal: AbortSignal): Promise<Stream>;
  /** It is gone, or not as it was: the next `find` asks again. */
  forget(): void;
}

export interface OwnStreamOptions {
  readonly provider: string;
  readonly delivery: 'push' | 'poll';
  /** Where the transmitter reaches us; for `push`. */
  readonly endpoint?: string;
  /** Sent with each push, as it stands in the header. */
  readonly authorizationHeader?: () => string | undefined;
  readonly audiences: readonly string[];
  readonly api: StreamApi;
  readonly metadata: Transmitter;
  readonly logger: Logger;
}

/** Each way by its names, of which the second is of the time before RFC 8935 and 8936; Okta and Google still know it. */
const METHODS = {
  push: [PUSH, 'https://schemas.openid.net/secevent/risc/delivery-method/push'],
  poll: [POLL, 'https://schemas.openid.net/secevent/risc/delivery-method/poll'],
} as const;

export function createOwnStream(options: OwnStreamOptions): OwnStream {
  const { provider, logger } = options;
  let known: Promise<Stream> | undefined;
  return {
    find(signal) {
      known ??= findOrCreate(options, signal).catch((error: unknown) => {
        known = undefined;
        throw error;
      });
      return known;
    },
    forget() {
      known = undefined;
      logger.info({ provider }, 'the stream of shared signals is looked for again');
    },
  };
}

async function findOrCreate(options: OwnStreamOptions, signal: AbortSignal): Promise<Stream> {
  const { provider, api, audiences, logger } = options;
  const { defaultSubjects, deliveryMethods } = await options.metadata.read(signal);
  const wanted = toRequest(methodOf(deliveryMethods, options), options);
  const existing = await api.list(signal);
  const mine = existing.find((each) => isMine(each, options));
  const stream =
    mine === undefined
      ? ((await api.create(wanted, signal)) ?? (await takeOver(options, wanted, signal)))
      : // The tokens of pushes and the events may have changed since.
        await api.update(mine.streamId, toUpdate(mine, wanted), signal);
  if (!stream.audiences.some((each) => audiences.includes(each))) {
    const message = `provider ${provider}: the stream is for another audience than ssf.audience; write what the transmitter calls this receiver`;
    throw new SyncError('ERR_CONFIG', message, { retriable: false });
  }
  if ((stream.defaultSubjects ?? defaultSubjects) === 'NONE')
    logger.warn(
      { provider },
      'the transmitter sends events only of subjects that it was told to: add them there',
    );
  const missing = EVENTS_REQUESTED.filter((each) => stream.eventsDelivered?.includes(each) === false);
  logger.info({ provider, streamId: stream.streamId, missing }, 'the stream of shared signals is set up');
  return stream;
}

/** The transmitter allows one stream to a receiver, and there is one that is set up otherwise. */
async function takeOver(
  options: OwnStreamOptions,
  wanted: StreamRequest,
  signal: AbortSignal,
): Promise<Stream> {
  const [only, ...others] = await options.api.list(signal);
  if (only === undefined || others.length > 0) {
    const message = `provider ${options.provider}: the transmitter makes no stream, since it has some; delete those that are not used`;
    throw new SyncError('ERR_CONFIG', message, { retriable: false });
  }
  return options.api.update(only.streamId, toUpdate(only, wanted), signal);
}

function isMine({ method, endpoint }: Stream, { delivery, endpoint: ours }: OwnStreamOptions): boolean {
  const isSame = METHODS[delivery].some((each) => each === method);
  return isSame && (delivery === 'poll' || endpoint === ours);
}

/** What the transmitter calls our way of delivery. Where it does not tell, it is asked by the name of the RFC. */
function methodOf(offered: readonly string[] | undefined, { provider, delivery }: OwnStreamOptions): string {
  const [name] = METHODS[delivery];
  if (offered === undefined) return name;
  const method = METHODS[delivery].find((each) => offered.includes(each));
  if (method !== undefined) return method;
  const other = delivery === 'push' ? 'poll' : 'push';
  const message = `provider ${provider}: the transmitter does not deliver by ${delivery}; write "delivery: ${other}" under ssf`;
  throw new SyncError('ERR_CONFIG', message, { retriable: false });
}

function toRequest(method: string, options: OwnStreamOptions): StreamRequest {
  const authorization = options.authorizationHeader?.();
  const delivery =
    options.delivery === 'poll'
      ? { method }
      : {
          method,
          ...(options.endpoint === undefined ? {} : { endpoint_url: options.endpoint }),
          ...(authorization === undefined ? {} : { authorization_header: authorization }),
        };
  return { delivery, events_requested: EVENTS_REQUESTED };
}

/** The endpoint of a poll is the transmitter's own, so a stream that is polled already is asked for events alone. */
function toUpdate(existing: Stream, { delivery, events_requested }: StreamRequest): StreamRequest {
  return METHODS.poll.some((each) => each === existing.method) && delivery?.endpoint_url === undefined
    ? { events_requested }
    : { ...(delivery === undefined ? {} : { delivery }), events_requested };
}
