import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, it, onTestFinished } from 'vitest';
import { createMetrics } from '../../src/app/metrics.js';
import { METRICS, type MetricName } from '../../src/observe.js';
import { startDemo } from '../demo/demo-process.js';
import { textOf } from '../docs/manual.js';
import { BUILT } from '../e2e/scopemesh.js';
import { until } from '../stack/process.js';
import { startPrometheus } from '../stack/prometheus.js';
import { queriesOf } from './dashboard.js';

/** What the demo has no reason to show: failures, and parts that it does not have. */
const NOT_IN_DEMO = new Set<string>([
  'scopemesh_holds',
  'scopemesh_missed_signals_total',
  'scopemesh_event_gaps_total',
  'scopemesh_poll_failures_total',
  'scopemesh_directory_failures_total',
  'scopemesh_directory_waits_total',
  'scopemesh_directory_changed_lists_total',
  'scopemesh_directory_short_lists_total',
  'scopemesh_subscription_expires_seconds',
  'scopemesh_subscription_failures_total',
  'scopemesh_unstored_events',
  'scopemesh_unstored_events_lost_total',
  'scopemesh_consul_watch_restarts_total',
  'scopemesh_consul_unreadable_entries',
  'scopemesh_acl_tokens',
  'scopemesh_acl_tokens_ended_total',
  'scopemesh_decisions_suppressed_total',
  'scopemesh_webhook_deliveries_total',
  'scopemesh_webhook_failing_seconds',
  'scopemesh_webhook_gaps_total',
  'scopemesh_webhook_interruptions_total',
  'scopemesh_trail_index_faults_total',
  'scopemesh_trail_questions_total',
  'scopemesh_http_connections_closed_total',
  'scopemesh_console_page_errors_total',
  'scopemesh_telemetry_failures_total',
] satisfies MetricName[]);

const queries = queriesOf(JSON.parse(textOf('deploy/grafana/scopemesh.json')));

/** A page of metrics on which each metric has a value for each of its labels. */
async function startFullExporter(): Promise<string> {
  const metrics = createMetrics();
  const server = createServer((_, response) => {
    for (const [name, [kind, , labels]] of Object.entries(METRICS) as [
      MetricName,
      (typeof METRICS)[MetricName],
    ][]) {
      const values = Object.fromEntries(labels.map((label) => [label, 'any']));
      if (kind === 'counter') metrics.count(name, values);
      else if (kind === 'gauge') metrics.gauge(name, 1, values);
      else metrics.time(name, 1, values);
    }
    void metrics.expose().then(({ contentType, body }) => {
      response.setHeader('content-type', contentType).end(body);
    });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** The panels to which Prometheus has nothing to answer for this job; throws if it refuses one. */
async function emptyPanels(prometheus: string, job: string): Promise<readonly string[]> {
  const answers = await Promise.all(
    queries.map(async ({ expr }) => {
      const query = expr.replaceAll('$job', job).replaceAll('$__rate_interval', '20s');
      const response = await fetch(`${prometheus}/api/v1/query`, {
        method: 'POST',
        body: new URLSearchParams({ query }),
      });
      const { status, error, data } = (await response.json()) as {
        status: string;
        error?: string;
        data: { result: readonly unknown[] };
      };
      if (status !== 'success') throw new Error(`${expr}: ${error}`);
      return data.result.length === 0 ? [/\w+/.exec(expr.replace(/^.*\((?=\w+\{)/, ''))?.[0] ?? expr] : [];
    }),
  );
  return [...new Set(answers.flat())];
}

it('every panel has an answer of a real Prometheus, over the demo at work and over all that can be counted', async () => {
  const demo = startDemo(['--json'], { program: [BUILT] });
  onTestFinished(async () => void (await demo.stop('SIGKILL')));
  await demo.until((stdout) => stdout.includes('\n'));
  const { scopemesh, callers, idp, idpManagementToken } = JSON.parse(demo.stdout);
  const prometheus = await startPrometheus({
    scopemesh: new URL(scopemesh).host,
    full: await startFullExporter(),
  });
  onTestFinished(() => prometheus.stop());
  const headers = { authorization: `Bearer ${idpManagementToken}` };
  const isAnswered = async () => {
    for (const method of ['POST', 'DELETE'])
      await fetch(`${idp}/clients/web-app/scopes/orders:write`, { method, headers });
    await fetch(`${callers.web}/orders/v1/orders`);
    const empty = await emptyPanels(prometheus.address, 'scopemesh');
    const unexpected = empty.filter((name) => !NOT_IN_DEMO.has(name));
    if (unexpected.length > 0) throw new Error(`no answer for ${unexpected.join(', ')}`);
    return true;
  };
  await until('every panel of the demo has an answer', isAnswered, { intervalMs: 1000 });
  await until(
    'every panel has an answer',
    async () => (await emptyPanels(prometheus.address, 'full')).length === 0,
  );
  expect(queries.length).toBeGreaterThan(80);
});
