import { cleanText } from '../clean-text.js';
import { AnswerView } from '../parts/answer-view.js';
import { Icon } from '../parts/icon.js';
import { Chips, Name } from '../parts/name.js';
import { Outlives } from '../parts/outlives.js';
import { StateBadge } from '../parts/sign.js';
import { Time } from '../parts/time.js';
import { pathOf } from '../query.js';
import { useAnswer } from '../use-answer.js';
import { asGroup, asService, isService, type MapChoices, mapWith, nameIn } from './choices.js';
import type { Link, Net, Vertex } from './net.js';
import { Links } from './tables.js';

/** Beside the picture: why an arrow is there. */
export function Panel({ net, chosen: { from, to } }: { readonly net: Net; readonly chosen: MapChoices }) {
  if (from === '' || to === '') return null;
  const isOf = (end: Vertex, chosen: string) =>
    chosen === asService(end.name) || chosen === asGroup(end.group);
  const links = net.links.filter((link) => isOf(link.from, from) && isOf(link.to, to));
  const isPair = isService(from) && isService(to);
  return (
    <aside class="panel" aria-label="The arrow">
      <div class="titled">
        <h2>
          <Name text={nameIn(from)} /> <Icon name="arrow" /> <Name text={nameIn(to)} />
        </h2>
        <a class="button" href={mapWith({ from: '', to: '' })} aria-label="Close">
          <Icon name="close" />
        </a>
      </div>
      {isPair ? (
        <Reason from={nameIn(from)} to={nameIn(to)} link={links[0]} />
      ) : (
        <Links links={links} empty="There is no edge between them." />
      )}
    </aside>
  );
}

interface Pair {
  readonly from: string;
  readonly to: string;
  /** Undefined: there is no such edge now. */
  readonly link: Link | undefined;
}

function Reason({ from, to, link }: Pair) {
  const isWildcard = from === '*' || to === '*';
  const why = useAnswer(isWildcard ? undefined : '/api/explain', { from, to });
  return (
    <>
      <p>
        {link === undefined ? <span class="badge">no edge</span> : <StateBadge state={link.sign.state} />}{' '}
        <Chips names={link?.scopes ?? []} />
      </p>
      {!isWildcard && (
        <AnswerView answer={why}>
          {({ steps, remedy }) => (
            <>
              <ul class="reasons">
                {steps.map(({ name, ok, text }) => (
                  <li key={name} class={ok === true ? 'good' : ok === false ? 'bad' : ''}>
                    <Icon name={ok === true ? 'yes' : ok === false ? 'no' : 'unknown'} />
                    <span>
                      <b>{name}</b> {cleanText(text)}
                    </span>
                  </li>
                ))}
              </ul>
              {remedy !== null && <p class="remedy">{cleanText(remedy.what)}</p>}
            </>
          )}
        </AnswerView>
      )}
      <LastDecision from={from} to={to} />
      <p class="links">
        <a href={`/why?${new URLSearchParams({ from, to })}`}>why</a>
        <a href={pathOf('/reach', from)}>reach of the caller</a>
      </p>
    </>
  );
}

/** The newest decision about an edge, and what of the access goes on after it. */
function LastDecision({ from, to }: { readonly from: string; readonly to: string }) {
  const { value } = useAnswer('/api/decisions', { service: from, kind: 'intention', limit: 100 });
  const row = value?.rows.find((each) => each.from === from && each.to === to);
  const { value: decision } = useAnswer(row === undefined ? undefined : '/api/decisions/{id}', {
    id: row?.id ?? '',
  });
  if (row === undefined)
    return value === undefined ? null : (
      <p class="soft">
        None of the last {value.rows.length} decisions about {cleanText(from)} is about this edge.{' '}
        <a href={`/changes?${new URLSearchParams({ service: from })}`}>All of them</a>
      </p>
    );
  return (
    <>
      <p>
        <a href={pathOf('/changes', row.id)}>
          {row.reason}, {row.outcome}
        </a>{' '}
        <span class="soft">
          <Time at={row.time} />
        </span>
      </p>
      <Outlives decision={decision} />
    </>
  );
}
