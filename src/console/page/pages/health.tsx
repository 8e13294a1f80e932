import type { ComponentChildren } from 'preact';
import type { Health } from '../../answers.js';
import { durationText } from '../clock.js';
import { AnswerView } from '../parts/answer-view.js';
import { FactList } from '../parts/fact-list.js';
import { Findings } from '../parts/findings.js';
import { Heading } from '../parts/heading.js';
import { Icon } from '../parts/icon.js';
import { List } from '../parts/list.js';
import { Name } from '../parts/name.js';
import { Section } from '../parts/section.js';
import { Time } from '../parts/time.js';
import { Times } from '../parts/times.js';
import { WorldNote } from '../parts/world-note.js';
import { useAnswer } from '../use-answer.js';

/** How scopemesh itself is: what is to be mended first, then how old its knowledge is, its queue, replicas and providers. */
export function HealthPage() {
  const answer = useAnswer('/api/health', {});
  return (
    <>
      <Heading title="Health">{headingOf(answer.value)}</Heading>
      <AnswerView answer={answer}>
        {(health) => (
          <>
            <p class="soft">
              As of <Time at={health.asOf.at} />
            </p>
            <WorldNote world={health} />
            <Findings findings={health.findings} />
            <Section title="How old its knowledge is">
              <List caption="Reads" columns={READS} rows={health.reads} keyOf={({ name }) => name} />
            </Section>
            <Queue queue={health.queue} />
            {health.parked.length > 0 && (
              <List caption="Parked keys" columns={PARKED} rows={health.parked} keyOf={({ key }) => key} />
            )}
            <Replicas health={health} />
            <Section title="Identity providers">
              <List
                caption="Identity providers"
                columns={PROVIDERS}
                rows={health.providers}
                keyOf={({ name }) => name}
              />
            </Section>
          </>
        )}
      </AnswerView>
      <Times />
    </>
  );
}

function headingOf(health: Health | undefined): string {
  if (health === undefined) return 'Health';
  const { findings, complete } = health;
  if (findings.length > 0)
    return `${findings.length === 1 ? 'One thing is' : `${findings.length} things are`} to be mended`;
  return complete ? 'All is well' : 'Not everything is known';
}

/** A mark with its word: green, red, or grey if nobody knows. */
function Mark({
  isGood,
  children,
}: {
  readonly isGood: boolean | null;
  readonly children: ComponentChildren;
}) {
  const [icon, tone] =
    isGood === null
      ? (['unknown', ''] as const)
      : isGood
        ? (['yes', 'good'] as const)
        : (['warn', 'bad'] as const);
  return (
    <span class={`badge ${tone}`}>
      <Icon name={icon} /> {children}
    </span>
  );
}

const when = (at: string | null) => (at === null ? <span class="soft">never</span> : <Time at={at} />);
const ago = (seconds: number) => `${durationText(seconds * 1000)} ago`;

type Read = Health['reads'][number];
const READS = [
  { name: 'What', cell: ({ name }: Read) => <Name text={name} /> },
  {
    name: 'Up to date',
    cell: ({ ageSeconds }: Read) =>
      ageSeconds === null ? <span class="soft">not known</span> : ago(ageSeconds),
  },
  {
    name: 'State',
    cell: ({ isLate }: Read) => (
      <Mark isGood={isLate === null ? null : !isLate}>
        {isLate === null ? 'not known' : isLate ? 'late' : 'in time'}
      </Mark>
    ),
  },
];

function Queue({ queue }: Pick<Health, 'queue'>) {
  const { waiting, delayed, active, parked, unpublished, oldestSeconds } = queue;
  return (
    <Section title="Queue">
      <FactList
        facts={{
          'Keys that wait': waiting.toLocaleString(),
          'Keys at work': active.toLocaleString(),
          'Keys that wait for their time': delayed.toLocaleString(),
          'Parked keys': parked.toLocaleString(),
          'Oldest revocation that is not applied':
            oldestSeconds === null
              ? 'not known'
              : oldestSeconds === 0
                ? 'none'
                : durationText(oldestSeconds * 1000),
          'Decisions that are not in the log yet': unpublished.toLocaleString(),
        }}
      />
    </Section>
  );
}

