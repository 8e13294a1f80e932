import type { Edge } from '../../answers.js';
import { cleanText, cutMiddle } from '../clean-text.js';
import { AnswerView } from '../parts/answer-view.js';
import { Edges } from '../parts/edges.js';
import { useChoices } from '../parts/filters.js';
import { Heading } from '../parts/heading.js';
import { Name } from '../parts/name.js';
import { Suggestions } from '../parts/suggestions.js';
import { WorldNote } from '../parts/world-note.js';
import { pathOf } from '../query.js';
import { useAnswer } from '../use-answer.js';

const DEFAULTS = { focus: '' };

/** One service in the middle, who may call it on the left, whom it may call on the right. */
export function MapPage() {
  const [{ focus }, choose] = useChoices(DEFAULTS);
  const name = focus.replace(/^service:/, '');
  return (
    <>
      <div class="titled">
        <Heading title={name === '' ? 'Map' : `Map of ${name}`}>
          {name === '' ? 'Map' : <Name text={name} />}
        </Heading>
        <form
          key={name}
          class="jump"
          onSubmit={(event) => {
            event.preventDefault();
            const next = new FormData(event.currentTarget).get('name');
            if (typeof next === 'string' && next !== '') choose({ focus: `service:${next}` });
          }}
        >
          <input
            name="name"
            list="names-focus"
            aria-label="Service in the middle"
            placeholder="another service"
          />
          <Suggestions id="names-focus" text="" />
        </form>
      </div>
      {name === '' ? <Start /> : <Focus key={name} name={name} />}
    </>
  );
}

/** Without a service in the middle: those with the most callers. */
function Start() {
  const answer = useAnswer('/api/services', { sort: '-callers', limit: 24 });
  return (
    <AnswerView answer={answer}>
      {(services) => (
        <>
          <WorldNote world={services} />
          <p class="soft">Choose the service in the middle. These have the most callers.</p>
          <ul class="tiles">
            {services.rows.map(({ name, callers, calls }) => (
              <li key={name}>
                <a class="tile" href={mapOf(name)}>
                  <Name text={name} />{' '}
                  <span class="soft">
                    {callers} in, {calls} out
                  </span>
                </a>
              </li>
            ))}
          </ul>
        </>
      )}
    </AnswerView>
  );
}

const mapOf = (name: string) => `/map?${new URLSearchParams({ focus: `service:${name}` })}`;

function Focus({ name }: { readonly name: string }) {
  const answer = useAnswer('/api/services/{name}', { name });
  return (
    <AnswerView answer={answer}>
      {(found) => (
        <>
          <WorldNote world={found} />
          <Picture name={name} callers={found.in} callees={found.out} />
          <Legend />
          <div class="beside">
            <section>
              <h2>
                May call it <span class="count">{found.in.length}</span>
              </h2>
              <Edges edges={found.in} empty="No service may call it." />
            </section>
            <section>
              <h2>
                It may call <span class="count">{found.out.length}</span>
              </h2>
              <Edges edges={found.out} empty="It may call no service." />
            </section>
          </div>
        </>
      )}
    </AnswerView>
  );
}

/** More on one side cannot be read. The list below has all of them. */
const MOST = 40;
const WIDTH = 1000;
const NODE = { width: 250, height: 34, gap: 12 };
const PITCH = NODE.height + NODE.gap;
const COLUMNS = { left: 1, middle: (WIDTH - NODE.width) / 2, right: WIDTH - NODE.width - 1 };

interface Drawn {
  readonly name: string;
  readonly callers: readonly Edge[];
  readonly callees: readonly Edge[];
}

