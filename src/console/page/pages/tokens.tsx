import type { TokenRow, Tokens } from '../../answers.js';
import { cleanText } from '../clean-text.js';
import { AnswerView } from '../parts/answer-view.js';
import { Countdown } from '../parts/countdown.js';
import { FilterBox, FilterChoice, Filters, useChoices } from '../parts/filters.js';
import { Heading } from '../parts/heading.js';
import { List, Pages } from '../parts/list.js';
import { Name } from '../parts/name.js';
import { Plot, PlotLine, ROUND } from '../parts/plot.js';
import { Section } from '../parts/section.js';
import { Time } from '../parts/time.js';
import { WorldNote } from '../parts/world-note.js';
import { pathOf } from '../query.js';
import { useAnswer } from '../use-answer.js';

const DEFAULTS = { kind: 'static', q: '', cursor: '' };
const KINDS = [
  ['static', 'static'],
  ['management', 'management'],
  ['anonymous', 'anonymous'],
  ['login', 'of a login'],
] as const;

/** The ACL tokens of Consul on their way to zero: which static ones there are, and what would take their place. */
export function TokensPage() {
  const [chosen, choose, set] = useChoices(DEFAULTS);
  const answer = useAnswer('/api/tokens', chosen, false);
  return (
    <>
      <Heading title="Tokens">{headingOf(answer.value)}</Heading>
      <AnswerView answer={answer}>
        {(tokens) => (
          <>
            <p class="soft">
              As of <Time at={tokens.asOf.at} />, {sumOf(tokens.counts)}. No page has the secret of a token.
            </p>
            <WorldNote world={tokens} />
            <Trend days={tokens.days} givesTokens={tokens.givesTokens} />
            <Filters>
              <FilterChoice
                label="Kind"
                value={chosen.kind}
                options={KINDS}
                onChange={(kind) => choose({ kind, cursor: '' })}
              />
              <FilterBox label="Token" hint="ID, text, rule, service" value={chosen.q} onChange={set('q')} />
            </Filters>
            <List
              caption="ACL tokens"
              columns={chosen.kind === 'static' ? STATIC_COLUMNS : COLUMNS}
              rows={tokens.rows}
              keyOf={({ accessorId }) => accessorId}
              empty={
                chosen.kind === 'static' && chosen.q === ''
                  ? 'No static token is left: every caller of Consul logs in.'
                  : 'Consul has no such token.'
              }
            />
            <Pages shown={tokens.rows.length} total={tokens.total} next={tokens.next} />
          </>
        )}
      </AnswerView>
    </>
  );
}

function headingOf(tokens: Tokens | undefined): string {
  if (tokens === undefined) return 'Tokens';
  const count = staticOf(tokens.counts);
  if (count === 0) return 'No static token is left';
  const named = `${count.toLocaleString()} static ${count === 1 ? 'token' : 'tokens'}`;
  return tokens.replaceable === 0
    ? named
    : `${named}: a login could replace ${tokens.replaceable.toLocaleString()} now`;
}

type Counts = Tokens['days'][number]['counts'];
const staticOf = (counts: Counts) => (counts.static ?? 0) + (counts['static-expiring'] ?? 0);
const sumOf = (counts: Tokens['counts']) =>
  `${counts.login.toLocaleString()} of logins, ${counts.management.toLocaleString()} of management`;

