/** What each key means, where the schema's own words are none or too few; by the path of `configurationKeys`. */
export const MEANINGS: Readonly<Record<string, string>> = {
  owner:
    'The ownership mark of this instance. It begins the Description of every source that is its own, and is part of its names in Redis, Kafka and Consul’s KV. It cannot change while scopemesh runs; what another owner opened, logins to Consul too, stands on and is nobody’s to take back, so take it back (with empty `scopes` and `groups`) before you change it.',
  mode: 'See [modes](#modes).',
  'consul.address': 'Where Consul’s HTTP API is; `http://` or `https://`.',
  'consul.token':
    'The ACL token; [deploy/consul-policy.hcl](../deploy/consul-policy.hcl) has its rules. Empty means none.',
  'consul.datacenter': 'Asked for with each request; left out, that of the agent.',
  'consul.partition': 'Consul Enterprise. scopemesh reads and writes in this partition alone.',
  'consul.namespace': 'Consul Enterprise. scopemesh reads and writes in this namespace alone.',
  'consul.tls.caFile': 'The CA that signed Consul’s certificate, in PEM.',
  'consul.tls.certFile': 'A client certificate, in PEM; only together with `keyFile`.',
  'consul.tls.keyFile': 'Its key, in PEM.',
  'consul.tls.serverName': 'The name in Consul’s certificate, where it is not the host of `address`.',
  providers: 'The identity providers; at least one.',
  'providers[].kind':
    'Each kind has a chapter of its own: [auth0](providers/auth0.md), [entra](providers/entra.md), [keycloak](providers/keycloak.md), [oidc](providers/oidc.md), [okta](providers/okta.md).',
  'providers[].webhook.secrets':
    'Secrets that events at `POST /events/<name>` may be signed with; each is tried in turn. Without `webhook` there is no such endpoint.',
  'providers[].keysCaFile':
    'For `user: required`: the CA certificates by which the proxies verify the server that they fetch the provider’s keys from, as a file on their machines. Without it they take any certificate. See [the user behind the call](security.md#the-user-behind-the-call).',
  'providers[].audience':
    'What an access token must be issued for to log in to Consul. Required with `login: on`, with `acl:` rules and with `groups:` of this provider; without it any token of the provider would do.',
  'providers[].userAudience':
    'For `user: required` and `onBehalfOf`: what the user’s token beside a call must be issued for; `audience` without it. The called service receives that token: with one audience for both it can log in to Consul as the user. See [the user behind the call](security.md#the-user-behind-the-call).',
  'providers[].claims.client':
    'The claim of an access token that names its client; a JSON pointer (`/a/b`) for one inside another.',
  'providers[].claims.scopes':
    'The claim of an access token with its scopes; where it is a list, `user: required` asks for the scope in it. A JSON pointer for one inside another.',
  'providers[].claims.groups':
    'The claim of a person’s access token that lists their groups; a JSON pointer for one inside another.',
  'providers[].clientSecret': 'Its secret.',
  'services.clientMeta': 'The key of a service’s meta that names its OAuth client.',
  'services.clientTag': 'What a tag begins with that names the client: `oauth-client=web-app`.',
  'services.claims': 'See [claims](#claims).',
  'services.claimGrace':
    'How long a service without any instance left keeps its claim. A claim that is taken back ends at once.',
  scopes: 'See [scopes and rules](#scopes-and-rules).',
  'scopes.<scope>.provider': 'Only scopes of this provider. Needed as soon as there are several providers.',
  'scopes.<scope>.api':
    'Only scopes of this API. Needed as soon as the provider has several `apis`; without it a rule is about the only one, or where scopes belong to no API (Keycloak’s client scopes, `oidc`) about those.',
  'scopes.<scope>.to': 'The destination service; it may use captures of the scope, as in `"{service}"`.',
  'scopes.<scope>.methods': 'Only requests with one of these methods.',
  'scopes.<scope>.path': 'Only this path and what lies under it. See [paths](security.md#paths).',
  'scopes.<scope>.pathExact': 'Only exactly this path.',
  'scopes.<scope>.pathPrefix':
    'Only paths that begin with this text: `/v1/orders` is also the beginning of `/v1/orders-internal`.',
  'scopes.<scope>.pathRegex': 'Only paths that the whole of this RE2 expression matches.',
  'scopes.<scope>.headers':
    'Only requests that meet all of these conditions; each has a name and exactly one of `present`, `exact`, `prefix`, `suffix` and `regex`.',
  'scopes.<scope>.headers[].name': 'The header.',
  'scopes.<scope>.headers[].present': 'It is there.',
  'scopes.<scope>.headers[].exact': 'It is exactly this.',
  'scopes.<scope>.headers[].prefix': 'It begins with this.',
  'scopes.<scope>.headers[].suffix': 'It ends with this.',
  'scopes.<scope>.headers[].regex': 'The whole of this RE2 expression matches it.',
  'scopes.<scope>.headers[].invert':
    'The condition turned round. A header that is missing meets only an inverted `present`.',
  'scopes.<scope>.acl':
    'Instead of `to`: the rules, in Consul’s ACL language, that a client with this scope has when it logs in to Consul. They may use captures of the scope. See [login.md](login.md).',
  'scopes.<scope>.user':
    'The request must carry a user’s access token as well, in `Authorization`: of the provider, for its `userAudience`, and with the scope where tokens list scopes. Needs Consul 1.16.1 or newer and a destination that speaks http; else what the rule opens is held (`UserTokenUnenforceable`) and stays closed. See [the user behind the call](security.md#the-user-behind-the-call).',
  'scopes.<scope>.actors':
    'Only clients of these kinds. A client of unknown kind passes only where all three are listed.',
  login:
    'Whether a client may log in to Consul as the service that claims it: its token then has that service’s identity. `acl:` rules need no `login: on`. See [login.md](login.md).',
  groups: 'By the group or role, as the identity provider names it. See [people](login.md#people).',
  'groups.<group>.acl':
    'The rules, in Consul’s ACL language, that its members have when they log in to Consul.',
  'groups.<group>.provider': 'Whose group it is. Needed as soon as there are several providers.',
  'actors.classify':
    'What kind of actor a client is; the first entry that fits decides. See [actors](#actors).',
  'actors.classify[].attribute': 'The client has this attribute at the identity provider …',
  'actors.classify[].equals': '… with exactly this value.',
  'actors.classify[].clientId': 'Instead of the two: the client’s id fits this pattern.',
  'actors.classify[].kind': 'The kind that it then is.',
  'actors.<kind>.maxTokenTtl':
    'The longest that a Consul token of this kind may live; the access token’s own lifetime counts where it is shorter. An unknown kind has the shortest of the three.',
  'actors.<kind>.onBehalfOf':
    'A human must stand behind what this kind does: as with `user: required`, each request must carry a user’s token, here one that the client got to act for that user (`act.sub`). See [the user behind the call](security.md#the-user-behind-the-call).',
  'guards.maxRevocations.percent': 'See [the mass guard](security.md#the-mass-guard).',
  'guards.maxRevocations.atLeast': 'So many may always go, however few there are in all.',
  'guards.maxRevocations.window': 'The sliding window in which they are counted.',
  'guards.protected':
    'Services that scopemesh never opens as a destination. What it had opened there is closed.',
  'guards.freeze': 'Not built yet: a file with a freeze is refused.',
  queue:
    'Where jobs, the journal of writes and small facts are kept. `embedded`: a SQLite file in `state.directory`, one process alone. `bullmq`: Redis.',
  'queue.kind': 'As above.',
  'queue.url': '`redis://` or `rediss://`, with user and password where needed.',
  decisions:
    'Where decisions go. `embedded`: a SQLite file in `state.directory`. `kafka`: see [kafka.md](kafka.md).',
  'decisions.kind': 'As above.',
  'decisions.brokers': '`host:port` each.',
  'decisions.topic': 'The topic.',
  'decisions.tls': '`on` for TLS with the system’s CAs, or a map with the files.',
  'decisions.tls.caFile': 'The CA, in PEM.',
  'decisions.tls.certFile': 'A client certificate, in PEM; only together with `keyFile`.',
  'decisions.tls.keyFile': 'Its key, in PEM.',
  'decisions.tls.serverName': 'The name in the brokers’ certificates.',
  'decisions.sasl.mechanism': 'How scopemesh logs in to the brokers.',
  'decisions.sasl.username': 'As whom.',
  'decisions.sasl.password': 'With what.',
  'http.listen': 'Where webhooks, probes and metrics are served; `host:port`. In a container `0.0.0.0:8080`.',
  'state.directory':
    'For the files of `embedded` queue and decisions; on a local disk. Created with mode 0700.',
  resync: 'How often everything is compared with Consul (the sweep).',
};
