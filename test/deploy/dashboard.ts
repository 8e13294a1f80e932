import { METRICS, type MetricName } from '../../src/observe.js';

// The panels come from the list of metrics: each metric is one panel, and its help text is the description.

/** The rows from the top. The first ones are open. */
export const ROWS: Readonly<Record<string, readonly MetricName[]>> = {
  'At a glance': [
    'scopemesh_leader',
    'scopemesh_oldest_revocation_seconds',
    'scopemesh_holds',
    'scopemesh_owned_edges',
    'scopemesh_directory_age_seconds',
    'scopemesh_sweep_age_seconds',
    'scopemesh_event_to_commit_seconds',
    'scopemesh_decisions_total',
  ],
  'People decide': [
    'scopemesh_frozen',
    'scopemesh_denies',
    'scopemesh_break_glass_open',
    'scopemesh_break_glass_unclosed',
    'scopemesh_break_glass_reminders_total',
    'scopemesh_quarantines',
    'scopemesh_quarantines_unrecorded',
    'scopemesh_quarantine_records_repaired_total',
    'scopemesh_inferred_removals',
  ],
  'Identity providers': [
    'scopemesh_events_total',
    'scopemesh_missed_signals_total',
    'scopemesh_event_gaps_total',
    'scopemesh_poll_failures_total',
    'scopemesh_directory_failures_total',
    'scopemesh_provider_paused_seconds',
    'scopemesh_directory_requests_total',
    'scopemesh_directory_read_requests',
    'scopemesh_directory_waits_total',
    'scopemesh_directory_clients',
    'scopemesh_directory_unreadable_clients',
    'scopemesh_directory_changed_lists_total',
    'scopemesh_directory_short_lists_total',
    'scopemesh_rechecks',
    'scopemesh_subscription_expires_seconds',
    'scopemesh_subscription_failures_total',
    'scopemesh_unstored_events',
    'scopemesh_unstored_events_lost_total',
  ],
  Consul: [
    'scopemesh_consul_requests_total',
    'scopemesh_consul_request_seconds',
    'scopemesh_consul_watch_age_seconds',
    'scopemesh_consul_watch_restarts_total',
    'scopemesh_consul_conflicts_total',
    'scopemesh_consul_connections',
    'scopemesh_consul_connections_refused_total',
    'scopemesh_unread_seconds',
    'scopemesh_consul_unreadable_entries',
    'scopemesh_manifests_broken',
    'scopemesh_manifests_unsynced',
    'scopemesh_consul_default_allow',
    'scopemesh_acl_tokens',
    'scopemesh_acl_tokens_ended_total',
    'scopemesh_acl_cleanup_denied_total',
  ],
  'Jobs and stores': [
    'scopemesh_jobs_total',
    'scopemesh_job_seconds',
    'scopemesh_parked_keys',
    'scopemesh_work_stuck',
    'scopemesh_store_low',
    'scopemesh_store_reserve_bytes',
    'scopemesh_store_restored_decisions_total',
    'scopemesh_decisions_suppressed_total',
  ],
  'Decision log': [
    'scopemesh_outbox_decisions',
    'scopemesh_publish_seconds',
    'scopemesh_relay_failures_total',
    'scopemesh_checkpoint_failures_total',
    'scopemesh_webhook_deliveries_total',
    'scopemesh_webhook_failing_seconds',
    'scopemesh_webhook_gaps_total',
    'scopemesh_webhook_interruptions_total',
    'scopemesh_trail_index_lag_seconds',
    'scopemesh_trail_index_failures_total',
    'scopemesh_trail_index_faults_total',
    'scopemesh_trail_questions_total',
    'scopemesh_decision_streams',
    'scopemesh_decision_streams_dropped_total',
  ],
  'Replicas and processes': [
    'scopemesh_leaderless_seconds',
    'scopemesh_replicas_differing',
    'scopemesh_takeovers_total',
    'scopemesh_standby_read_failures_total',
    'scopemesh_config_reload_failures_total',
    'scopemesh_http_connections_closed_total',
    'scopemesh_console_page_errors_total',
    'scopemesh_telemetry_failures_total',
  ],
};
const OPEN_ROWS = 1;

const DATA_SOURCE = { type: 'prometheus', uid: '$datasource' };

/** Of the process, beside the metrics of scopemesh. */
const PROCESS = [
  { title: 'Memory', expr: 'process_resident_memory_bytes{job=~"$job"}', unit: 'bytes' },
  {
    title: 'Processor',
    expr: 'rate(process_cpu_seconds_total{job=~"$job"}[$__rate_interval])',
    unit: 'percentunit',
  },
  { title: 'Event loop, p99', expr: 'nodejs_eventloop_lag_p99_seconds{job=~"$job"}', unit: 's' },
].map(({ title, expr, unit }) => panel(title, '', unit, [[expr, '{{instance}}']]));

export interface Panel {
  readonly title: string;
  readonly type: string;
  readonly targets: readonly { readonly expr: string; readonly legendFormat: string }[];
  readonly [key: string]: unknown;
}