type Parked = Health['parked'][number];
const PARKED = [
  { name: 'Parked key', cell: ({ key }: Parked) => <Name text={key} isCode /> },
  { name: 'Since', cell: ({ since }: Parked) => <Time at={since} /> },
  { name: 'Attempts', isNumber: true, cell: ({ attempts }: Parked) => attempts.toLocaleString() },
  { name: 'Last error', cell: ({ error }: Parked) => <Name text={error} most={200} /> },
];

function Replicas({ health: { replicas, leading, mappingRevision } }: { readonly health: Health }) {
  return (
    <Section title="Replicas">
      <p>
        {leading === null || !leading.isAlive ? (
          <Mark isGood={false}>no replica leads</Mark>
        ) : (
          <>
            <Name text={leading.replica} isCode /> on <Name text={leading.host} /> leads since{' '}
            <Time at={leading.since} />
          </>
        )}
      </p>
      {replicas.length === 0 ? (
        <p class="empty">No replica has shown itself lately.</p>
      ) : (
        <List
          caption="Replicas"
          columns={replicaColumns(mappingRevision)}
          rows={replicas}
          keyOf={({ replica }) => replica}
        />
      )}
    </Section>
  );
}

type Replica = Health['replicas'][number];
const replicaColumns = (revision: string) => [
  {
    name: 'Replica',
    cell: ({ replica, host }: Replica) => (
      <>
        <Name text={replica} isCode /> <span class="soft">on</span> <Name text={host} />
      </>
    ),
  },
  { name: 'Part', cell: ({ leads }: Replica) => (leads ? <Mark isGood>leads</Mark> : 'stands by') },
  { name: 'Mode', cell: ({ mode }: Replica) => mode },
  {
    name: 'Mapping',
    cell: ({ mappingRevision }: Replica) => (
      <>
        <Name text={mappingRevision} most={24} isCode />{' '}
        {mappingRevision !== revision && <Mark isGood={false}>another one</Mark>}
      </>
    ),
  },
  { name: 'Version', cell: ({ version }: Replica) => <Name text={version} /> },
  { name: 'Started', cell: ({ startedAt }: Replica) => <Time at={startedAt} /> },
  { name: 'Last seen', cell: ({ seenSeconds }: Replica) => ago(seenSeconds) },
];

const STATES = { answers: 'answers', paused: 'refuses', unread: 'cannot be read', unknown: 'not known' };

type Provider = Health['providers'][number];
const PROVIDERS = [
  {
    name: 'Provider',
    cell: ({ name, kind }: Provider) => (
      <>
        <Name text={name} /> <span class="soft">{kind}</span>
      </>
    ),
  },
  {
    name: 'State',
    cell: ({ state, pause, error }: Provider) => (
      <>
        <Mark isGood={state === 'unknown' ? null : state === 'answers'}>{STATES[state]}</Mark>{' '}
        {pause !== null && (
          <>
            since <Time at={pause.since} />, asked again at {new Date(pause.until).toLocaleTimeString()}
          </>
        )}
        {error !== null && <Name text={error} most={160} />}
      </>
    ),
  },
  { name: 'Last event', cell: ({ lastEventAt }: Provider) => when(lastEventAt) },
  { name: 'Last poll', cell: ({ lastPollAt }: Provider) => when(lastPollAt) },
  { name: 'Last complete read', cell: ({ readAt }: Provider) => when(readAt) },
  {
    name: 'Clients',
    isNumber: true,
    cell: ({ clients }: Provider) => (clients === null ? '?' : clients.toLocaleString()),
  },
  { name: 'Rechecks due', isNumber: true, cell: ({ rechecks }: Provider) => rechecks.toLocaleString() },
];
