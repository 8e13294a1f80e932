import { useEffect, useRef, useState } from 'preact/hooks';
import type { Job } from '../../answers.js';
import { post, request } from '../api.js';
import { cleanText } from '../clean-text.js';
import { jobChanges } from '../live.js';
import { AnswerView } from '../parts/answer-view.js';
import { Copy } from '../parts/copy.js';
import { Countdown } from '../parts/countdown.js';
import { FilterInstant, Filters, useChoices } from '../parts/filters.js';
import { Heading } from '../parts/heading.js';
import { List } from '../parts/list.js';
import { Name } from '../parts/name.js';
import { Time } from '../parts/time.js';
import { pathOf } from '../query.js';
import { saveAs } from '../save-as.js';
import { useAnswer } from '../use-answer.js';
import { AuditPlaces } from './audit.js';

/** The report of a period for an audit: the files of `scopemesh evidence`, made beside the daemon. */
export function EvidencePage() {
  const [{ from, to }, , set] = useChoices({ from: '', to: '' });
  const answer = useAnswer('/api/jobs', {}, false);
  const [said, setSaid] = useState('');
  const rows = answer.value?.rows ?? [];
  const isRunning = rows.some(({ state }) => state === 'running');
  const { reload } = answer;
  // The question itself is from after the first of them.
  const steps = jobChanges.value;
  const first = useRef(steps);
  useEffect(() => {
    if (steps !== first.current) reload();
  }, [steps]);
  const start = async () => {
    try {
      await post('/api/jobs/evidence', { from, ...(to === '' ? {} : { to }) });
      setSaid('');
    } catch (error) {
      setSaid(error instanceof Error ? error.message : String(error));
    }
    reload();
  };
  return (
    <>
      <AuditPlaces />
      <Heading title="Evidence">Evidence for an audit</Heading>
      <p class="soft">
        Who had which access, who joined, moved and left, how long revocations took, what was held, approved
        and rejected, the exceptions, and whether the log is intact.
      </p>
      <Filters>
        <FilterInstant label="From" value={from} onChange={set('from')} />
        <FilterInstant label="To" value={to} onChange={set('to')} />
        <div class="filter">
          <span class="soft" role="status">
            {said === '' ? 'Without an end: until now' : cleanText(said)}
          </span>
          <button type="button" class="button" disabled={from === '' || isRunning} onClick={start}>
            Make the report
          </button>
        </div>
      </Filters>
      {from !== '' && (
        <Copy text={`scopemesh evidence --from ${from}${to === '' ? '' : ` --to ${to}`} --out evidence`} />
      )}
      <AnswerView answer={answer}>
        {() =>
          rows.length === 0 ? (
            <p class="empty">
              There is no report. Choose a period: its report is made beside the daemon and kept for an hour.
            </p>
          ) : (
            rows.map((job) => <Report key={job.id} job={job} />)
          )
        }
      </AnswerView>
    </>
  );
}

function Report({ job }: { readonly job: Job }) {
  const { from, to, by, startedAt, state, verified, error, keptUntil } = job;
  return (
    <section>
      <div class="titled">
        <h2>
          {from} to {to ?? 'now'}
        </h2>
        {state === 'done' ? (
          <span class={verified === true ? 'badge good' : 'badge bad'}>
            {verified === true ? 'log proven' : 'log not proven'}
          </span>
        ) : (
          <span class={state === 'failed' ? 'badge bad' : 'badge'}>{state}</span>
        )}
      </div>
      <p class="soft">
        asked for by <Name text={by} most={80} /> <Time at={startedAt} />
        {state === 'done' && keptUntil !== null && (
          <>
            , kept: <Countdown until={keptUntil} />
          </>
        )}
      </p>
      {state === 'running' && <Progress job={job} />}
      {error !== null && <p role="alert">{cleanText(error)}</p>}
      <Files job={job} />
    </section>
  );
}

function Progress({ job: { checked, of } }: { readonly job: Job }) {
  return (
    <label>
      <progress {...(checked === null || of === null ? {} : { value: checked, max: of })} />{' '}
      <span class="soft">
        {checked === null
          ? 'reading the period'
          : `${checked.toLocaleString()}${of === null ? '' : ` of ${of.toLocaleString()}`} decisions verified`}
      </span>
    </label>
  );
}

function Files({ job: { id, files } }: { readonly job: Job }) {
  const [fault, setFault] = useState('');
  const save = async (name: string) => {
    try {
      saveAs(name, await (await request(pathOf('/api/jobs', id, 'files', name))).blob());
      setFault('');
    } catch (error) {
      setFault(error instanceof Error ? error.message : String(error));
    }
  };
  if (files.length === 0) return null;
  return (
    <>
      <List
        caption="Files"
        rows={files}
        keyOf={({ name }) => name}
        columns={[
          { name: 'File', cell: ({ name }) => <Name text={name} isCode /> },
          { name: 'Size', isNumber: true, cell: ({ bytes }) => sizeText(bytes) },
          {
            name: 'Download',
            cell: ({ name }) => (
              <button type="button" class="button" aria-label={`Save ${name}`} onClick={() => save(name)}>
                Save
              </button>
            ),
          },
        ]}
      />
      {fault !== '' && <p role="alert">{cleanText(fault)}</p>}
    </>
  );
}

function sizeText(bytes: number): string {
  return bytes < 1_000_000 ? `${Math.ceil(bytes / 1_000)} kB` : `${(bytes / 1_000_000).toFixed(1)} MB`;
}