function panel(
  title: string,
  description: string,
  unit: string,
  queries: readonly (readonly [string, string])[],
): Panel {
  return {
    title,
    description,
    type: 'timeseries',
    datasource: DATA_SOURCE,
    fieldConfig: { defaults: { unit, min: 0, custom: { fillOpacity: 10 } }, overrides: [] },
    options: {
      legend: { displayMode: 'list', placement: 'bottom' },
      tooltip: { mode: 'multi', sort: 'desc' },
    },
    targets: queries.map(([expr, legendFormat], at) => ({
      refId: 'AB'[at],
      datasource: DATA_SOURCE,
      expr,
      legendFormat,
    })),
  };
}

/** A gauge shows the largest of all replicas: each sets only its own. A counter shows its increase. */
function panelOf(name: MetricName): Panel {
  const [kind, help, labels] = METRICS[name];
  const by = labels.length === 0 ? '' : ` by (${labels.join(', ')})`;
  const legend = labels.length === 0 ? '{{job}}' : labels.map((label) => `{{${label}}}`).join(' ');
  const words = name
    .replace(/^scopemesh_/, '')
    .replace(/_(total|seconds|bytes)$/, '')
    .replaceAll('_', ' ');
  const title = `${words.charAt(0).toUpperCase()}${words.slice(1)}`;
  const of = `${name}{job=~"$job"}`;
  if (kind === 'gauge') {
    const unit = name.endsWith('_seconds') ? 's' : name.endsWith('_bytes') ? 'bytes' : 'short';
    // Most reasons have nothing to count at most times.
    const some = labels.some((label) => label === 'reason') ? ' > 0' : '';
    return panel(title, help, unit, [[`max${by} (${of})${some}`, labels.length === 0 ? title : legend]]);
  }
  if (kind === 'counter')
    return panel(title, help, 'short', [
      [`sum${by} (increase(${of}[$__rate_interval]))`, labels.length === 0 ? title : legend],
    ]);
  const buckets = (share: number) =>
    `histogram_quantile(${share}, sum by (${['le', ...labels].join(', ')}) (rate(${name}_bucket{job=~"$job"}[$__rate_interval])))`;
  if (labels.length > 0) return panel(`${title}, p99`, help, 's', [[buckets(0.99), legend]]);
  return panel(title, help, 's', [
    [buckets(0.5), 'p50'],
    [buckets(0.99), 'p99'],
  ]);
}

/** Panels on a grid of 24 columns, four beside each other. */
function placed(panels: readonly Panel[], top: number, firstId: number) {
  return panels.map((each, at) => ({
    id: firstId + at,
    ...each,
    gridPos: { x: (at % 4) * 6, y: top + Math.floor(at / 4) * 7, w: 6, h: 7 },
  }));
}

export function dashboard(): object {
  let id = 1;
  let y = 0;
  const panels = Object.entries(ROWS).flatMap(([title, names], at): readonly object[] => {
    const isOpen = at < OPEN_ROWS;
    const own = at === Object.keys(ROWS).length - 1 ? PROCESS : [];
    const inRow = placed([...own, ...names.map(panelOf)], y + 1, id + 1);
    const head = { id, title, type: 'row', collapsed: !isOpen, gridPos: { x: 0, y, w: 24, h: 1 } };
    id += inRow.length + 1;
    y += isOpen ? 1 + Math.ceil(inRow.length / 4) * 7 : 1;
    return isOpen ? [{ ...head, panels: [] }, ...inRow] : [{ ...head, panels: inRow }];
  });
  return {
    uid: 'scopemesh',
    title: 'scopemesh',
    description: 'Made from the list of metrics. The manual’s page "Alerts" says what to do about them.',
    tags: ['scopemesh', 'consul'],
    schemaVersion: 39,
    editable: true,
    refresh: '30s',
    time: { from: 'now-6h', to: 'now' },
    templating: {
      list: [
        { name: 'datasource', type: 'datasource', query: 'prometheus', label: 'Data source' },
        {
          name: 'job',
          type: 'query',
          label: 'Job',
          datasource: DATA_SOURCE,
          query: { query: 'label_values(scopemesh_leader, job)', refId: 'job' },
          refresh: 2,
          includeAll: true,
          multi: true,
          current: { text: 'All', value: '$__all' },
        },
      ],
    },
    panels,
  };
}

/** The panels of the open rows. */
export const openPanels = (): readonly Panel[] => Object.values(ROWS).slice(0, OPEN_ROWS).flat().map(panelOf);

/** Every panel with a query, also those in closed rows. */
export function queriesOf(made: unknown): readonly { readonly title: string; readonly expr: string }[] {
  const { panels } = made as { panels: readonly (Panel & { panels?: readonly Panel[] })[] };
  return panels
    .flatMap((each) => (each.type === 'row' ? (each.panels ?? []) : [each]))
    .flatMap(({ title, targets }) => targets.map(({ expr }) => ({ title, expr })));
}
