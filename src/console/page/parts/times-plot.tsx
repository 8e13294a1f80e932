import { useEffect, useRef, useState } from 'preact/hooks';
import type { Latency } from '../../answers.js';
import { durationText } from '../clock.js';
import { pathOf } from '../query.js';

const [HEIGHT, LEFT, RIGHT, BOTTOM, TOP] = [220, 52, 8, 22, 10];
const LINES = ['p50Ms', 'p95Ms', 'p99Ms'] as const;
const STEPS = [1, 2, 5];

/** Percentiles over time on a logarithmic scale; each slow decision is a dot that opens it. The table below has the numbers. */
export function TimesPlot({ from, to, buckets, slowest, marks }: Latency) {
  const [width, setWidth] = useState(720);
  const figure = useRef<SVGSVGElement>(null);
  useEffect(() => {
    if (figure.current === null) return;
    const observer = new ResizeObserver(([entry]) => setWidth(entry?.contentRect.width ?? 720));
    observer.observe(figure.current);
    return () => observer.disconnect();
  }, []);
  const [begin, end] = [Date.parse(from), Date.parse(to)];
  const all = buckets.flatMap(({ p50Ms, maxMs }) => [p50Ms ?? 1, maxMs ?? 1]);
  const low = Math.log10(Math.max(1, Math.min(...all)) / 1.3);
  const high = Math.log10(Math.max(10, ...all) * 1.3);
  const x = (at: number) => LEFT + ((at - begin) / Math.max(1, end - begin)) * (width - LEFT - RIGHT);
  const y = (ms: number) =>
    HEIGHT - BOTTOM - ((Math.log10(Math.max(1, ms)) - low) / (high - low)) * (HEIGHT - BOTTOM - TOP);
  const middle = (bucket: Latency['buckets'][number]) =>
    x((Date.parse(bucket.from) + Math.min(end, Date.parse(bucket.to))) / 2);
  const ticks = Array.from({ length: 8 }, (_, power) => STEPS.map((step) => step * 10 ** power))
    .flat()
    .filter((ms) => Math.log10(ms) > low && Math.log10(ms) < high);
  const every = Math.ceil(ticks.length / 6);
  return (
    <figure class="plot">
      <svg ref={figure} height={HEIGHT} aria-label="Time to enforce, with the slowest decisions">
        {ticks
          .filter((_, index) => index % every === 0)
          .map((ms) => (
            <g key={ms} class="tick">
              <line x1={LEFT} x2={width - RIGHT} y1={y(ms)} y2={y(ms)} />
              <text x={LEFT - 6} y={y(ms) + 4} text-anchor="end">
                {durationText(ms)}
              </text>
            </g>
          ))}
        {marks.map(({ id, time, reason }) => (
          <a key={id} href={pathOf('/changes', id)} class="mark">
            <title>
              {reason} {new Date(time).toLocaleString()}
            </title>
            <line x1={x(Date.parse(time))} x2={x(Date.parse(time))} y1={TOP} y2={HEIGHT - BOTTOM} />
          </a>
        ))}
        {LINES.map((name) => (
          <g key={name} class={`percentile ${name}`}>
            <polyline points={buckets.map((each) => `${middle(each)},${y(each[name] ?? 0)}`).join(' ')} />
            {buckets.map((each) => (
              <circle key={each.from} cx={middle(each)} cy={y(each[name] ?? 0)} r="2" />
            ))}
          </g>
        ))}
        {slowest.map(({ id, time, ms }) => (
          <a key={id} href={pathOf('/changes', id)} class="outlier">
            <title>
              {durationText(ms)} at {new Date(time).toLocaleString()}
            </title>
            <circle cx={x(Date.parse(time))} cy={y(ms)} r="5" />
          </a>
        ))}
        <text x={LEFT} y={HEIGHT - 5}>
          {new Date(begin).toLocaleString(undefined, { dateStyle: 'short', timeStyle: 'short' })}
        </text>
        <text x={width - RIGHT} y={HEIGHT - 5} text-anchor="end">
          {new Date(end).toLocaleString(undefined, { dateStyle: 'short', timeStyle: 'short' })}
        </text>
      </svg>
      <figcaption class="soft">
        Lines: half of the changes (thick), 95 % (thin) and 99 % (dashed) were faster. Dots: the slowest
        decisions. Upright lines: another leader, a freeze.
      </figcaption>
    </figure>
  );
}
