import { z } from 'zod';
import type { ServiceName } from '../../model/intention.js';

/** What one line of an Envoy access log says of a call. Undefined: the line does not say it. */
export interface LoggedCall {
  /** When the request began, ISO 8601 in UTC with milliseconds. */
  readonly at: string | undefined;
  /** The caller, by the certificate that its proxy showed. */
  readonly peer: MeshIdentity | 'other' | undefined;
  /** The called service, by the certificate of the proxy that wrote the line. */
  readonly local: MeshIdentity | 'other' | undefined;
  /** Undefined for a connection without HTTP. */
  readonly request: { readonly method: string; readonly path: string } | undefined;
  /** Whether an intention let it pass. */
  readonly hasPassed: boolean | undefined;
}

/** The SPIFFE ID of a service in Consul's mesh. */
export interface MeshIdentity extends ServiceName {
  readonly trustDomain: string;
  readonly datacenter: string;
}

// Envoy writes null, or a hyphen, for what it does not know.
const FIELD = z
  .string()
  .transform((text) => (text === '' || text === '-' ? undefined : text))
  .optional()
  .catch(undefined);
const LINE = z.object({
  start_time: FIELD,
  downstream_peer_uri_san: FIELD,
  downstream_local_uri_san: FIELD,
  method: FIELD,
  path: FIELD,
  response_code_details: FIELD,
  connection_termination_details: FIELD,
});

/**
 * Reads the fields that Consul names so in its own access log, and the two URI SANs that `scopemesh doctor` adds. Other fields
 * and unknown values are ignored. The requested server name is not used: the caller chooses it.
 */
export function parseLoggedCall(line: Readonly<Record<string, unknown>>): LoggedCall {
  const fields = LINE.parse(line);
  const { method, path } = fields;
  return {
    at: toInstant(fields.start_time),
    peer: toIdentity(fields.downstream_peer_uri_san),
    local: toIdentity(fields.downstream_local_uri_san),
    request: method === undefined || path === undefined ? undefined : { method, path },
    hasPassed: hasPassed(
      fields.response_code_details,
      fields.connection_termination_details,
      method !== undefined,
    ),
  };
}

function toInstant(text: string | undefined): string | undefined {
  // Without a zone the meaning depends on this machine.
  if (text === undefined || !/^\d{4}-\d\d-\d\dT[\d:.]+(?:Z|[+-]\d\d:\d\d)$/.test(text)) return undefined;
  const instant = Date.parse(text);
  return Number.isNaN(instant) ? undefined : new Date(instant).toISOString();
}

/** `spiffe://<trust domain>[/ap/<partition>]/ns/<namespace>/dc/<datacenter>/svc/<service>` */
const SERVICE = /^spiffe:\/\/([^/,]+)(?:\/ap\/([^/,]+))?\/ns\/([^/,]+)\/dc\/([^/,]+)\/svc\/([^/,]+)$/;

/** `other`: a certificate of no service, or of several. */
function toIdentity(uri: string | undefined): MeshIdentity | 'other' | undefined {
  if (uri === undefined) return undefined;
  const [, trustDomain, partition = 'default', namespace, dc, name] = SERVICE.exec(uri) ?? [];
  if (trustDomain === undefined || namespace === undefined || dc === undefined || name === undefined)
    return 'other';
  try {
    const [ap = '', ns = '', datacenter = '', serviceName = ''] = [partition, namespace, dc, name].map(
      decodeURIComponent,
    );
    return {
      trustDomain: trustDomain.toLowerCase(),
      partition: ap,
      namespace: ns,
      datacenter: datacenter.toLowerCase(),
      name: serviceName,
    };
  } catch {
    return 'other';
  }
}

const REFUSED = 'rbac_access_denied';

/** A request that Envoy answered itself for another reason, or a connection that ended for another, was perhaps not judged. */
function hasPassed(
  details: string | undefined,
  termination: string | undefined,
  isHttp: boolean,
): boolean | undefined {
  if (details?.startsWith(REFUSED) || termination?.startsWith(REFUSED)) return false;
  return isHttp && details === 'via_upstream' ? true : undefined;
}
