import type { ComponentChildren } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';

const [HEIGHT, LEFT, RIGHT, BOTTOM, TOP] = [220, 52, 8, 22, 10];
const MOST_TICKS = 6;
const MOST_DOTS = 48;

/** 1, 2, 5, 10 and so on. */
export const ROUND = Array.from({ length: 8 }, (_, power) =>
  [1, 2, 5].map((step) => step * 10 ** power),
).flat();

interface Plotted {
  readonly name: string;
  /** Milliseconds since the epoch. */
  readonly from: number;
  readonly to: number;
  /** The lowest and the highest place of the upright axis, and places between them with their words. */
  readonly low: number;
  readonly high: number;
  readonly ticks: readonly (readonly [place: number, text: string])[];
  /** Says what lines and signs mean. */
  readonly legend: string;
  readonly children: (x: (at: number) => number, y: (place: number) => number) => ComponentChildren;
}

/** A picture of numbers over time, as wide as its window. A table beside it has the same numbers. */
export function Plot({ name, from, to, low, high, ticks, legend, children }: Plotted) {
  const [width, setWidth] = useState(720);
  const figure = useRef<SVGSVGElement>(null);
  useEffect(() => {
    if (figure.current === null) return;
    const observer = new ResizeObserver(([entry]) => setWidth(entry?.contentRect.width ?? 720));
    observer.observe(figure.current);
    return () => observer.disconnect();
  }, []);
  const [end, floor] = [width - RIGHT, HEIGHT - BOTTOM];
  const x = (at: number) => LEFT + ((at - from) / Math.max(1, to - from)) * (end - LEFT);
  const y = (place: number) => floor - ((place - low) / (high - low || 1)) * (floor - TOP);
  const every = Math.ceil(ticks.length / MOST_TICKS);
  const instant = (at: number) =>
    new Date(at).toLocaleString(undefined, { dateStyle: 'short', timeStyle: 'short' });
  return (
    <figure class="plot">
      <svg ref={figure} height={HEIGHT} aria-label={name}>
        {ticks
          .filter((_, index) => index % every === 0)
          .map(([place, text]) => (
            <g key={place} class="tick">
              <line x1={LEFT} x2={end} y1={y(place)} y2={y(place)} />
              <text x={LEFT - 6} y={y(place) + 4} text-anchor="end">
                {text}
              </text>
            </g>
          ))}
        {children(x, y)}
        <text x={LEFT} y={HEIGHT - 5}>
          {instant(from)}
        </text>
        <text x={end} y={HEIGHT - 5} text-anchor="end">
          {instant(to)}
        </text>
      </svg>
      <figcaption>{legend}</figcaption>
    </figure>
  );
}

/** One line of a plot, with a dot at each number if there are few. */
export function PlotLine({
  tone,
  points,
}: {
  readonly tone: string;
  readonly points: readonly (readonly [x: number, y: number])[];
}) {
  return (
    <g class={`line ${tone}`}>
      <polyline points={points.join(' ')} />
      {points.length <= MOST_DOTS && points.map(([cx, cy]) => <circle key={cx} cx={cx} cy={cy} r="2" />)}
    </g>
  );
}
