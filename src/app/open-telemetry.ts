import { AsyncLocalStorage } from 'node:async_hooks';
import {
  type Attributes,
  type Context,
  type HrTime,
  ROOT_CONTEXT,
  type Span,
  SpanStatusCode,
  trace,
  ValueType,
} from '@opentelemetry/api';
import { OTLPMetricExporter } from '@opentelemetry/exporter-metrics-otlp-proto';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-proto';
import { type Resource, resourceFromAttributes } from '@opentelemetry/resources';
import {
  AggregationTemporality,
  DataPointType,
  type Histogram,
  MeterProvider,
  type MetricData,
  PeriodicExportingMetricReader,
} from '@opentelemetry/sdk-metrics';
import { BatchSpanProcessor, TracerProvider } from '@opentelemetry/sdk-trace';
import type { TelemetrySettings } from '../../config/config.js';
import { groupBy } from '../model/group-by.js';
import type { Labels, Logger, SpanName, Tracing } from '../observe.js';
import type { Runtime } from '../runtime.js';
import type { CollectedMetric, PrometheusMetrics } from './metrics.js';
import { readBuild, versionText } from './version.js';

// The only file that knows the SDK. workers/daemon.ts loads it if `telemetry` is configured.

/** Tracing by OpenTelemetry. `close` sends what waits. */
export interface OpenTelemetry extends Tracing {
  close(): Promise<void>;
}

type Telemetered = Pick<Runtime, 'logger' | 'clock'> & { readonly metrics: PrometheusMetrics };

const EXPORT_MS = 30_000;
/** A collector that does not answer must not hold up a stop for longer. */
const TIMEOUT_MS = 5_000;

/** Sends spans and the metrics to a collector until it is closed. */
export function startOpenTelemetry(
  settings: TelemetrySettings,
  owner: string,
  runtime: Telemetered,
): OpenTelemetry {
  const version = versionText(readBuild());
  const resource = resourceFromAttributes({
    'service.name': 'scopemesh',
    'service.namespace': owner,
    'service.version': version,
  });
  const base = settings.endpoint.replace(/\/+$/, '');
  const headers = Object.fromEntries(
    Object.entries(settings.headers).map(([name, value]) => [name, value.reveal()]),
  );
  const at = (signal: string) => ({ url: `${base}/v1/${signal}`, headers, timeoutMillis: TIMEOUT_MS });
  const spanExporter = reported(new OTLPTraceExporter(at('traces')), 'traces', runtime);
  const metricExporter = reported(new OTLPMetricExporter(at('metrics')), 'metrics', runtime);
  const tracers = new TracerProvider({
    resource,
    spanProcessors: [new BatchSpanProcessor({ exporter: spanExporter })],
  });
  const meters = new MeterProvider({
    resource,
    readers: [
      new PeriodicExportingMetricReader({
        exporter: metricExporter,
        exportIntervalMillis: EXPORT_MS,
        exportTimeoutMillis: TIMEOUT_MS,
        metricProducers: [{ collect: () => collected(resource, version, runtime) }],
      }),
    ],
  });
  const { begin, step, ended } = createTracing(tracers.getTracer('scopemesh', version), runtime);
  return {
    begin,
    step,
    ended,
    async close() {
      // What it cannot send, `reported` says.
      await Promise.allSettled([tracers.shutdown(), meters.shutdown()]);
    },
  };
}

function createTracing(tracer: ReturnType<TracerProvider['getTracer']>, { clock }: Telemetered): Tracing {
  const running = new AsyncLocalStorage<Span>();
  const run = async <T>(
    name: SpanName,
    fields: Labels,
    parent: Context,
    work: (span: Span) => Promise<T>,
  ): Promise<T> => {
    const attributes = Object.fromEntries(
      Object.entries(fields).map(([field, value]) => [`scopemesh.${field}`, value]),
    );
    const span = tracer.startSpan(name, { attributes }, parent);
    try {
      return await running.run(span, () => work(span));
    } catch (error) {
      // Its message may quote what others sent; the log has it.
      span.setStatus({ code: SpanStatusCode.ERROR });
      throw error;
    } finally {
      span.end();
    }
  };
  return {
    begin: (name, traceparent, fields, work) =>
      run(name, fields, contextOf(traceparent), (span) => work(traceparentOf(span))),
    step(name, fields, work) {
      const parent = running.getStore();
      return parent === undefined ? work() : run(name, fields, trace.setSpan(ROOT_CONTEXT, parent), work);
    },
    ended(name, traceparents, startedAt) {
      for (const traceparent of traceparents)
        tracer.startSpan(name, { startTime: startedAt }, contextOf(traceparent)).end(clock.now());
    },
  };
}

