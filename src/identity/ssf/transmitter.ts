import { z } from 'zod';
import { configError } from '../../errors.js';
import { isLoopback } from '../../model/is-loopback.js';
import { type HttpClient, parseJson, refusalOf } from '../http-client.js';
import { incomplete } from '../read-errors.js';
import { parseShape } from '../records.js';
import type { SsfOptions } from './options.js';

export type Transmitter = ReturnType<typeof createTransmitter>;

interface TransmitterOptions extends Pick<SsfOptions, 'provider' | 'transmitter' | 'insecure' | 'clock'> {
  readonly http: HttpClient;
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
  critical_subject_members: z.array(z.string().max(64)).max(64).optional(),
});

export function createTransmitter(options: TransmitterOptions) {
  const { transmitter, clock } = options;
  let known: { readonly metadata: TransmitterMetadata; readonly readAt: number } | undefined;
  return {
    /**
     * Read once an hour. Throws as a Directory does, IncompleteRead for a document of the wrong shape, and ERR_CONFIG if the
     * issuer is another or an address is plain http.
     */
    async read(signal: AbortSignal): Promise<TransmitterMetadata> {
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
  throw incomplete(place, `the transmitter does not publish ${WELL_KNOWN}`);
}

/**
 * SSF 1.0, section 7.2.1: the name goes between host and path. The second address is without that rule: a Keycloak below a
 * path publishes only that one.
 */
export function metadataUrls(issuer: URL): readonly URL[] {
  const path = issuer.pathname.replace(/\/+$/, '');
  const inserted = new URL(issuer.origin + WELL_KNOWN + path);
  return path === '' ? [inserted] : [inserted, new URL(issuer.origin + path + WELL_KNOWN)];
}

/** The configuration of a transmitter (SSF 1.0, section 7.1): the fields that scopemesh uses. */
export type TransmitterMetadata = ReturnType<typeof parseMetadata>;

function parseMetadata(json: unknown, options: TransmitterOptions, place: string) {
  const found = parseShape(document, json, place);
  if (found.issuer !== options.transmitter) {
    const remedy = 'write "transmitter" exactly as its configuration does';
    throw configError(`${place}: the transmitter names another issuer; ${remedy}`);
  }
  const endpoint = (name: 'configuration_endpoint' | 'status_endpoint' | 'verification_endpoint') => {
    const text = found[name];
    return text === undefined ? undefined : secureUrl(text, name, options, place);
  };
  return {
    /** The endpoints are undefined if streams are configured manually. */
    configurationEndpoint: endpoint('configuration_endpoint'),
    statusEndpoint: endpoint('status_endpoint'),
    verificationEndpoint: endpoint('verification_endpoint'),
    /** Method URIs. Undefined if the transmitter does not state them. */
    deliveryMethods: found.delivery_methods_supported,
    defaultSubjects: found.default_subjects,
    criticalMembers: found.critical_subject_members ?? [],
    jwksUri: secureUrl(found.jwks_uri, 'jwks_uri', options, place),
  };
}

/** https, or plain http to this machine or with `insecure`, because keys and credentials are sent to it. */
export function secureUrl(
  text: string,
  name: string,
  { insecure }: Pick<TransmitterOptions, 'insecure'>,
  place: string,
): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const mayBePlain = url !== undefined && (insecure || isLoopback(url.hostname));
  if (url?.protocol === 'https:' || (url?.protocol === 'http:' && mayBePlain)) return url;
  throw configError(`${place}: ${name} must be an https address`);
}