/** How many there were on each day. scopemesh's own token is not among them. */
function Trend({ days, givesTokens }: Pick<Tokens, 'days' | 'givesTokens'>) {
  const [first, ...more] = days;
  const last = more.at(-1);
  if (first === undefined || last === undefined)
    return (
      <p class="soft">
        {!givesTokens
          ? 'scopemesh gives out no tokens here. With login: on in its configuration a service logs in by its client, and needs no static token.'
          : first === undefined
            ? 'scopemesh counts the tokens of each day. No day is counted yet.'
            : `scopemesh counts the tokens of each day, since ${first.day}. A trend needs a second day.`}
      </p>
    );
  const at = ({ day }: Tokens['days'][number]) => Date.parse(day);
  const high = Math.max(4, ...days.flatMap(({ counts }) => [staticOf(counts), counts.login ?? 0]));
  const step = ROUND.find((each) => high / each <= 5) ?? high;
  const ticks = Array.from({ length: Math.floor(high / step) + 1 }, (_, index) => index * step);
  return (
    <Section title="Trend">
      <Plot
        name="Static tokens and tokens of logins, by day"
        {...{ from: at(first), to: at(last), low: 0, high }}
        ticks={ticks.map((count) => [count, count.toLocaleString()])}
        legend="Static tokens (thick), tokens of logins (dashed)."
      >
        {(x, y) => (
          <>
            <PlotLine tone="thick" points={days.map((day) => [x(at(day)), y(staticOf(day.counts))])} />
            <PlotLine tone="dashed" points={days.map((day) => [x(at(day)), y(day.counts.login ?? 0)])} />
          </>
        )}
      </Plot>
      <details>
        <summary>By day</summary>
        <List caption="Tokens by day" columns={DAYS} rows={days.toReversed()} keyOf={({ day }) => day} />
      </details>
    </Section>
  );
}

type Day = Tokens['days'][number];
const DAYS = [
  { name: 'Day', cell: ({ day }: Day) => day },
  { name: 'Static', isNumber: true, cell: ({ counts }: Day) => staticOf(counts).toLocaleString() },
  {
    name: 'Management',
    isNumber: true,
    cell: ({ counts }: Day) => (counts.management ?? 0).toLocaleString(),
  },
  { name: 'Logins', isNumber: true, cell: ({ counts }: Day) => (counts.login ?? 0).toLocaleString() },
];

const TOKEN = {
  name: 'Token',
  cell: ({ accessorId, description, inUseHere, authMethod, services }: TokenRow) => (
    <>
      <Name text={accessorId} isCode most={40} /> <Name text={description} most={60} />
      {authMethod !== null && (
        <span class="soft">
          {' '}
          by <Name text={authMethod} most={40} />
        </span>
      )}
      {inUseHere && <span class="badge">scopemesh uses it</span>}
      {services.map(({ name, client }) => (
        <p key={name} class="soft">
          for{' '}
          <a href={pathOf('/services', name)}>
            <Name text={name} most={40} />
          </a>
          , which claims {client === null ? 'no client' : <Name text={client.id} most={40} />}
        </p>
      ))}
    </>
  ),
};
const AGE = {
  name: 'Created',
  cell: ({ createdAt, expiresAt }: TokenRow) => (
    <>
      <Time at={createdAt} />
      <p class="soft">{expiresAt === null ? 'never ends' : <Countdown until={expiresAt} />}</p>
    </>
  ),
};
const MAY = {
  name: 'May',
  cell: ({ can, rules }: TokenRow) =>
    can === null ? (
      <span class="soft">not known</span>
    ) : (
      <>
        {can.length === 0 && <span class="soft">nothing</span>}
        {can.map((rule) => (
          <span class="chip" key={rule}>
            {cleanText(rule)}
          </span>
        ))}
        {rules > can.length && <span class="soft">and {(rules - can.length).toLocaleString()} more</span>}
      </>
    ),
};
const INSTEAD = {
  name: 'Instead',
  cell: ({ instead, replaceableBy, inUseHere }: TokenRow) =>
    inUseHere ? (
      <span class="soft">nothing</span>
    ) : instead === null ? (
      <span class="soft">not known</span>
    ) : replaceableBy === null ? (
      cleanText(instead)
    ) : (
      <a href={pathOf('/clients', replaceableBy.provider, replaceableBy.id)}>{cleanText(instead)}</a>
    ),
};
const COLUMNS = [TOKEN, AGE, MAY];
const STATIC_COLUMNS = [...COLUMNS, INSTEAD];
