import type { Latency } from '../../answers.js';
import { cleanText } from '../clean-text.js';
import { durationText } from '../clock.js';
import { pathOf } from '../query.js';
import { useAnswer } from '../use-answer.js';
import { AnswerView } from './answer-view.js';
import { FilterInstant, Filters, useChoices } from './filters.js';
import { List } from './list.js';
import { Name } from './name.js';
import { Section } from './section.js';
import { Time } from './time.js';
import { TimesPlot } from './times-plot.js';

/** How long changes took, from the log of decisions. */
export function Times() {
  const [{ from, to }, , set] = useChoices({ from: '', to: '' });
  const answer = useAnswer('/api/latency', { from, to }, to === '');
  return (
    <Section title="Time to enforce">
      <p class="soft">
        From the event of the identity provider to the answer of Consul. Without a choice: the last day.
      </p>
      <Filters>
        <FilterInstant label="From" value={from} onChange={set('from')} />
        <FilterInstant label="To" value={to} onChange={set('to')} />
      </Filters>
      <AnswerView answer={answer}>
        {(latency) => (
          <>
            {latency.completeSince !== null && (
              <p class="note warn" role="note">
                More decisions are in this time than one answer reads: the numbers are complete since{' '}
                {new Date(latency.completeSince).toLocaleString()}.
              </p>
            )}
            {latency.unknown.map((sentence) => (
              <p class="soft" key={sentence}>
                {cleanText(sentence)}
              </p>
            ))}
            {latency.all.count === 0 ? (
              <p class="empty">No event changed access in this time.</p>
            ) : (
              <>
                <TimesPlot {...latency} />
                <List
                  caption="Time to enforce"
                  columns={COLUMNS}
                  rows={[{ from: '', to: '', ...latency.all }, ...latency.buckets]}
                  keyOf={({ from: begin }) => begin}
                />
                <h3>The slowest</h3>
                <List caption="The slowest" columns={SLOWEST} rows={latency.slowest} keyOf={({ id }) => id} />
              </>
            )}
          </>
        )}
      </AnswerView>
    </Section>
  );
}

type Bucket = Latency['buckets'][number];
const percentile = (name: string, field: 'p50Ms' | 'p95Ms' | 'p99Ms' | 'maxMs') => ({
  ...{ name, isNumber: true },
  cell: (bucket: Bucket) => durationText(bucket[field] ?? 0),
});
function partText(from: string, to: string): string {
  const timeStyle = Date.parse(to) - Date.parse(from) < 60_000 ? 'medium' : 'short';
  const begin = new Date(from).toLocaleString(undefined, { dateStyle: 'short', timeStyle });
  return `${begin} to ${new Date(to).toLocaleTimeString(undefined, { timeStyle })}`;
}
const COLUMNS = [
  {
    name: 'Time',
    cell: ({ from, to }: Bucket) => (from === '' ? <strong>all</strong> : partText(from, to)),
  },
  { name: 'Changes', isNumber: true, cell: ({ count }: Bucket) => count.toLocaleString() },
  percentile('p50', 'p50Ms'),
  percentile('p95', 'p95Ms'),
  percentile('p99', 'p99Ms'),
  percentile('Slowest', 'maxMs'),
];

type Slow = Latency['slowest'][number];
const SLOWEST = [
  {
    name: 'Decision',
    cell: ({ id, subject }: Slow) => (
      <a href={pathOf('/changes', id)}>
        <Name text={subject} />
      </a>
    ),
  },
  { name: 'When', cell: ({ time }: Slow) => <Time at={time} /> },
  { name: 'Took', isNumber: true, cell: ({ ms }: Slow) => durationText(ms) },
];
