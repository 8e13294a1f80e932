import { useMemo, useRef, useState } from 'preact/hooks';
import { cleanText, cutMiddle } from '../clean-text.js';
import { useMapChoices } from './choices.js';
import { type Layout, layOut, type Place } from './layout.js';
import { type Shown, useLingering } from './lingering.js';
import { type Look, MARKS } from './net.js';
import { ZoomButtons } from './zoom-buttons.js';

export interface PictureNode {
  readonly id: string;
  readonly text: string;
  /** Under the name, in small letters. */
  readonly note: string;
  readonly href: string;
  readonly kind: 'service' | 'group' | 'middle' | 'more';
  readonly layer?: number;
}

export interface PictureArrow {
  readonly id: string;
  readonly from: string;
  readonly to: string;
  readonly look: Look;
  /** On the arrow: a number of edges, methods. */
  readonly label: string;
  /** Of the line, as one of three. */
  readonly weight: 1 | 2 | 3;
  readonly title: string;
  readonly href: string;
}

interface Drawn {
  /** What it shows; another one is laid out from scratch. */
  readonly name: string;
  readonly title: string;
  readonly nodes: readonly PictureNode[];
  readonly arrows: readonly PictureArrow[];
  /** So many arrows that they run behind the nodes, and come to the front for what the reader looks at. */
  readonly isDense?: boolean;
}

const NODE = { width: 190, height: 44 };
/** How far a line bends out that ends in its own column. */
const BEND = 50;
const PITCH = { x: 300, dense: 232, y: 58 };
const MARGIN = 16;
const ZOOMS = [0.5, 0.7, 1, 1.4, 2];

/** More arrows cannot all run apart from each other and from the boxes. */
const MOST_APART = 60;

/** With so many arrows they run behind the boxes. */
export const isCrowded = (arrows: readonly unknown[]) => arrows.length > MOST_APART;

/** How thick an arrow is that stands for so many. */
export const weightOf = (count: number) => (count > 50 ? 3 : count > 5 ? 2 : 1);

/** Nodes in columns and arrows between them. What the pointer or the focus is on comes to the front. */
export function Picture({ name, title, nodes, arrows, isDense = false }: Drawn) {
  const kept = useRef<{ readonly name: string; readonly layout: Layout }>(undefined);
  const layout = useMemo(() => {
    const before = kept.current?.name === name ? kept.current.layout : undefined;
    const made = layOut({ nodes, arrows, isDense }, before);
    kept.current = { name, layout: made };
    return made;
  }, [name, nodes, arrows, isDense]);
  const [near, setNear] = useState<string>();
  const [zoom, setZoom] = useState<number>();
  const [{ hide }] = useMapChoices();
  const shown = useLingering(arrows, `${name} ${hide}`);
  const places = [...layout.places.values()];
  const first = Math.min(...places.map(({ layer }) => layer), Number.POSITIVE_INFINITY);
  const columns = new Set(places.map(({ layer }) => layer)).size;
  const pitch = isDense && columns > 3 ? PITCH.dense : PITCH.x;
  const x = ({ layer }: Place) => MARGIN + (layer - first) * pitch;
  const y = ({ row }: Place) => MARGIN + NODE.height / 2 + row * PITCH.y;
  const width = Math.max(...places.map(x), 0) + NODE.width + BEND;
  const height = Math.max(...places.map(y), 0) + NODE.height / 2 + MARGIN;
  const step = (by: 1 | -1) => {
    const at = ZOOMS.indexOf(zoom ?? 1) + by;
    setZoom(ZOOMS[Math.max(0, Math.min(ZOOMS.length - 1, at))]);
  };
  const isLit = ({ id, from, to }: PictureArrow) => near === id || near === from || near === to;
  return (
    <figure class="drawn">
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reached by keyboard */}
      <section class="scrolls" aria-label={title} tabIndex={0}>
        <svg
          class={['picture', isDense ? 'dense' : '', near === undefined ? '' : 'near'].join(' ')}
          viewBox={`0 0 ${width} ${height}`}
          style={
            zoom === undefined
              ? { maxWidth: `${width * 1.15}px`, minWidth: `${Math.min(width, 700 + width * 0.25)}px` }
              : { width: `${width * zoom}px`, maxWidth: 'none' }
          }
          onPointerLeave={() => setNear(undefined)}
          onKeyDown={moveFocus}
        >
          <title>{title}</title>
          {shown.map((arrow) => {
            const from = layout.places.get(arrow.from);
            const to = layout.places.get(arrow.to);
            if (from === undefined || to === undefined) return null;
            const stops = [from, ...(layout.ways.get(arrow.id) ?? []), to].map((at) => ({
              x: x(at),
              y: y(at),
            }));
            return (
              <Arrow
                key={arrow.id}
                arrow={arrow}
                stops={stops}
                isLit={isLit(arrow)}
                onNear={() => setNear(arrow.id)}
              />
            );
          })}
          {nodes.map((node) => {
            const at = layout.places.get(node.id);
            return (
              at && (
                <Node
                  key={node.id}
                  node={node}
                  x={x(at)}
                  y={y(at)}
                  onNear={() => setNear(node.id)}
                  onFar={() => setNear(undefined)}
                />
              )
            );
          })}
        </svg>
      </section>
      <ZoomButtons step={step} fit={() => setZoom(undefined)} />
    </figure>
  );
}

