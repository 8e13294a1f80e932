import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import { type Labels, METRICS, type MetricName, type Metrics } from '../observe.js';

const BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10, 30, 60];

export interface PrometheusMetrics extends Metrics {
  /** Sets gauges before each look at the metrics. It must not reject. */
  refreshBy(refresh: () => Promise<unknown>): void;
  /** The text exposition format, with its content type. */
  expose(): Promise<{ readonly contentType: string; readonly body: string }>;
  /** The same as values. */
  collect(): Promise<readonly CollectedMetric[]>;
}

export type CollectedMetric = Awaited<ReturnType<Registry['getMetricsAsJSON']>>[number];

/** The metrics of `METRICS` and no others. Never throws: unknown labels are left out. */
export function createMetrics(): PrometheusMetrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const counters = new Map<string, Counter>();
  const gauges = new Map<string, Gauge>();
  const histograms = new Map<string, Histogram>();
  for (const [name, [kind, help, labels]] of Object.entries(METRICS)) {
    const options = { name, help, labelNames: [...labels], registers: [registry] };
    if (kind === 'counter') counters.set(name, new Counter(options));
    else if (kind === 'gauge') gauges.set(name, new Gauge(options));
    else histograms.set(name, new Histogram({ ...options, buckets: BUCKETS }));
  }
  let refresh: () => Promise<unknown> = async () => {};
  return {
    count: (name, labels = {}, by = 1) => counters.get(name)?.inc(known(name, labels), by),
    gauge: (name, value, labels = {}) => gauges.get(name)?.set(known(name, labels), value),
    time: (name, seconds, labels = {}) => histograms.get(name)?.observe(known(name, labels), seconds),
    refreshBy(by) {
      refresh = by;
    },
    async expose() {
      await refresh();
      return { contentType: registry.contentType, body: await registry.metrics() };
    },
    async collect() {
      await refresh();
      return registry.getMetricsAsJSON();
    },
  };
}

function known(name: MetricName, labels: Labels): Record<string, string> {
  const names: readonly string[] = METRICS[name][2];
  // Nearly always, and every write is counted several times.
  if (Object.keys(labels).every((label) => names.includes(label))) return labels;
  return Object.fromEntries(Object.entries(labels).filter(([label]) => names.includes(label)));
}