/** The same edges give the same picture: each side is in the order of its names. */
function Picture({ name, callers, callees }: Drawn) {
  const left = sideOf(callers, ({ from }) => from);
  const right = sideOf(callees, ({ to }) => to);
  const rows = Math.max(left.length, right.length, 1);
  const height = rows * PITCH + NODE.gap;
  const middle = height / 2;
  const y = (side: readonly unknown[], at: number) => middle + (at - (side.length - 1) / 2) * PITCH;
  return (
    <figure>
      <svg class="picture" viewBox={`0 0 ${WIDTH} ${height}`}>
        <title>The edges of the lists below, as a picture</title>
        {left.map(({ edge }, at) => (
          <Arrow
            key={`to ${at}`}
            edge={edge}
            x1={COLUMNS.left + NODE.width}
            y1={y(left, at)}
            x2={COLUMNS.middle}
            y2={middle}
          />
        ))}
        {right.map(({ edge }, at) => (
          <Arrow
            key={`from ${at}`}
            edge={edge}
            x1={COLUMNS.middle + NODE.width}
            y1={middle}
            x2={COLUMNS.right}
            y2={y(right, at)}
          />
        ))}
        <Node name={name} x={COLUMNS.middle} y={middle} isMiddle />
        {left.map((node, at) => (
          <Node key={node.name} name={node.name} x={COLUMNS.left} y={y(left, at)} />
        ))}
        {right.map((node, at) => (
          <Node key={node.name} name={node.name} x={COLUMNS.right} y={y(right, at)} />
        ))}
      </svg>
    </figure>
  );
}

function sideOf(edges: readonly Edge[], nameOf: (edge: Edge) => string) {
  return edges
    .map((edge) => ({ edge, name: nameOf(edge) }))
    .toSorted((a, b) => (a.name < b.name ? -1 : 1))
    .slice(0, MOST);
}

interface Placed {
  readonly name: string;
  readonly x: number;
  readonly y: number;
  readonly isMiddle?: boolean;
}

function Node({ name, x, y, isMiddle = false }: Placed) {
  const text = cutMiddle(cleanText(name), 28);
  return (
    <a href={isMiddle ? pathOf('/services', name) : mapOf(name)} class={isMiddle ? 'node middle' : 'node'}>
      <title>{cleanText(name)}</title>
      <rect x={x} y={y - NODE.height / 2} width={NODE.width} height={NODE.height} rx="9" />
      <text x={x + NODE.width / 2} y={y}>
        {text}
      </text>
    </a>
  );
}

interface Line {
  readonly edge: Edge;
  readonly x1: number;
  readonly y1: number;
  readonly x2: number;
  readonly y2: number;
}

/** Thick for all of a service, thin for some requests; the state by the line and by a letter, never by colour alone. */
function Arrow({ edge: { state, access }, x1, y1, x2, y2 }: Line) {
  const bend = (x2 - x1) / 2;
  const tip = x2 - 7;
  const letter = LETTERS[state];
  return (
    <g class={`arrow ${state} ${access}`}>
      <path d={`M${x1} ${y1}C${x1 + bend} ${y1} ${x2 - bend} ${y2} ${tip} ${y2}`} />
      <path class="tip" d={`M${x2 - 1} ${y2}l-9 -5v10z`} />
      {letter !== undefined && (
        <text x={(x1 + x2) / 2} y={(y1 + y2) / 2}>
          {letter}
        </text>
      )}
    </g>
  );
}

const LETTERS: Readonly<Partial<Record<Edge['state'], string>>> = {
  held: '‖',
  foreign: 'F',
  'break-glass': '!',
  closed: '×',
};

const LEGEND: readonly (readonly [style: string, meaning: string])[] = [
  ['open all', 'everything'],
  ['open http', 'some requests'],
  ['held', '‖ held'],
  ['foreign', 'F of somebody else'],
  ['break-glass', '! break-glass'],
  ['closed', '× closed'],
];

function Legend() {
  return (
    <ul class="legend" aria-label="Legend">
      {LEGEND.map(([style, meaning]) => (
        <li key={style}>
          <svg viewBox="0 0 40 12" aria-hidden="true">
            <g class={`arrow ${style}`}>
              <path d="M1 6h30" />
              <path class="tip" d="M39 6l-9 -5v10z" />
            </g>
          </svg>
          {meaning}
        </li>
      ))}
    </ul>
  );
}