interface Placed {
  readonly node: PictureNode;
  readonly x: number;
  readonly y: number;
  readonly onNear: () => void;
  readonly onFar: () => void;
}

function Node({ node: { text, note, href, kind }, x, y, onNear, onFar }: Placed) {
  const name = cleanText(text);
  return (
    <a
      href={href}
      class={`node ${kind}`}
      onPointerEnter={onNear}
      onPointerLeave={onFar}
      onFocus={onNear}
      onBlur={onFar}
    >
      <title>{`${name}, ${note}`}</title>
      <rect
        x={x}
        y={y - NODE.height / 2}
        width={NODE.width}
        height={NODE.height}
        rx={kind === 'group' ? 4 : 11}
      />
      <text x={x + NODE.width / 2} y={y - 7}>
        {cutMiddle(name, 20)}
      </text>
      <text class="under" x={x + NODE.width / 2} y={y + 11}>
        {note}
      </text>
    </a>
  );
}

interface Stop {
  readonly x: number;
  readonly y: number;
}

interface Line {
  readonly arrow: Shown<PictureArrow>;
  readonly stops: readonly Stop[];
  readonly isLit: boolean;
  readonly onNear: () => void;
}

/** The table has the same link for who cannot point at a line. */
function Arrow({ arrow, stops, isLit, onNear }: Line) {
  const { look, label, weight, title, href, motion } = arrow;
  const { path, tip, isBack, middle } = wayThrough(stops);
  const mark = [MARKS[look], label].filter((each) => each !== undefined && each !== '').join(' ');
  return (
    <a
      href={href}
      tabIndex={-1}
      class={['arrow', look, `weight-${weight}`, motion, isLit ? 'lit' : ''].filter(Boolean).join(' ')}
      onPointerEnter={onNear}
    >
      <title>{cleanText(title)}</title>
      <path class="reach" d={path} />
      <path d={path} />
      <path class="tip" d={`M${tip.x} ${tip.y}l${isBack ? 9 : -9} -5v10z`} />
      {mark !== '' && (
        <text class={MARKS[look] === undefined ? 'quiet' : ''} x={middle.x} y={middle.y}>
          {mark}
        </text>
      )}
    </a>
  );
}

/** From side to side through every stop. A way to a column before goes in on the right. */
function wayThrough(stops: readonly Stop[]) {
  const [first = { x: 0, y: 0 }] = stops;
  const last = stops.at(-1) ?? first;
  const isBack = last.x < first.x;
  const isBeside = last.x === first.x;
  const inner = stops.slice(1, -1).flatMap(({ x, y }) => {
    const sides = [
      { x, y },
      { x: x + NODE.width, y },
    ];
    return isBack ? sides.reverse() : sides;
  });
  const start = { x: first.x + (isBack ? 0 : NODE.width), y: first.y };
  const end = { x: last.x + (isBack || isBeside ? NODE.width : 0), y: last.y };
  const points = [start, ...inner, { ...end, x: end.x + (isBack || isBeside ? 7 : -7) }];
  let path = `M${start.x} ${start.y}`;
  for (const [at, point] of points.slice(1).entries()) {
    const from = points[at] ?? start;
    const bend = isBeside ? BEND : (point.x - from.x) / 2;
    path += `C${from.x + bend} ${from.y} ${point.x - (isBeside ? -bend : bend)} ${point.y} ${point.x} ${point.y}`;
  }
  const [near = start, far = end] = points.slice(0, 2);
  const middle = isBeside
    ? { x: start.x + 42, y: (start.y + end.y) / 2 }
    : { x: (near.x + far.x) / 2, y: (near.y + far.y) / 2 };
  return { path, tip: { x: end.x, y: end.y }, isBack: isBack || isBeside, middle };
}

const DIRECTIONS: Readonly<Record<string, readonly [number, number]>> = {
  ArrowLeft: [-1, 0],
  ArrowRight: [1, 0],
  ArrowUp: [0, -1],
  ArrowDown: [0, 1],
};

/** To the nearest node in the direction of the key. */
function moveFocus(event: KeyboardEvent & { readonly currentTarget: SVGSVGElement }): void {
  const direction = DIRECTIONS[event.key];
  const from = document.activeElement;
  if (direction === undefined || from?.matches('.node') !== true) return;
  const centre = (node: Element) => {
    const { x, y, width, height } = node.getBoundingClientRect();
    return [x + width / 2, y + height / 2] as const;
  };
  const [x, y] = centre(from);
  const costs = [...event.currentTarget.querySelectorAll<SVGAElement>('.node')].flatMap((node) => {
    const [dx, dy] = [centre(node)[0] - x, centre(node)[1] - y];
    const along = dx * direction[0] + dy * direction[1];
    const across = Math.abs(dx * direction[1]) + Math.abs(dy * direction[0]);
    return along > 1 ? [{ node, cost: along + 3 * across }] : [];
  });
  costs.sort((a, b) => a.cost - b.cost)[0]?.node.focus();
  event.preventDefault();
}
