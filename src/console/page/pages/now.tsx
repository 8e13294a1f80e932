import type { Status } from '../../answers.js';
import { cleanText } from '../clean-text.js';
import { durationText } from '../clock.js';
import { status, statusFault } from '../live.js';
import { AnswerView, FaultNote } from '../parts/answer-view.js';
import { Decisions } from '../parts/decisions.js';
import { Findings } from '../parts/findings.js';
import { Heading } from '../parts/heading.js';
import { Icon, type IconName } from '../parts/icon.js';
import { Name } from '../parts/name.js';
import { Time } from '../parts/time.js';
import { WorldNote } from '../parts/world-note.js';
import { useAnswer } from '../use-answer.js';

/** One sentence: is Consul equal to the identity provider? Then what waits for a person, and what changed last. */
export function NowPage() {
  const last = useAnswer('/api/decisions', { limit: 8 });
  const present = status.value;
  return (
    <>
      {statusFault.value !== undefined && <FaultNote fault={statusFault.value} />}
      {present === undefined ? <Heading title="Now">Now</Heading> : <Present status={present} />}
      <section>
        <div class="titled">
          <h2>Last changes</h2> <a href="/changes">All changes</a>
        </div>
        <AnswerView answer={last}>
          {({ rows }) => (
            <Decisions
              rows={rows}
              empty="Nothing has changed yet. Take a scope from a client, and the closed edge is here."
            />
          )}
        </AnswerView>
      </section>
    </>
  );
}

function Present({ status: present }: { readonly status: Status }) {
  const { findings, complete, asOf, waiting } = present;
  const isGood = findings.length === 0 && complete;
  return (
    <>
      <div class={isGood ? 'verdict good' : complete ? 'verdict warn' : 'verdict unknown'}>
        <Icon name={isGood ? 'yes' : complete ? 'warn' : 'unknown'} />
        <div>
          <Heading title="Now">{sentenceOf(present)}</Heading>
          <p class="soft">
            As of <Time at={asOf.at} />
          </p>
        </div>
      </div>
      <WorldNote world={present} />
      <Findings findings={findings} />
      <section>
        <div class="titled">
          <h2>Waits for a person</h2> <a href="/waiting">All that waits</a>
        </div>
        <ul class="tiles">
          <Tile name="held changes" count={waiting.holds} icon="hold" href="/changes?outcome=held" />
          <Tile name="wait for a person" count={waiting.approvals} icon="waiting" href="/waiting?kind=hold" />
          <Tile name="quarantines" count={waiting.quarantines} icon="no" href="/waiting?kind=quarantine" />
          <Tile name="break-glass" count={waiting.breakGlass} icon="warn" href="/waiting?kind=break-glass" />
        </ul>
      </section>
      <Health status={present} />
    </>
  );
}

function sentenceOf({ findings, complete, mode, ownedEdges }: Status): string {
  if (!complete) return 'It is not known whether Consul equals the identity provider';
  if (findings.length > 0)
    return `${findings.length === 1 ? 'One thing keeps' : `${findings.length} things keep`} Consul from the state that the identity provider says`;
  if (mode === 'observe') return 'Nothing is written: scopemesh observes';
  return `Consul equals the identity provider: ${ownedEdges.toLocaleString()} ${ownedEdges === 1 ? 'edge' : 'edges'}`;
}

interface Counted {
  readonly name: string;
  readonly count: number;
  readonly icon: IconName;
  readonly href: string;
}

function Tile({ name, count, icon, href }: Counted) {
  return (
    <li>
      <a class={count === 0 ? 'tile' : 'tile some'} href={href}>
        <Icon name={icon} />
        <b>{count.toLocaleString()}</b> <span>{name}</span>
      </a>
    </li>
  );
}

function Health({ status: { leader, directories, queue, mode } }: { readonly status: Status }) {
  const marks: readonly { readonly name: string; readonly isGood: boolean | null; readonly text: string }[] =
    [
      {
        name: 'Leader',
        isGood: leader !== null,
        text: leader === null ? 'none' : `${leader.replica} on ${leader.host}`,
      },
      { name: 'Mode', isGood: mode === 'enforce' ? true : null, text: mode },
      {
        name: 'Queue',
        isGood: queue.parked === 0,
        text: `${queue.active} active, ${queue.waiting} waiting, ${queue.delayed} later, ${queue.parked} parked`,
      },
      ...directories.map(({ provider, ageSeconds, clients, isLate }) => ({
        name: provider,
        isGood: !isLate,
        text:
          ageSeconds === null
            ? 'never read completely'
            : `${clients.toLocaleString()} clients, read ${durationText(ageSeconds * 1000)} ago`,
      })),
    ];
  return (
    <section>
      <div class="titled">
        <h2>Health</h2> <a href="/health">All of health</a>
      </div>
      <dl class="marks">
        {marks.map(({ name, isGood, text }) => (
          <div key={name} class={isGood === null ? 'mark-of' : isGood ? 'mark-of good' : 'mark-of bad'}>
            <dt>
              <Icon name={isGood === null ? 'search' : isGood ? 'yes' : 'warn'} /> <Name text={name} />
            </dt>
            <dd>{cleanText(text)}</dd>
          </div>
        ))}
      </dl>
    </section>
  );
}