/** Of a header that was parsed before. */
function contextOf(traceparent: string | undefined): Context {
  const [, traceId, spanId, flags] = traceparent?.split('-') ?? [];
  if (traceId === undefined || spanId === undefined) return ROOT_CONTEXT;
  const traceFlags = Number.parseInt(flags ?? '', 16);
  return trace.setSpanContext(ROOT_CONTEXT, { traceId, spanId, traceFlags, isRemote: true });
}

function traceparentOf(span: Span): string {
  const { traceId, spanId, traceFlags } = span.spanContext();
  return `00-${traceId}-${spanId}-0${traceFlags}`;
}

interface Exporter<T> {
  export(items: T, done: (result: { code: number; error?: Error }) => void): void;
}

/** Counts failed exports, and logs when they begin and end. */
function reported<E extends Exporter<never>>(
  exporter: E,
  signal: string,
  { logger, metrics }: { readonly logger: Logger; readonly metrics: PrometheusMetrics },
): E {
  const send: Exporter<unknown>['export'] = exporter.export.bind(exporter);
  let isFailing = false;
  exporter.export = (items, done) =>
    send(items, (result) => {
      const hasFailed = result.code !== 0;
      if (hasFailed) metrics.count('scopemesh_telemetry_failures_total', { signal });
      if (hasFailed && !isFailing)
        logger.warn(
          { signal, error: result.error?.message },
          'the collector of telemetry does not take it; check telemetry.endpoint',
        );
      if (!hasFailed && isFailing) logger.info({ signal }, 'the collector takes telemetry again');
      isFailing = hasFailed;
      done(result);
    });
  return exporter;
}

/** The metrics as the SDK has them. They are cumulative, from the start of the process on. */
async function collected(resource: Resource, version: string, { metrics, clock }: Telemetered) {
  const endTime = hrTime(clock.now());
  const read = (await metrics.collect()).map((metric) => toMetricData(metric, endTime));
  const scopeMetrics = [{ scope: { name: 'scopemesh', version }, metrics: read }];
  return { resourceMetrics: { resource, scopeMetrics }, errors: [] };
}

const BEGAN = hrTime(performance.timeOrigin);

function hrTime(ms: number): HrTime {
  return [Math.floor(ms / 1000), Math.round((ms % 1000) * 1e6)];
}

function toMetricData({ name, help, type, values }: CollectedMetric, endTime: HrTime): MetricData {
  const described = {
    descriptor: { name, description: help, unit: '', valueType: ValueType.DOUBLE },
    aggregationTemporality: AggregationTemporality.CUMULATIVE,
  };
  const point = <T>(labels: Attributes, value: T) => ({
    startTime: BEGAN,
    endTime,
    attributes: labels,
    value,
  });
  // prom-client declares a name; what it gives is the text of the kind.
  if (String(type) === 'histogram') {
    const series = groupBy(values, ({ labels: { le: _, ...labels } }) => JSON.stringify(labels));
    return {
      ...described,
      dataPointType: DataPointType.HISTOGRAM,
      dataPoints: [...series].map(([labels, parts]) => point(JSON.parse(labels), toHistogram(parts))),
    };
  }
  const dataPoints = values.map(({ labels, value }) => point({ ...labels }, value));
  if (String(type) !== 'counter') return { ...described, dataPointType: DataPointType.GAUGE, dataPoints };
  return { ...described, dataPointType: DataPointType.SUM, isMonotonic: true, dataPoints };
}

/** In Prometheus each bucket has what the smaller ones have; in OpenTelemetry it does not. */
function toHistogram(parts: Readonly<CollectedMetric['values']>): Histogram {
  const buckets = parts.filter(({ labels }) => labels.le !== undefined);
  // The last bucket has everything, and the two parts after it the sum and the count.
  const [sum, count] = parts.filter(({ labels }) => labels.le === undefined).map(({ value }) => value);
  return {
    buckets: {
      boundaries: buckets.slice(0, -1).map(({ labels }) => Number(labels.le)),
      counts: buckets.map(({ value }, at) => value - (buckets[at - 1]?.value ?? 0)),
    },
    sum: sum ?? 0,
    count: count ?? 0,
  };
}
