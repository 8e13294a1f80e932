import { configError } from '../../errors.js';
import { definedFields } from '../../model/defined-fields.js';
import { EVENTS_REQUESTED } from './meaning.js';
import type { SsfOptions } from './options.js';
import { POLL, PUSH, type Stream, type StreamApi, type StreamRequest } from './stream-api.js';
import type { Transmitter } from './transmitter.js';

/** The stream of this receiver. It is found or created once, and then known. */
export type OwnStream = ReturnType<typeof createOwnStream>;

interface OwnStreamOptions
  extends Pick<SsfOptions, 'provider' | 'delivery' | 'endpoint' | 'audiences' | 'logger'> {
  /** The complete header that each push carries. */
  readonly authorizationHeader: () => string | undefined;
  readonly api: StreamApi;
  readonly metadata: Transmitter;
}

/** The names of each method. The second ones are older than RFC 8935 and 8936; Okta and Google still know them. */
const METHODS = {
  push: [PUSH, 'https://schemas.openid.net/secevent/risc/delivery-method/push'],
  poll: [POLL, 'https://schemas.openid.net/secevent/risc/delivery-method/poll'],
} as const;

export function createOwnStream(options: OwnStreamOptions) {
  const { provider, logger } = options;
  let known: Promise<Stream> | undefined;
  return {
    /** Throws as StreamApi does, and ERR_CONFIG if its audience is not ours. */
    find(signal: AbortSignal): Promise<Stream> {
      known ??= findOrCreate(options, signal).catch((error: unknown) => {
        known = undefined;
        throw error;
      });
      return known;
    },
    /** The stream is gone or changed: the next `find` asks the transmitter again. */
    forget(): void {
      known = undefined;
      logger.info({ provider }, 'scopemesh looks for the stream of shared signals again');
    },
  };
}

async function findOrCreate(options: OwnStreamOptions, signal: AbortSignal): Promise<Stream> {
  const { provider, api, audiences, logger } = options;
  const { defaultSubjects, deliveryMethods } = await options.metadata.read(signal);
  const desired = toRequest(methodOf(deliveryMethods, options), options);
  const existing = await api.list(signal);
  const own = existing.find((each) => isOwn(each, options));
  const stream =
    own === undefined
      ? ((await api.create(desired, signal)) ?? (await adoptOnly(options, desired, signal)))
      : // The push token and the requested events may have changed since.
        await api.update(own.streamId, toUpdate(own, desired), signal);
  if (!stream.audiences.some((each) => audiences.includes(each))) {
    const remedy = 'write the name that the transmitter has for this receiver';
    throw configError(`provider ${provider}: the stream has another audience than ssf.audience; ${remedy}`);
  }
  if ((stream.defaultSubjects ?? defaultSubjects) === 'NONE')
    logger.warn(
      { provider },
      'the transmitter sends events only of subjects that were added to the stream: add them there',
    );
  const missing = EVENTS_REQUESTED.filter((each) => stream.eventsDelivered?.includes(each) === false);
  logger.info({ provider, streamId: stream.streamId, missing }, 'the stream of shared signals is configured');
  return stream;
}

/** The transmitter allows one stream per receiver, and there is one with another configuration. */
async function adoptOnly(
  options: OwnStreamOptions,
  desired: StreamRequest,
  signal: AbortSignal,
): Promise<Stream> {
  const [only, ...others] = await options.api.list(signal);
  if (only === undefined || others.length > 0)
    throw configError(
      `provider ${options.provider}: the transmitter allows no further stream; delete the streams that are not used`,
    );
  return options.api.update(only.streamId, toUpdate(only, desired), signal);
}

function isOwn({ method, endpoint }: Stream, { delivery, endpoint: ours }: OwnStreamOptions): boolean {
  const isSame = METHODS[delivery].some((each) => each === method);
  return isSame && (delivery === 'poll' || endpoint === ours);
}

/** The transmitter's name of our delivery method. If it does not state its methods, the name in the RFC is used. */
function methodOf(offered: readonly string[] | undefined, { provider, delivery }: OwnStreamOptions): string {
  const [name] = METHODS[delivery];
  if (offered === undefined) return name;
  const method = METHODS[delivery].find((each) => offered.includes(each));
  if (method !== undefined) return method;
  const other = delivery === 'push' ? 'poll' : 'push';
  throw configError(
    `provider ${provider}: the transmitter does not deliver by ${delivery}; write "delivery: ${other}" under ssf`,
  );
}

function toRequest(method: string, options: OwnStreamOptions): StreamRequest {
  const fields = { endpoint_url: options.endpoint, authorization_header: options.authorizationHeader() };
  const delivery = options.delivery === 'poll' ? { method } : { method, ...definedFields(fields) };
  return { delivery, events_requested: EVENTS_REQUESTED };
}

/** The poll endpoint is the transmitter's own, so for a polled stream only the events are requested. */
function toUpdate(existing: Stream, { delivery, events_requested }: StreamRequest): StreamRequest {
  return METHODS.poll.some((each) => each === existing.method) && delivery?.endpoint_url === undefined
    ? { events_requested }
    : { ...definedFields({ delivery }), events_requested };
}
