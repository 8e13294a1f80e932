import { z } from 'zod';
import type { Clock } from '../../clock.js';
import { IncompleteRead, SyncError } from '../../errors.js';
import { type HttpClient, parseJson, refusalOf } from '../http-client.js';

/** What a transmitter says of itself (SSF 1.0, section 7.1), as far as scopemesh uses it. */
export interface TransmitterMetadata {
  readonly jwksUri: URL;
  /** Absent where streams are made by hand. */
  readonly configurationEndpoint?: URL;
  readonly statusEndpoint?: URL;
  readonly verificationEndpoint?: URL;
  /** Method URIs; absent where it does not tell. */
  readonly deliveryMethods?: readonly string[];
  readonly defaultSubjects?: string;
}

export interface Transmitter {
  /**
   * Read once an hour. Throws as a Directory does, IncompleteRead for a document of the wrong shape, ERR_CONFIG where
   * another issuer answers or an address would be plain http.
   */
  read(signal: AbortSignal): Promise<TransmitterMetadata>;
}

export interface TransmitterOptions {
  readonly provider: string;
  /** Its issuer: the `iss` of its events. */
  readonly transmitter: string;
  /** Plain http to hosts that are not loopback is allowed. */
  readonly insecure: boolean;
  readonly http: HttpClient;
  readonly clock: Clock;
}

const FRESH_MS = 3_600_000;
const WELL_KNOWN = '/.well-known/ssf-configuration';

const address = z.string().max(2048);
const document = z.object({
  issuer: z.string(),
  jwks_uri: address,
  configuration_endpoint: address.optional(),
  status_endpoint: address.optional(),
  verification_endpoint: address.optional(),
  delivery_methods_supported: z.array(address).max(32).optional(),
  default_subjects: z.string().max(64).optional(),
});

export function createTransmitter(options: TransmitterOptions): Transmitter {
  const { transmitter, clock } = options;
  let known: { readonly metadata: TransmitterMetadata; readonly readAt: number } | undefined;
  return {
    async read(signal) {
      if (known !== undefined && clock.now() - known.readAt < FRESH_MS) return known.metadata;
      const metadata = await readMetadata(new URL(transmitter), options, signal);
      known = { metadata, readAt: clock.now() };
      return metadata;
    },
  };
}

async function readMetadata(
  issuer: URL,
  options: TransmitterOptions,
  signal: AbortSignal,
): Promise<TransmitterMetadata> {
  const { provider, http, clock } = options;
  const place = `provider ${provider}, transmitter ${issuer.origin}`;
  for (const [index, url] of metadataUrls(issuer).entries()) {
    const answer = await http.request(url, place, {}, signal);
    if (answer.status === 404 && index === 0 && issuer.pathname !== '/') continue;
    if (answer.status !== 200) throw refusalOf(answer, place, clock);
    return parseMetadata(parseJson(answer, place), options, place);
  }
  throw new IncompleteRead('ERR_DIRECTORY_INCOMPLETE', `${place}: publishes no ${WELL_KNOWN}`, {
    retriable: true,
  });
}

/**
 * SSF 1.0, section 7.2.1: the name goes between host and path. Second, where it would be without that rule: a Keycloak
 * that is not at the root of its host has it there alone.
 */
export function metadataUrls(issuer: URL): readonly URL[] {
  const path = issuer.pathname.replace(/\/+$/, '');
  const inserted = new URL(issuer.origin + WELL_KNOWN + path);
  return path === '' ? [inserted] : [inserted, new URL(issuer.origin + path + WELL_KNOWN)];
}

function parseMetadata(json: unknown, options: TransmitterOptions, place: string): TransmitterMetadata {
  const parsed = document.safeParse(json);
  if (!parsed.success) {
    const at = parsed.error.issues[0]?.path.join('.') ?? '';
    throw new IncompleteRead('ERR_DIRECTORY_INCOMPLETE', `${place}: its configuration: ${at} is wrong`, {
      retriable: true,
    });
  }
  const { data: said } = parsed;
  if (said.issuer !== options.transmitter) {
    const message = `${place}: names itself by another issuer; write "transmitter" exactly as its configuration does`;
    throw new SyncError('ERR_CONFIG', message, { retriable: false });
  }
  const optional = (name: string, text: string | undefined) =>
    text === undefined ? undefined : secureUrl(text, name, options, place);
  const configurationEndpoint = optional('configuration_endpoint', said.configuration_endpoint);
  const statusEndpoint = optional('status_endpoint', said.status_endpoint);
  const verificationEndpoint = optional('verification_endpoint', said.verification_endpoint);
  return {
    jwksUri: secureUrl(said.jwks_uri, 'jwks_uri', options, place),
    ...(configurationEndpoint === undefined ? {} : { configurationEndpoint }),
    ...(statusEndpoint === undefined ? {} : { statusEndpoint }),
    ...(verificationEndpoint === undefined ? {} : { verificationEndpoint }),
    ...(said.delivery_methods_supported === undefined
      ? {}
      : { deliveryMethods: said.delivery_methods_supported }),
    ...(said.default_subjects === undefined ? {} : { defaultSubjects: said.default_subjects }),
  };
}

/** https, or plain http on this machine or where the provider is marked insecure: keys and credentials pass here. */
export function secureUrl(
  text: string,
  name: string,
  { insecure }: Pick<TransmitterOptions, 'insecure'>,
  place: string,
): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const isLoopback = url !== undefined && /^(localhost|\[::1\]|127\.\d+\.\d+\.\d+)$/.test(url.hostname);
  if (url?.protocol === 'https:' || (url?.protocol === 'http:' && (isLoopback || insecure))) return url;
  throw new SyncError('ERR_CONFIG', `${place}: ${name} is no https address`, { retriable: false });
}
