/** Constant messages with fields, in the order pino takes them. */
export interface Logger {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

/** Labels must come from closed sets (a provider's name, a reason), never from a client id. */
export type Labels = Readonly<Record<string, string>>;

export interface Metrics {
  count(name: MetricName, labels?: Labels, by?: number): void;
  gauge(name: MetricName, value: number, labels?: Labels): void;
  /** `seconds` goes to a histogram. */
  time(name: MetricName, seconds: number, labels?: Labels): void;
}

/** A step from an event to its published decisions. */
export type SpanName = 'receive' | 'job' | 'read' | 'plan' | 'write' | 'publish';

/** Traces of events. `traceparent` is the header of W3C Trace Context, by which another process goes on with a trace. */
export interface Tracing {
  /** Runs work that begins a trace, or goes on with another's. The work gets its own traceparent, for what follows from it. */
  begin<T>(
    name: SpanName,
    traceparent: string | undefined,
    fields: Labels,
    work: (traceparent: string | undefined) => Promise<T>,
  ): Promise<T>;
  /** Runs a step of the work that runs; outside a trace the work alone. */
  step<T>(name: SpanName, fields: Labels, work: () => Promise<T>): Promise<T>;
  /** A step of all these traces, which began at that instant and ends now. */
  ended(name: SpanName, traceparents: ReadonlySet<string>, startedAt: number): void;
}

/** The dependency of what may be traced; without it, it is not. */
export interface Traced {
  readonly tracing?: Tracing;
}

/** Runs a step of a trace. */
export function step<T>(
  { tracing }: Traced,
  name: SpanName,
  fields: Labels,
  work: () => Promise<T>,
): Promise<T> {
  return tracing === undefined ? work() : tracing.step(name, fields, work);
}

/** Every metric with its kind, help text and labels. The exporter registers exactly these. */
export const METRICS = {
  scopemesh_events_total: [
    'counter',
    'Events received, by provider and result: accepted, duplicate, rejected, unresolved (it ends a session, but scopemesh cannot tell whose), or untimely (it reports a compromised client, but its date is too far from now to act on it).',
    ['provider', 'result'],
  ],
  scopemesh_unstored_events: [
    'gauge',
    'Events that the store refused and that wait in memory to be stored, by provider.',
    ['provider'],
  ],
  scopemesh_unstored_events_lost_total: [
    'counter',
    'Events that the store refused and that did not fit into memory, by provider and kind. A `change` is found by a complete comparison; an `order` (an ended session, a compromised client) is lost unless the sender repeats it.',
    ['provider', 'kind'],
  ],
  scopemesh_http_connections_closed_total: [
    'counter',
    'Connections closed because there were too many, by listener (listen, admin) and reason (evicted: for a newer connection; refused: at once; unfinished: for a newer request of its address).',
    ['listener', 'reason'],
  ],
  scopemesh_decision_streams: ['gauge', 'Consumers of the decision stream that are connected.', []],
  scopemesh_decision_streams_dropped_total: [
    'counter',
    'Consumers of the decision stream that were too slow and were closed.',
    [],
  ],
  scopemesh_trail_questions_total: [
    'counter',
    'Questions to the decision log over HTTP, by result: answered, invalid (it cannot be answered), refused (its principal has too many), late (not answered in time), left (its asker closed the connection), or failed.',
    ['result'],
  ],
  scopemesh_console_page_errors_total: [
    'counter',
    'Errors in browsers that the page of the console did not expect.',
    [],
  ],
  scopemesh_jobs_total: [
    'counter',
    'Jobs run, by key kind and result (done, failed, parked).',
    ['key', 'result'],
  ],
  scopemesh_job_seconds: ['histogram', 'How long a job ran, by key kind.', ['key']],
  scopemesh_event_to_commit_seconds: [
    'histogram',
    'From the receipt of an event to the committed Consul write.',
    [],
  ],
  scopemesh_oldest_revocation_seconds: [
    'gauge',
    'Age of the oldest revocation that is not applied yet; 0 if there is none. By state: reported (an event or order that may revoke, whose job is not done), planned (an intention that is to be narrowed and is not written), held (the mass guard holds it).',
    ['state'],
  ],
  scopemesh_decisions_total: ['counter', 'Decisions settled, by outcome and reason.', ['outcome', 'reason']],
  scopemesh_decisions_suppressed_total: [
    'counter',
    'Refused events, holds of claims, holds of sources without a record, and ends of holds that came back (kind `event`, `claim`, `mark` or `end`) that were counted and not recorded as decisions, because there were too many.',
    ['kind'],
  ],
  scopemesh_holds: ['gauge', 'Changes that are held, by reason.', ['reason']],
  scopemesh_frozen: ['gauge', '1 during a freeze: only revocations pass.', []],
  scopemesh_denies: ['gauge', 'Edges that a person denies.', []],
  scopemesh_break_glass_open: ['gauge', 'Break-glass grants that are open.', []],
  scopemesh_break_glass_reminders_total: [
    'counter',
    'Reminders that a break-glass grant is still open, one a day for each.',
    [],
  ],
  scopemesh_break_glass_unclosed: [
    'gauge',
    'Break-glass grants that ended more than a minute ago and whose edge is still open.',
    [],
  ],
  scopemesh_work_stuck: ['gauge', '1 while jobs or a watch do not go on although they should.', []],
  scopemesh_parked_keys: [
    'gauge',
    'Keys that failed eight times in a row; they are still tried, once a minute.',
    [],
  ],
  scopemesh_store_restored_decisions_total: [
    'counter',
    'Decisions that Redis had acknowledged and forgotten, as after a failover, and that were recorded again.',
    [],
  ],
  scopemesh_store_low: [
    'gauge',
    '1 while the disk of the state directory, or Redis, is full or has no room for a reserve: only revocations are made.',
    [],
  ],
  scopemesh_store_reserve_bytes: [
    'gauge',
    'Space that is kept back for revocations while the disk or Redis is full.',
    [],
  ],
  scopemesh_outbox_decisions: ['gauge', 'Settled decisions that are not published yet.', []],
  scopemesh_publish_seconds: ['histogram', 'Time to publish one batch of decisions.', []],
  scopemesh_relay_failures_total: ['counter', 'Failed attempts to publish decisions.', []],
  scopemesh_checkpoint_failures_total: [
    'counter',
    'Failed attempts to sign and store the end of the decision log.',
    [],
  ],
  scopemesh_trail_index_lag_seconds: [
    'gauge',
    'Seconds since the instant up to which the local index has the topic of decisions.',
    [],
  ],
  scopemesh_trail_index_failures_total: [
    'counter',
    'Failed attempts to bring the local index of the topic up to date.',
    [],
  ],
  scopemesh_trail_index_faults_total: [
    'counter',
    'What the local index found wrong with the topic, by kind: gap (decisions are missing), broken (a signed decision does not continue the chain), unproven (messages that no trusted key signed, which are left out), repeated (decisions of a log that ended before what the index has, which are left out), replaced (the topic was made again, or is another one).',
    ['kind'],
  ],
  scopemesh_webhook_deliveries_total: [
    'counter',
    'Requests to the receiver of a webhook, by webhook and result (delivered, failed), and events of the log that are no decisions (skipped).',
    ['webhook', 'result'],
  ],
  scopemesh_webhook_failing_seconds: [
    'gauge',
    'Seconds since the first failed attempt to deliver the event that a webhook waits for; 0 while its receiver takes events. By webhook.',
    ['webhook'],
  ],
  scopemesh_webhook_gaps_total: [
    'counter',
    'How often decisions were deleted from the log before a webhook delivered them, by webhook.',
    ['webhook'],
  ],
  scopemesh_webhook_interruptions_total: [
    'counter',
    'How often a webhook stopped because the decision log or the store failed, by webhook.',
    ['webhook'],
  ],
  scopemesh_directory_age_seconds: [
    'gauge',
    'Age of the last complete read of the directory that showed at least half of its clients, by provider.',
    ['provider'],
  ],
  scopemesh_directory_requests_total: [
    'counter',
    'Requests to the identity provider, by provider and result.',
    ['provider', 'result'],
  ],
  scopemesh_directory_read_requests: [
    'gauge',
    'Requests of the last complete directory read, by provider. Includes polls and single reads that ran at the same time; excludes requests for group members.',
    ['provider'],
  ],
  scopemesh_directory_changed_lists_total: [
    'counter',
    'Complete directory reads during which the list of clients kept changing, by provider. scopemesh asked for the missing clients alone.',
    ['provider'],
  ],
  scopemesh_directory_short_lists_total: [
    'counter',
    'Complete directory reads with a list that lacked what a client had when it was read alone, by provider.',
    ['provider'],
  ],
  scopemesh_directory_waits_total: [
    'counter',
    'Requests of complete directory reads that waited so that part of the rate limit stays free for events and orders, by provider.',
    ['provider'],
  ],
  scopemesh_directory_failures_total: [
    'counter',
    'Failed directory reads, by provider and error code.',
    ['provider', 'code'],
  ],
  scopemesh_directory_clients: ['gauge', 'Clients in the last complete read, by provider.', ['provider']],
  scopemesh_directory_unreadable_clients: [
    'gauge',
    'Clients whose record cannot be parsed, by provider.',
    ['provider'],
  ],
  scopemesh_poll_failures_total: [
    'counter',
    'Failed event polls, by provider and error code.',
    ['provider', 'code'],
  ],
  scopemesh_provider_paused_seconds: [
    'gauge',
    'Seconds since the identity provider began to limit the rate or to refuse the credentials; 0 if it answers.',
    ['provider'],
  ],
  scopemesh_rechecks: ['gauge', 'Rechecks that are scheduled after events, by provider.', ['provider']],
  scopemesh_missed_signals_total: [
    'counter',
    'Events that a poll found and the webhook did not deliver, by provider.',
    ['provider'],
  ],
  scopemesh_event_gaps_total: [
    'counter',
    'Complete comparisons because events may have been lost, by provider and reason (log, silence, missed, subscription, store).',
    ['provider', 'reason'],
  ],
  scopemesh_subscription_expires_seconds: [
    'gauge',
    'Seconds until the subscription to events at the identity provider ends, by provider.',
    ['provider'],
  ],
  scopemesh_subscription_failures_total: [
    'counter',
    'Failed renewals of a subscription to events, by provider and error code.',
    ['provider', 'code'],
  ],
  scopemesh_consul_requests_total: [
    'counter',
    'Requests to Consul, by operation and result.',
    ['operation', 'result'],
  ],
  scopemesh_consul_request_seconds: [
    'histogram',
    'Duration of Consul requests that do not block, by operation.',
    ['operation'],
  ],
  scopemesh_acl_cleanup_denied_total: [
    'counter',
    'Attempts to remove ACL objects that are no longer needed which failed because the ACL token lacks a permission.',
    [],
  ],
  scopemesh_consul_connections: ['gauge', 'Open connections to Consul.', []],
  scopemesh_consul_connections_refused_total: [
    'counter',
    'Connections that Consul refused with 429 because too many are open from this address. Requests wait for an open one.',
    [],
  ],
  scopemesh_consul_conflicts_total: [
    'counter',
    'Writes that Consul did not make because another writer had changed the object since it was read. scopemesh reads it and tries again.',
    [],
  ],
  scopemesh_consul_watch_age_seconds: [
    'gauge',
    'Seconds since the watch last proved that it missed nothing, by table.',
    ['table'],
  ],
  scopemesh_consul_watch_restarts_total: [
    'counter',
    'Watches on Consul that were started again, because a comparison found a change that the watch had not seen.',
    ['table'],
  ],
  scopemesh_unread_seconds: [
    'gauge',
    'Since when this replica, which leads, cannot read a side (`consul`, or `provider/<name>`); 0 if it can, or for less than 30 s.',
    ['side'],
  ],
  scopemesh_consul_unreadable_entries: [
    'gauge',
    'Entries of Consul that cannot be read, because they are too large, nested too deep or not as Consul writes them, by kind: what each has stays and gains nothing, until somebody repairs it.',
    ['kind'],
  ],
  scopemesh_manifests_broken: [
    'gauge',
    'Manifests in the directory that cannot be read: nothing changes at their destinations, revocations neither, until somebody repairs them. Only with `consul.target`.',
    [],
  ],
  scopemesh_manifests_unsynced: [
    'gauge',
    'Destinations whose intentions in Consul differ from the manifests in the directory: what was granted or revoked there is not in force yet. Only with `consul.target`.',
    [],
  ],
  scopemesh_consul_default_allow: [
    'gauge',
    '1 if the mesh allows calls that no intention covers, which is a misconfiguration.',
    [],
  ],
  scopemesh_sweep_age_seconds: ['gauge', 'Seconds since the last complete comparison with Consul.', []],
  scopemesh_owned_edges: ['gauge', 'Edges in Consul that carry the mark of this instance.', []],
  scopemesh_acl_tokens: [
    'gauge',
    'ACL tokens in Consul except the one that scopemesh uses, by kind (management, static, static-expiring, anonymous, login). Only if ACL rules, groups or logins are configured.',
    ['kind'],
  ],
  scopemesh_acl_tokens_ended_total: [
    'counter',
    'Login tokens that scopemesh ended, by the reason of the decision. Tokens that ended with their auth method are included only if they could be counted.',
    ['reason'],
  ],
  scopemesh_quarantines: ['gauge', 'Clients in quarantine.', []],
  scopemesh_quarantines_unrecorded: [
    'gauge',
    "Quarantines and releases that could not be written to Consul's KV. The store of scopemesh has them; a lost store would end these quarantines.",
    [],
  ],
  scopemesh_quarantine_records_repaired_total: [
    'counter',
    "Quarantines in Consul's KV that somebody else changed or deleted, and that were written again.",
    [],
  ],
  scopemesh_inferred_removals: ['gauge', 'Inferred removals within the window of the mass guard.', []],
  scopemesh_leader: ['gauge', '1 if this replica leads, 0 if it only takes events.', []],
  scopemesh_leaderless_seconds: [
    'gauge',
    'Seconds since this replica last knew of a leader; 0 while there is one. Nothing changes in Consul without a leader.',
    [],
  ],
  scopemesh_replicas_differing: [
    'gauge',
    'Other replicas with another mapping or mode than this one. While a leader is among them, or leads after one of them, access may depend on which one leads.',
    [],
  ],
  scopemesh_takeovers_total: ['counter', 'How often this replica began to lead.', []],
  scopemesh_standby_read_failures_total: [
    'counter',
    'How often this replica, as a standby, could not read both sides. If it leads next, its first writes are late.',
    [],
  ],
  scopemesh_telemetry_failures_total: [
    'counter',
    'Failed attempts to send traces or metrics by OTLP, by signal (traces, metrics). Only with `telemetry`.',
    ['signal'],
  ],
  scopemesh_config_reload_failures_total: ['counter', 'Reloads refused because the new file is bad.', []],
} as const satisfies Record<string, readonly ['counter' | 'gauge' | 'histogram', string, readonly string[]]>;

export type MetricName = keyof typeof METRICS;

export const silentLogger: Logger = { debug() {}, info() {}, warn() {}, error() {} };
export const noMetrics: Metrics = { count() {}, gauge() {}, time() {} };
