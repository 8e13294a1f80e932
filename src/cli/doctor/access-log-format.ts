/**
 * The operators of Envoy (docs/configuration/observability/access_log/usage) that `scopemesh logs` needs, by the field. The
 * path is the one that the intention judged: Consul's own format prefers the header x-envoy-original-path, which a caller
 * can send.
 */
export const NEEDED_FIELDS = {
  start_time: '%START_TIME%',
  method: '%REQ(:METHOD)%',
  path: '%REQ(:PATH)%',
  response_code_details: '%RESPONSE_CODE_DETAILS%',
  connection_termination_details: '%CONNECTION_TERMINATION_DETAILS%',
  downstream_peer_uri_san: '%DOWNSTREAM_PEER_URI_SAN%',
  downstream_local_uri_san: '%DOWNSTREAM_LOCAL_URI_SAN%',
} as const;

/** Fields for those who read the lines. */
const USEFUL_FIELDS = {
  response_code: '%RESPONSE_CODE%',
  response_flags: '%RESPONSE_FLAGS%',
  duration: '%DURATION%',
  request_id: '%REQ(X-REQUEST-ID)%',
  upstream_cluster: '%UPSTREAM_CLUSTER%',
} as const;

/** A format of access log lines. `users`: jwt-provider entries of users' tokens by the name of the identity provider. */
export function accessLogFormat(users: ReadonlyMap<string, string>): Readonly<Record<string, string>> {
  return {
    ...NEEDED_FIELDS,
    ...USEFUL_FIELDS,
    ...Object.fromEntries(
      [...users].map(([provider, entry]) => [`user_${provider}`, subjectOperator(entry)]),
    ),
  };
}

/** Consul lets Envoy keep the payload of a verified token under this name. */
function subjectOperator(entry: string): string {
  return `%DYNAMIC_METADATA(envoy.filters.http.jwt_authn:jwt_payload_${entry}:sub)%`;
}
