import type { Latency } from '../../answers.js';
import { durationText } from '../clock.js';
import { pathOf } from '../query.js';
import { Plot, PlotLine, ROUND } from './plot.js';

const LINES = [
  ['p50Ms', 'thick'],
  ['p95Ms', ''],
  ['p99Ms', 'dashed'],
] as const;

/** Percentiles over time on a logarithmic scale; each slow decision is a dot that opens it. The table below has the numbers. */
export function TimesPlot({ from, to, buckets, slowest, marks }: Latency) {
  const end = Date.parse(to);
  const all = buckets.flatMap(({ p50Ms, maxMs }) => [p50Ms ?? 1, maxMs ?? 1]);
  const low = Math.log10(Math.max(1, Math.min(...all)) / 1.3);
  const high = Math.log10(Math.max(10, ...all) * 1.3);
  const place = (ms: number | null) => Math.log10(Math.max(1, ms ?? 1));
  const middle = (bucket: Latency['buckets'][number]) =>
    (Date.parse(bucket.from) + Math.min(end, Date.parse(bucket.to))) / 2;
  return (
    <Plot
      name="Time to enforce, with the slowest decisions"
      {...{ from: Date.parse(from), to: end, low, high }}
      ticks={ROUND.filter((ms) => place(ms) > low && place(ms) < high).map((ms) => [
        place(ms),
        durationText(ms),
      ])}
      legend="Lines: half of the changes (thick), 95 % (thin) and 99 % (dashed) were faster. Dots: the slowest decisions. Upright lines: another leader, a freeze."
    >
      {(x, y) => (
        <>
          {marks.map(({ id, time, reason }) => (
            <a key={id} href={pathOf('/changes', id)} class="mark">
              <title>
                {reason} {new Date(time).toLocaleString()}
              </title>
              <line x1={x(Date.parse(time))} x2={x(Date.parse(time))} y1={y(low)} y2={y(high)} />
            </a>
          ))}
          {LINES.map(([name, tone]) => (
            <PlotLine
              key={name}
              tone={tone}
              points={buckets.map((each) => [x(middle(each)), y(place(each[name]))])}
            />
          ))}
          {slowest.map(({ id, time, ms }) => (
            <a key={id} href={pathOf('/changes', id)} class="outlier">
              <title>
                {durationText(ms)} at {new Date(time).toLocaleString()}
              </title>
              <circle cx={x(Date.parse(time))} cy={y(place(ms))} r="5" />
            </a>
          ))}
        </>
      )}
    </Plot>
  );
}
