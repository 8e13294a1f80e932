import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import { Chips, Name } from '../parts/name.js';
import { StateBadge } from '../parts/sign.js';
import { asService, useMapChoices } from './choices.js';
import { type Cursor, type Grid, moved, showing, toGrid, type View } from './matrix-view.js';
import { EVERYONE, type Link, type Net } from './net.js';
import { paint } from './paint-matrix.js';
import { Links, pick } from './tables.js';
import { ZoomButtons } from './zoom-buttons.js';

/** In pixels: the sizes of a cell, the largest one, and the whole image. */
const CELLS = [1, 3, 8, 20];
const WIDEST = 36;
const MOST_WIDE = 760;

/** Every edge as a point: rows call columns. An image, with one real cell at the cursor. */
export function Matrix({ net }: { readonly net: Net }) {
  const [chosen, choose] = useMapChoices();
  const grid = useMemo(
    () =>
      toGrid(
        net.services.filter(({ name }) => name !== EVERYONE),
        net.links,
      ),
    [net],
  );
  const { order } = grid;
  const canvas = useRef<HTMLCanvasElement>(null);
  const table = useRef<HTMLTableElement>(null);
  const placeOf = (name: string) =>
    Math.max(
      0,
      order.findIndex((each) => asService(each.name) === name),
    );
  const [cursor, setCursor] = useState<Cursor>({ row: placeOf(chosen.from), column: placeOf(chosen.to) });
  const [zoom, setZoom] = useState(0);
  const [view, setView] = useState<View>({ cell: 1, row: 0, column: 0 });
  const size = () => ({ width: canvas.current?.clientWidth ?? 1, height: canvas.current?.clientHeight ?? 1 });
  const go = (next: Cursor, level = zoom) => {
    const { width, height } = size();
    const whole = Math.min(WIDEST, width / order.length, height / order.length);
    const cell = level === 0 ? whole : (CELLS.filter((each) => each > whole)[level - 1] ?? WIDEST);
    setCursor(next);
    setZoom(level);
    setView(level === 0 ? { cell, row: 0, column: 0 } : showing({ ...view, cell }, next, { width, height }));
  };
  const last = order.length - 1;
  const at = { row: Math.min(cursor.row, last), column: Math.min(cursor.column, last) };
  const paintNow = () => canvas.current !== null && paint(canvas.current, grid, view, at);
  useEffect(() => go(at), [order.length]);
  useEffect(() => {
    paintNow();
    const dark = matchMedia('(prefers-color-scheme: dark)');
    const fit = () => go(at);
    dark.addEventListener('change', paintNow);
    window.addEventListener('resize', fit);
    return () => {
      dark.removeEventListener('change', paintNow);
      window.removeEventListener('resize', fit);
    };
  });
  const [from, to] = [order[at.row], order[at.column]];
  if (from === undefined || to === undefined) return <p class="empty">No service is like this.</p>;
  const link = grid.at(at.row, at.column);
  const open = () => choose({ from: asService(from.name), to: asService(to.name) });
  const step = (by: 1 | -1) => go(at, Math.max(0, Math.min(CELLS.length, zoom + by)));
  const onKeyDown = (event: KeyboardEvent) => {
    const next = moved(grid, at, event.key, event.ctrlKey);
    if (next !== undefined) go(next);
    else if (event.key === 'Enter') open();
    else return;
    event.preventDefault();
  };
  const onPointerDown = ({ offsetX, offsetY }: PointerEvent) => {
    table.current?.focus();
    go({
      row: Math.max(0, Math.min(last, Math.floor(offsetY / view.cell) + view.row)),
      column: Math.max(0, Math.min(last, Math.floor(offsetX / view.cell) + view.column)),
    });
  };
  return (
    <>
      <GoTo grid={grid} from={from.name} to={to.name} go={go} />
      <div class="grid">
        <table
          ref={table}
          // biome-ignore lint/a11y/noNoninteractiveElementToInteractiveRole: of its cells only the one at the cursor is here
          role="grid"
          tabIndex={0}
          aria-label="Rows call columns. Arrow keys move, with Ctrl to the next edge; Enter says why."
          aria-rowcount={order.length}
          aria-colcount={order.length}
          aria-activedescendant="cell"
          onKeyDown={onKeyDown}
        >
          <tbody>
            <tr aria-rowindex={at.row + 1}>
              <th scope="row">
                <Name text={from.name} />
              </th>
              <th scope="col" aria-colindex={at.column + 1}>
                → <Name text={to.name} />
              </th>
              <td id="cell" aria-colindex={at.column + 1}>
                <CellText link={link} />
              </td>
            </tr>
          </tbody>
        </table>
        <canvas
          ref={canvas}
          style={{ maxWidth: `${Math.min(MOST_WIDE, order.length * WIDEST)}px` }}
          onPointerDown={onPointerDown}
          onDblClick={open}
        />
      </div>
      <ZoomButtons step={step} fit={() => go(at, 0)} />
      <Links links={net.links} empty="No service may call another one." />
    </>
  );
}

function CellText({ link }: { readonly link: Link | undefined }) {
  if (link === undefined) return <span class="soft">no edge</span>;
  return (
    <>
      <StateBadge state={link.sign.state} /> <Chips names={link.scopes} />{' '}
      <a href={pick(link)} tabIndex={-1}>
        why
      </a>
    </>
  );
}

interface Places {
  readonly grid: Grid;
  readonly from: string;
  readonly to: string;
  readonly go: (cursor: Cursor) => void;
}

/** To a cell by the names of its row and column. */
function GoTo({ grid: { order }, from, to, go }: Places) {
  const placeOf = (name: unknown) => order.findIndex((each) => each.name === name);
  return (
    <form
      class="filters"
      key={`${from} ${to}`}
      onSubmit={(event) => {
        event.preventDefault();
        const form = new FormData(event.currentTarget);
        const [row, column] = [placeOf(form.get('row')), placeOf(form.get('column'))];
        if (row >= 0 && column >= 0) go({ row, column });
      }}
    >
      {(['row', 'column'] as const).map((name) => (
        <label class="filter" key={name}>
          <span class="soft">{name === 'row' ? 'Row: caller' : 'Column: called'}</span>
          <input name={name} defaultValue={name === 'row' ? from : to} autocomplete="off" />
        </label>
      ))}
      <button type="submit" class="button">
        Go
      </button>
    </form>
  );
}
