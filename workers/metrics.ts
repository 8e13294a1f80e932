import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import { type Labels, METRICS, type MetricName, type Metrics } from '../src/observe.js';

const BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10, 30, 60];

export interface PrometheusMetrics extends Metrics {
  /** The text exposition format, with its content type. */
  expose(): Promise<{ readonly contentType: string; readonly body: string }>;
}

/** Registers a metric on its first use, with the label names of that use. */
export function createMetrics(): PrometheusMetrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const counters = new Map<string, Counter>();
  const gauges = new Map<string, Gauge>();
  const histograms = new Map<string, Histogram>();
  const ask = <T>(
    known: Map<string, T>,
    name: MetricName,
    labels: Labels,
    create: (configuration: { name: string; help: string; labelNames: string[]; registers: Registry[] }) => T,
  ): T => {
    const found = known.get(name);
    if (found !== undefined) return found;
    const made = create({
      name,
      help: METRICS[name][1],
      labelNames: Object.keys(labels),
      registers: [registry],
    });
    known.set(name, made);
    return made;
  };
  return {
    count: (name, labels = {}, by = 1) =>
      ask(counters, name, labels, (options) => new Counter(options)).inc({ ...labels }, by),
    gauge: (name, value, labels = {}) =>
      ask(gauges, name, labels, (options) => new Gauge(options)).set({ ...labels }, value),
    time: (name, seconds, labels = {}) =>
      ask(histograms, name, labels, (options) => new Histogram({ ...options, buckets: BUCKETS })).observe(
        { ...labels },
        seconds,
      ),
    expose: async () => ({ contentType: registry.contentType, body: await registry.metrics() }),
  };
}
