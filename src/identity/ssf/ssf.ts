import * as oauth from 'openid-client';
import { SyncError } from '../../errors.js';
import type { Secret } from '../../model/secret.js';
import { createNotifier } from '../../notifier.js';
import { createAccessTokenSource } from '../access-token.js';
import { bearer } from '../api-client.js';
import type { AccessCheck } from '../directory.js';
import { createHttpClient } from '../http-client.js';
import type { EventSource } from '../source.js';
import type { SignalFeed } from '../with-signals.js';
import type { SsfCredentials, SsfOptions } from './options.js';
import { createOwnStream } from './own-stream.js';
import { createSsfPoll } from './poll.js';
import { createPushSource } from './push.js';
import { createSetVerifier } from './set.js';
import { createSigningKeys } from './signing-keys.js';
import { createVerificationStates } from './states.js';
import { createStreamApi, type StreamApi } from './stream-api.js';
import { createSsfSubscription } from './subscription.js';
import { createTransmitter, secureUrl } from './transmitter.js';

/** The receiver of one stream of shared signals. */
export interface Ssf extends SignalFeed {
  readonly source: EventSource;
}

const MAX_ANSWER_BYTES = 8 * 1024 * 1024;

/** Throws ERR_CONFIG for an address that is plain http to another machine. */
export function createSsf(options: SsfOptions): Ssf {
  const { provider, clock, insecure, delivery, pushTokens } = options;
  const place = `provider ${provider}, ssf`;
  secureUrl(options.transmitter, 'transmitter', options, place);
  const http = createHttpClient({
    ...options,
    addressKey: 'ssf.transmitter',
    maxBytes: MAX_ANSWER_BYTES,
    timeoutMs: 5_000,
  });
  const closing = new AbortController();
  const metadata = createTransmitter({ ...options, http });
  const verify = createSetVerifier({
    ...options,
    criticalMembers: async (signal) => (await metadata.read(signal)).criticalMembers,
    keys: createSigningKeys({ provider, transmitter: metadata, http, clock }),
  });
  const managed = options.credentials && manage(options.credentials);
  const changed = createNotifier();
  const context = {
    ...options,
    verify,
    onStreamUpdated: changed.notify,
    ...(managed === undefined ? {} : { states: managed.states }),
  };
  const source = createPushSource({ ...context, signal: closing.signal });
  const close = async () => {
    closing.abort(new Error('closed'));
    managed?.close();
    await http.close();
  };
  if (managed === undefined) return { source, close };
  const { stream, api, states } = managed;
  // A polled event arrives at the latest with the next poll but one. For pushes, some transmitters have a queue that they
  // process twice a minute.
  const verificationTimeoutMs = delivery === 'poll' ? 2 * options.pollMs + 30_000 : 120_000;
  return {
    source,
    subscription: {
      ...createSsfSubscription({ ...options, stream, api, states, verificationTimeoutMs }),
      nextWakeup: changed.wait,
    },
    ...(delivery === 'poll' ? { poll: createSsfPoll({ ...context, states, stream, api }) } : {}),
    checkAccess: (signal) => checkSsfAccess(api, options.credentials, signal),
    close,
  };

  function manage(credentials: SsfCredentials) {
    const secret = 'token' in credentials ? credentials.token : credentials.clientSecret;
    const accessTokens = 'token' in credentials ? undefined : tokensOf(credentials);
    const authorize = accessTokens ? bearer(accessTokens) : async () => `Bearer ${secret.reveal()}`;
    const api = createStreamApi({ ...options, metadata, http, authorize });
    const [pushToken] = pushTokens;
    const stream = createOwnStream({
      ...options,
      api,
      metadata,
      authorizationHeader: () => pushToken && `Bearer ${pushToken.reveal()}`,
    });
    return { api, stream, states: createVerificationStates(secret), close: () => accessTokens?.close() };
  }

  function tokensOf(credentials: Exclude<SsfCredentials, { token: Secret }>) {
    const issuer = secureUrl(credentials.tokenIssuer, 'tokenIssuer', { insecure }, place);
    const { clientId, clientSecret, scope } = credentials;
    return createAccessTokenSource({
      provider,
      issuer,
      clientId,
      authentication: oauth.ClientSecretPost(clientSecret.reveal()),
      ...(scope === '' ? {} : { parameters: { scope } }),
      remedy: 'check clientId, clientSecret and scope under ssf',
      http,
      clock,
    });
  }
}

/** The scopes of SSF 1.0, if no other scope is configured. That streams can be changed is not tested. */
const SCOPES = 'ssf.read ssf.manage';

async function checkSsfAccess(
  api: StreamApi,
  credentials: SsfCredentials | undefined,
  signal: AbortSignal,
): Promise<readonly AccessCheck[]> {
  const scope = credentials !== undefined && 'scope' in credentials ? credentials.scope : '';
  const check = { permission: scope === '' ? SCOPES : scope, neededFor: 'the stream of shared signals' };
  try {
    await api.list(signal);
    return [{ ...check, isGranted: true }];
  } catch (error) {
    signal.throwIfAborted();
    if (!(error instanceof SyncError)) throw error;
    return error.code === 'ERR_DIRECTORY_DENIED' ? [{ ...check, isGranted: false }] : [];
  }
}
