import type { EventFeed, ProviderParts } from './provider-parts.js';
import type { EventSource } from './source.js';

/** Shared signals as they stand beside a provider of any kind. */
export interface SignalFeed extends EventFeed {
  readonly source: EventSource;
  close(): Promise<void>;
}

/**
 * A provider with shared signals beside its own events. Both come to the same address: what says that it is a security
 * event token (RFC 8935, section 2) goes to the one, all else to the other.
 */
export function withSignals(parts: ProviderParts, signals: SignalFeed): ProviderParts {
  const { source: sets, poll, subscription } = signals;
  const { directory, source: webhook } = parts;
  return {
    ...parts,
    directory: {
      ...directory,
      async close() {
        await Promise.all([signals.close(), directory.close()]);
      },
    },
    source: {
      provider: sets.provider,
      receive: (request) =>
        webhook === undefined || isSet(request.headers['content-type'])
          ? sets.receive(request)
          : webhook.receive(request),
    },
    signals: {
      ...(poll === undefined ? {} : { poll }),
      ...(subscription === undefined ? {} : { subscription }),
    },
  };
}

export const SET_TYPE = 'application/secevent+jwt';

/** Whether a request carries a security event token by its own word. */
export function isSet(contentType: string | undefined): boolean {
  return contentType?.split(';', 1)[0]?.trim().toLowerCase() === SET_TYPE;
}
