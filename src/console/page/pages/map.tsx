import { useMemo, useState } from 'preact/hooks';
import type { Mesh } from '../../answers.js';
import { read } from '../api.js';
import { Around } from '../mesh/around.js';
import { focusOn, mapWith, nameIn, useMapChoices } from '../mesh/choices.js';
import { Everything, Islands } from '../mesh/islands.js';
import { Legend } from '../mesh/legend.js';
import { Matrix } from '../mesh/matrix.js';
import { filtered, toNet } from '../mesh/net.js';
import { Panel } from '../mesh/panel.js';
import { Scopes } from '../mesh/scopes.js';
import { Links } from '../mesh/tables.js';
import { announce } from '../parts/announce.js';
import { AnswerView } from '../parts/answer-view.js';
import { FilterBox, FilterChoice, Filters } from '../parts/filters.js';
import { Heading } from '../parts/heading.js';
import { Name } from '../parts/name.js';
import { Suggestions } from '../parts/suggestions.js';
import { WorldNote } from '../parts/world-note.js';
import { navigate } from '../router.js';
import { useAnswer } from '../use-answer.js';

/** With more services the groups come first: names would be too small to read. */
const MOST_NAMED = 40;
const HOPS = [
  ['1', 'one step'],
  ['2', 'two steps'],
  ['3', 'three steps'],
] as const;

/** Who may call whom, as pictures; each has a table of the same rows. */
export function MapPage() {
  const [chosen, choose] = useMapChoices();
  const name = nameIn(chosen.focus);
  const isAround = name !== '' && chosen.lens !== 'list';
  const hidden = useMemo(() => new Set(chosen.hide.split(',').filter(Boolean)), [chosen.hide]);
  const answer = useAnswer('/api/map', name === '' ? {} : { focus: name, hops: chosen.hops });
  return (
    <>
      <div class="titled">
        <Heading title={name === '' ? 'Map' : `Map of ${name}`}>
          {name === '' ? 'Map' : <Name text={name} />}
        </Heading>
        <Jump key={name} />
      </div>
      <AnswerView answer={answer}>
        {(mesh) => (
          <>
            <WorldNote world={mesh} />
            <Lenses mesh={mesh} name={name} />
            <Filters>
              {name === '' && (
                <FilterBox
                  label="Find"
                  hint="part of a name"
                  value={chosen.find}
                  onChange={(find) => choose({ find }, true)}
                />
              )}
              {isAround && (
                <FilterChoice
                  label="Around it"
                  value={chosen.hops}
                  options={HOPS}
                  onChange={(hops) => choose({ hops })}
                />
              )}
              {chosen.open !== '' && (
                <a class="button" href={mapWith({ open: '', from: '', to: '' })}>
                  All groups
                </a>
              )}
              <Legend hidden={hidden} choose={(hide) => choose({ hide }, true)} />
            </Filters>
            <Shown mesh={mesh} name={name} hidden={hidden} />
          </>
        )}
      </AnswerView>
    </>
  );
}

interface Seen {
  readonly mesh: Mesh;
  /** Of the service in the middle; empty: of none. */
  readonly name: string;
}

function lensOf({ mesh, name }: Seen, lens: string): string {
  if (lens !== '') return lens;
  if (name !== '') return 'focus';
  return mesh.total.services <= MOST_NAMED ? 'map' : 'groups';
}

function Lenses({ mesh, name }: Seen) {
  const [{ lens }] = useMapChoices();
  const here = lensOf({ mesh, name }, lens);
  const lenses = [
    ...(name === '' ? [] : ['focus']),
    ...(mesh.total.services <= MOST_NAMED ? ['map'] : []),
    'groups',
    'scopes',
    'matrix',
    'list',
  ];
  return (
    <nav class="tabs" aria-label="Lenses">
      {lenses.map((each) => (
        <a
          key={each}
          href={mapWith({
            lens: each,
            from: '',
            to: '',
            ...(each === 'focus' || each === 'list' ? {} : { focus: '' }),
          })}
          {...(each === here ? { 'aria-current': 'page' } : {})}
        >
          {each}
        </a>
      ))}
      <span class="soft">
        {mesh.total.services.toLocaleString()} services, {mesh.total.edges.toLocaleString()} edges
      </span>
    </nav>
  );
}

function Shown({ mesh, name, hidden }: Seen & { readonly hidden: ReadonlySet<string> }) {
  const [chosen] = useMapChoices();
  const whole = useMemo(() => toNet(mesh), [mesh]);
  const net = useMemo(
    () => filtered(whole, { find: chosen.find, hide: hidden }),
    [whole, chosen.find, hidden],
  );
  const lens = lensOf({ mesh, name }, chosen.lens);
  return (
    <div class={chosen.from === '' ? 'map' : 'map with-panel'}>
      <div class="lens">
        {lens === 'focus' && <Around mesh={mesh} name={name} hops={Number(chosen.hops)} hidden={hidden} />}
        {lens === 'map' && <Everything key={chosen.find} net={net} />}
        {lens === 'groups' && <Islands key={chosen.find} net={net} open={chosen.open} />}
        {lens === 'scopes' && <Scopes key={chosen.find} net={net} scope={chosen.scope} />}
        {lens === 'matrix' && <Matrix key={chosen.find} net={net} />}
        {lens === 'list' && <Links links={net.links} empty="No edge is like this." />}
      </div>
      <Panel net={whole} chosen={chosen} />
    </div>
  );
}

/** To a service by a part of its name: the one of this name, or the first that has it. */
function Jump() {
  const [text, setText] = useState('');
  const go = async () => {
    const { rows } = await read('/api/services', { q: text, limit: 100 });
    const found = rows.find(({ name }) => name === text) ?? rows[0];
    if (found === undefined) announce('No service has this in its name');
    else navigate(focusOn(found.name));
  };
  return (
    <form
      class="jump"
      onSubmit={(event) => {
        event.preventDefault();
        if (text !== '') void go();
      }}
    >
      <input
        name="name"
        list="names-focus"
        aria-label="Service in the middle"
        placeholder="a service for the middle"
        autocomplete="off"
        value={text}
        onInput={({ currentTarget }) => setText(currentTarget.value)}
      />
      <Suggestions id="names-focus" text={text} />
    </form>
  );
}
