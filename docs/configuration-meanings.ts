/** What each key means, where the schema has no description or a short one; by the path of `configurationKeys`. */
export const MEANINGS: Readonly<Record<string, string>> = {
  owner:
    'The ownership mark of this instance. The Description of every source that this instance owns begins with it, and it is part of the names in Redis, Kafka and Consul’s KV. It cannot change while scopemesh runs. What another owner opened stays as it is, logins to Consul too: before you change `owner`, remove that access by running once with empty `scopes` and `groups` and `login: off`.',
  mode: 'See [modes](#modes).',
  'select.services': 'The destinations whose intentions this instance writes.',
  'select.namespaces': 'Consul Enterprise: the namespaces of these destinations.',
  'select.partitions': 'Consul Enterprise: the partitions of these destinations.',
  'select.clients': 'The OAuth clients that this instance reads, by their client IDs.',
  'consul.address':
    'Where Consul’s HTTP API is; `http://`, `https://`, or `unix:///path` for a [Unix socket](../how-to/share-consul-with-other-tools.md#keep-connections-to-consul) of the agent on this machine.',
  'consul.token':
    'The ACL token. [deploy/consul-policy.hcl](../../deploy/consul-policy.hcl) has its rules. Empty means no token.',
  'consul.datacenter': 'The datacenter that each request names. The default is the datacenter of the agent.',
  'consul.partition': 'Consul Enterprise: scopemesh reads and writes only in this partition.',
  'consul.namespace': 'Consul Enterprise: scopemesh reads and writes only in this namespace.',
  'consul.tls.caFile': 'The CA that signed Consul’s certificate, in PEM.',
  'consul.tls.certFile': 'A client certificate, in PEM. Needs `keyFile`.',
  'consul.tls.keyFile': 'The key of the client certificate, in PEM.',
  'consul.tls.serverName': 'The name in Consul’s certificate, if it is not the host of `address`.',
  'consul.target.kind':
    'scopemesh writes intentions as [manifests for consul-k8s](../how-to/write-manifests-for-consul-k8s.md), instead of to Consul.',
  providers: 'The identity providers. At least one.',
  'providers[].kind':
    'Each kind has a page: [auth0](../providers/auth0.md), [entra](../providers/entra.md), [keycloak](../providers/keycloak.md), [oidc](../providers/oidc.md), [okta](../providers/okta.md).',
  'providers[].issuer': 'The issuer exactly as tokens name it. Plain http only on loopback hosts.',
  'providers[].poll':
    'How often scopemesh reads the provider’s log, which has what a webhook cannot carry or loses.',
  'providers[].fullRead': 'How often scopemesh reads and compares the whole directory.',
  'providers[].certificate.certFile':
    'A certificate of the app registration, in PEM. scopemesh reads it for each token.',
  'providers[].federatedTokenFile':
    'A file with a token that a federated credential trusts. scopemesh reads it for each token.',
  'providers[].ssf.endpoint':
    'For push: `POST /events/<name>` as the transmitter reaches it. scopemesh gives it to the transmitter with the stream.',
  'providers[].ssf.pushTokens':
    'For push: what follows `Bearer` in the transmitter’s requests. scopemesh tries each in turn, and gives the first one to the transmitter.',
  'providers[].ssf.token':
    'A token for the transmitter’s management API and the poll. Use either this or `clientId` and `clientSecret`.',
  'providers[].ssf.clientId': 'The client as which scopemesh gets such a token.',
  'providers[].ssf.clientSecret': 'The secret of that client.',
  'providers[].ssf.tokenIssuer': 'The issuer of tokens for `clientId`. The default is the transmitter.',
  'providers[].webhook.secrets':
    'The secrets that prove events at `POST /events/<name>`. scopemesh tries each in turn. Without `webhook` this endpoint does not exist.',
  'providers[].caFile':
    'A file with CA certificates in PEM, at most 32 KiB, for a provider whose certificate no public CA signed. scopemesh then trusts only these CAs for this provider and its shared signals, and gives them to Consul for logins. It is read at the start.',
  'providers[].keysCaFile':
    'For `user: required`: a file of CA certificates on the machines of the proxies. The proxies use it to verify the server from which they fetch the provider’s keys. Without it they accept any certificate. See [user tokens](../explanation/user-tokens.md).',
  'providers[].forwardUserAs':
    'For `user: required`: the header in which the called service gets the claims of the verified token (base64url of JSON, without padding), for example `x-user-claims`. Its proxy removes what a caller sent in this header. Proxies of services without a rule that requires a user do not. See [user tokens](../explanation/user-tokens.md#the-service-receives-the-token).',
  'providers[].audience':
    'The audience that an access token must have to log in to Consul. Required with `login: on`, with `acl:` rules and with `groups:` of this provider: without it Consul would accept any token of the provider.',
  'providers[].userAudience':
    'For `user: required` and `onBehalfOf`: the audience of the user’s token beside a call. The default is `audience`. The called service receives that token, so with one audience for both it can log in to Consul as the user. See [user tokens](../explanation/user-tokens.md).',
  'providers[].claims.client':
    'The claim of an access token that names its client. Use a JSON pointer (`/a/b`) for a claim inside another one.',
  'providers[].claims.scopes':
    'The claim of an access token that holds its scopes. With a claim that is a list, a rule with `user: required` opens nothing, because Consul compares a claim only as one text: see [user tokens](../explanation/user-tokens.md#what-the-token-must-be). Use a JSON pointer for a claim inside another one.',
  'providers[].claims.groups':
    'The claim of a person’s access token that lists their groups. Use a JSON pointer for a claim inside another one.',
  'providers[].clientSecret': 'The secret of `clientId`.',
  'services.clientMeta':
    'The key of a service’s meta that names its OAuth client. Give each instance its own key if several instances share a Consul: see [several instances](../how-to/run-several-instances.md).',
  'services.clientTag': 'The beginning of a tag that names the client, as in `oauth-client=web-app`.',
  'services.claims': 'See [claims](#claims).',
  'services.claimGrace':
    'How long a service without any instance keeps its claim. A claim that an instance takes back ends at once.',
  scopes: 'See [scopes and rules](#scopes-and-rules).',
  'scopes.<scope>.provider':
    'The rule applies only to scopes of this provider. Required if there are several providers.',
  'scopes.<scope>.api':
    'The rule applies only to scopes of this API. Required if the provider has several `apis`. Without it the rule applies to the only API, or, if scopes belong to no API (Keycloak’s client scopes, `oidc`), to those scopes.',
  'scopes.<scope>.to': 'The destination service. It may use captures of the scope, as in `"{service}"`.',
  'scopes.<scope>.methods': 'Only requests with one of these methods.',
  'scopes.<scope>.path': 'Only this path and what lies below it, by plain names. See [paths](paths.md).',
  'scopes.<scope>.pathExact': 'Only exactly this path.',
  'scopes.<scope>.pathPrefix':
    'Only paths that begin with this text, by plain names. `/v1/orders` is also the beginning of `/v1/orders-internal`.',
  'scopes.<scope>.rawPath':
    'With `path` or `pathPrefix`: also lets through paths that are not plain, such as `/v1/orders/../admin`. See [a service that needs other paths](paths.md#a-service-that-needs-other-paths).',
  'scopes.<scope>.pathRegex': 'Only paths that this RE2 expression matches as a whole.',
  'scopes.<scope>.headers':
    'Only requests that meet all of these conditions. Each condition has a name and exactly one of `present`, `exact`, `prefix`, `suffix` and `regex`.',
  'scopes.<scope>.headers[].name': 'The name of the header.',
  'scopes.<scope>.headers[].present': 'The request has the header.',
  'scopes.<scope>.headers[].exact': 'The value is exactly this text.',
  'scopes.<scope>.headers[].prefix': 'The value begins with this text.',
  'scopes.<scope>.headers[].suffix': 'The value ends with this text.',
  'scopes.<scope>.headers[].regex': 'This RE2 expression matches the whole value.',
  'scopes.<scope>.headers[].invert':
    'Inverts the condition. A missing header meets only an inverted `present`.',
  'scopes.<scope>.acl':
    'Instead of `to`: rules in Consul’s ACL language. A client with this scope has them when it logs in to Consul. They may use captures of the scope. See [log in to Consul](../how-to/log-in-to-consul.md).',
  'scopes.<scope>.user':
    'The request must also carry a user’s access token in `Authorization`: a token of the provider, for its `userAudience`. Needs Consul 1.16.1 or newer and a destination that speaks http and is not behind a terminating gateway. Otherwise scopemesh holds what the rule would open (`UserTokenUnenforceable`), and it stays closed. See [user tokens](../explanation/user-tokens.md).',
  'scopes.<scope>.actors':
    'Only clients of these kinds. A client of unknown kind passes only if all three are listed.',
  login:
    'Whether a client may log in to Consul as the service that claims it. Its token then has the identity of that service. With `on` and `services.claims: confirmed` it may also log in as each service that it names and as which no instance is registered: see [the first login](../how-to/log-in-to-consul.md#before-the-first-registration). `registered`: only as a service with an instance that claims it. `acl:` rules do not need `login`. See [log in to Consul](../how-to/log-in-to-consul.md).',
  groups:
    'The key is the name of a group or role as the identity provider writes it in tokens. In Keycloak a group has its full path, as in `/platform-oncall`. See [log in as a person](../how-to/log-in-as-a-person.md).',
  'groups.<group>.acl':
    'Rules in Consul’s ACL language. Members of the group have them when they log in to Consul.',
  'groups.<group>.provider': 'The provider of the group. Required if there are several providers.',
  'actors.classify':
    'Sets the kind of actor of a client. The first entry that matches decides. See [actors](#actors).',
  'actors.classify[].attribute': 'The client has this attribute at the identity provider,',
  'actors.classify[].equals': 'and the attribute has exactly this value.',
  'actors.classify[].clientId': 'Instead of the two: the client’s id matches this pattern.',
  'actors.classify[].kind': 'The kind of a client that matches.',
  'actors.<kind>.maxTokenTtl':
    'The longest lifetime of a Consul token of this kind. The access token’s own lifetime counts if it is shorter. An unknown kind has the shortest of the three.',
  'actors.<kind>.onBehalfOf':
    'A human must stand behind each action of this kind. As with `user: required`, each request must carry a user’s token: here one that the client got to act for that user (`act.sub`). See [user tokens](../explanation/user-tokens.md).',
  'guards.maxRevocations.percent':
    'The share of the owned edges that inferred removals may close. See [the mass guard](../how-to/approve-or-reject-a-held-change.md#the-mass-guard).',
  'guards.maxRevocations.atLeast': 'This number of edges may always go, even if there are few in all.',
  'guards.maxRevocations.window': 'The sliding window in which scopemesh counts them.',
  'guards.protected':
    'Services that scopemesh never opens as a destination. It closes what it had opened there.',
  'guards.freeze[].schedule':
    'When a freeze begins: five cron fields in `timeZone` (minute, hour, day of the month, month, weekday). During a freeze only revocations pass. See [freeze changes](../how-to/freeze-changes.md).',
  'guards.freeze[].duration': 'How long it lasts, in real time.',
  'guards.freeze[].timeZone': 'An IANA time zone, such as `Europe/Berlin`.',
  'guards.breakGlass.longest':
    'The longest time of a break-glass grant. Without `guards.breakGlass` none is possible. See [open an edge in an emergency](../how-to/break-glass.md).',
  'guards.breakGlass.never':
    'Services that no break-glass grant has as its source or its destination. `guards.protected` counts too.',
  'guards.approvers':
    'How many different persons an approval (of a held change, or of the end of a quarantine) and a break-glass grant need: 1 or 2. All names that come with the token file count as one person; a second one has a token of `http.tokens`.',
  queue:
    'Where scopemesh keeps jobs, the journal of writes and small facts. `embedded`: SQLite files in `state.directory`, for one process. `bullmq`: Redis.',
  'queue.kind': 'The kind of queue.',
  'queue.url': '`redis://` or `rediss://`, with user and password where needed.',
  decisions:
    'Where decisions go. `embedded`: a SQLite file in `state.directory`. `kafka`: see [publish to Kafka](../how-to/publish-to-kafka.md).',
  'decisions.kind': 'The kind of log.',
  'decisions.signingKeyFile':
    'The Ed25519 key, in PEM, that signs [the decisions](../trail.md). Default: `trail-key.pem` in `state.directory`, made at the first start. Required with `queue.kind: bullmq` and `decisions.kind: kafka`: all replicas of an owner sign with the same key.',
  'decisions.trustedKeys':
    'Public keys, as `trail-key.pub` has them, whose decisions count beside those of the own key: [after a change of the key](../trail.md#the-key), and for a machine that only reads.',
  'decisions.webhooks':
    'Receivers that get each event of the log as a signed HTTP request, for programs without Kafka. See [send decisions to a webhook](../how-to/send-decisions-to-a-webhook.md).',
  'decisions.webhooks[].name':
    'The name in log lines, metrics and `scopemesh webhooks`. The store keeps under this name how far the webhook came.',
  'decisions.webhooks[].url':
    'Where the requests go: `https`, or `http` to this machine; without user, password, query or fragment.',
  'decisions.webhooks[].secrets':
    'Standard Webhooks secrets: `whsec_` and base64 of 24 to 64 bytes. With several, each signs, so that the receiver may know the old one or the new one.',
  'decisions.webhooks[].types':
    'Patterns of the event types to send, such as `dev.scopemesh.client.*`. Without it all, checkpoints included.',
  'decisions.webhooks[].timeout': 'How long the receiver may take for one request.',
  'decisions.keep': 'How long the embedded log, or with Kafka the local index, keeps a decision.',
  'decisions.brokers': 'The brokers, each as `host:port`.',
  'decisions.topic': 'The topic.',
  'decisions.index':
    'Whether each process with the part `relay` keeps [an index of the topic](../how-to/ask-the-trail.md#with-kafka) in `state.directory`, from which questions are answered.',
  'decisions.tls': '`on` for TLS with the system’s CAs, or a map with the files.',
  'decisions.tls.caFile': 'The CA, in PEM.',
  'decisions.tls.certFile': 'A client certificate, in PEM. Needs `keyFile`.',
  'decisions.tls.keyFile': 'The key of the client certificate, in PEM.',
  'decisions.tls.serverName': 'The name in the brokers’ certificates.',
  'decisions.sasl.mechanism': 'How scopemesh logs in to the brokers.',
  'decisions.sasl.username': 'The user name.',
  'decisions.sasl.password': 'The password.',
  'http.listen':
    'The address of webhooks, probes, metrics and the API, as `host:port`. In a container use `0.0.0.0:8080`, and see [listen outside the machine](../how-to/listen-outside-the-machine.md).',
  'http.admin':
    'A second listener, as `host:port`, for the status, the metrics, the API and the probes. `http.listen` then has `/events` and the probes alone. See [keep the rest apart from webhooks](../how-to/listen-outside-the-machine.md#keep-the-rest-apart-from-webhooks).',
  'http.tokens': 'Who may read the status and the metrics, and use the API, from other machines.',
  'http.tokens[].name': 'Who holds the token. Decisions name them as `token:<name>`.',
  'http.tokens[].token':
    'What they send as `Authorization: Bearer …`: at least 32 characters. To change a token, add a second entry with the same name, reload, give out the new one, remove the old entry, and reload again.',
  'http.tokens[].approve':
    'Whether the holder may make every change of the API, such as approve held changes, adopt, and end quarantines. Otherwise the token only reads.',
  'telemetry.endpoint':
    'Where a collector takes OTLP over HTTP, such as `http://collector:4318`. scopemesh adds `/v1/traces` and `/v1/metrics`. Without `telemetry` nothing is sent. See [traces](metrics.md#traces-and-metrics-by-opentelemetry).',
  'telemetry.headers': 'Headers of each request, each with its value, such as `authorization`.',
  'http.console.url':
    'The address of [the console](http.md#sessions-of-the-console) for browsers, with its scheme, host and port alone. With https a session is a cookie, and `Host` must be this one. Needed with `login`.',
  'http.console.login[].provider': 'The name of one of `providers`, at whose `issuer` persons sign in.',
  'http.console.login[].clientId':
    'A client for the console alone, with the redirect URI `<url>/login/<provider>/callback`. See [sign in at an identity provider](../how-to/sign-in-to-the-console.md).',
  'http.console.login[].clientSecret': 'The secret of that client.',
  'http.console.login[].scopes': 'The scopes to ask for; `openid` must be one of them.',
  'http.console.roles.claim':
    'The claim of the ID token, or of the userinfo, whose values give the [roles](http.md#roles).',
  'http.console.roles.viewer': 'Values that give the role `viewer`. `"*"` is everybody who signs in.',
  'http.console.roles.approver': 'Values that give the role `approver`.',
  'http.console.roles.operator': 'Values that give the role `operator`.',
  'http.console.session.idle': 'A session ends this long after its last request.',
  'http.console.session.longest': 'A session ends this long after its start.',
  'http.console.session.fresh':
    'Whoever wants to change something must have signed in at the identity provider within this time.',
  'http.console.groupBy':
    'How [the map](../how-to/use-the-console.md#the-map) groups services, by the first of these that a service has: `meta.KEY` (a key of the meta of its instances, such as `meta.team`), `namespace` (if it is not the one of the instance), `provider` (of the client that it claims), and `prefix` (its name up to the first `-`).',
  'http.console.name': 'The name of this instance in the console. The default is `owner`.',
  'state.directory':
    'The directory of the files of the embedded queue and decision log. It must be on a local disk. scopemesh creates it with mode 0700.',
  'lease.ttl':
    'After a renewal, the session of the leader lives in Consul for this long, up to twice. A greater one survives longer interruptions of Consul, and delays a takeover: with Redis by up to half of it, otherwise by up to twice as much.',
  resync: 'How often scopemesh compares everything with Consul (the sweep).',
};
