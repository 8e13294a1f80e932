import type { AccessCheck } from './directory.js';
import type { EventFeed, ProviderParts } from './provider-parts.js';
import type { EventSource } from './source.js';

/** Shared signals in addition to a provider of any kind. */
export interface SignalFeed extends EventFeed {
  /** What the credentials at the transmitter may do. Empty if the transmitter does not answer now. */
  checkAccess?(signal: AbortSignal): Promise<readonly AccessCheck[]>;
  close(): Promise<void>;
}

/** A provider with shared signals in addition to its own events. Its directory's `close` ends their connections too. */
export function withSignals<Parts extends ProviderParts>(parts: Parts, signals: SignalFeed): Parts {
  const { close, checkAccess, ...feed } = signals;
  const { directory } = parts;
  const checkBoth = async (signal: AbortSignal) => [
    ...((await directory.checkAccess?.(signal)) ?? []),
    ...((await checkAccess?.(signal)) ?? []),
  ];
  return {
    ...parts,
    directory: {
      ...directory,
      ...(checkAccess === undefined ? {} : { checkAccess: checkBoth }),
      close: async () => {
        await Promise.all([close(), directory.close()]);
      },
    },
    signals: feed,
  };
}

/**
 * The receiver at a provider's address. Requests with the content type of a security event token (RFC 8935, section 2) are
 * shared signals. All others are the provider's own events.
 */
export function composeSources({ source: own, signals }: ProviderParts): EventSource | undefined {
  const sets = signals?.source;
  if (own === undefined || sets === undefined) return own ?? sets;
  return {
    provider: own.provider,
    answersGet: own.answersGet === true,
    receive: (request) => (isSet(request.headers['content-type']) ? sets : own).receive(request),
  };
}

export const SET_TYPE = 'application/secevent+jwt';

/** By the content type that the sender states. */
export function isSet(contentType: string | undefined): boolean {
  return contentType?.split(';', 1)[0]?.trim().toLowerCase() === SET_TYPE;
}
