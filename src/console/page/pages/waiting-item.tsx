import { useState } from 'preact/hooks';
import type { WaitingRow } from '../../answers.js';
import { post } from '../api.js';
import { cleanText } from '../clean-text.js';
import { type Act, ActForm } from '../parts/act-form.js';
import { AnswerView } from '../parts/answer-view.js';
import { Countdown } from '../parts/countdown.js';
import { FactList } from '../parts/fact-list.js';
import { Heading } from '../parts/heading.js';
import { Icon } from '../parts/icon.js';
import { Chips, ClientLink, Name } from '../parts/name.js';
import { Time } from '../parts/time.js';
import { rule, titleOf, WORDS } from '../parts/waiting.js';
import { WorldNote } from '../parts/world-note.js';
import { pathOf } from '../query.js';
import { useAnswer } from '../use-answer.js';
import { Difference } from './changes.js';

/** One thing that waits: what will change, for whom, since when, who asked or approved first, and the ruling. */
export function WaitingItemPage({ id }: { readonly id: string }) {
  const answer = useAnswer('/api/holds/{id}', { id });
  const isOver = answer.fault?.code === 'NotFound' && answer.value !== undefined;
  return (
    <>
      <p class="crumbs">
        <a href="/waiting">Waiting</a>
      </p>
      {answer.value === undefined && <Heading title="Waiting">Waiting</Heading>}
      {isOver && (
        <p class="note" role="status">
          <Icon name="yes" /> <span>This does not wait for a person any more.</span>
        </p>
      )}
      <AnswerView answer={isOver ? { ...answer, fault: undefined, isOld: false } : answer}>
        {(row) => (
          <>
            <div class="titled">
              <Heading title={titleOf(row)}>{cleanText(titleOf(row))}</Heading>
              <span class={`badge ${row.isOpen ? 'warn' : 'bad'}`}>{row.reason ?? WORDS[row.kind]}</span>
            </div>
            <WorldNote world={row} />
            <Facts row={row} />
            <Difference before={row.before} after={row.after} />
            <Ruling row={row} since={row.asOf.at} reload={answer.reload} />
          </>
        )}
      </AnswerView>
    </>
  );
}

function Facts({ row }: { readonly row: WaitingRow }) {
  const { since, until, by, firstApproval, rejectedBy, client, scopes, detail, decision, approvers } = row;
  const facts = {
    Since: since === null ? undefined : <Time at={since} />,
    Ends: until === null ? undefined : <Countdown until={until} />,
    'Asked by': by === null ? undefined : <Name text={by} most={120} />,
    'Approved first by':
      firstApproval === null ? undefined : (
        <>
          <Name text={firstApproval.by} most={120} />, <Time at={firstApproval.at} />
          {firstApproval.comment !== null && <>: {cleanText(firstApproval.comment)}</>}
        </>
      ),
    'Rejected by': rejectedBy === null ? undefined : <Name text={rejectedBy} most={120} />,
    Needs: approvers > 1 ? 'two persons; who asks or approves first is one of them' : undefined,
    Client: client === null ? undefined : <ClientLink client={client} />,
    Scopes: scopes.length === 0 ? undefined : <Chips names={scopes} />,
    Why: detail === null ? undefined : cleanText(detail),
    Decision: decision === null ? undefined : <a href={pathOf('/changes', decision)}>how it began</a>,
  };
  return <FactList facts={facts} />;
}

interface Ruled {
  readonly row: WaitingRow;
  readonly since: string;
  readonly reload: () => void;
}

function Ruling({ row, since, reload }: Ruled) {
  const { kind, may, rejectedBy, client, from, to, id, fingerprint, subject } = row;
  const [isAnyway, setAnyway] = useState(false);
  const end = (name: string, action: string, path: string, body: (comment: string) => object): Act => ({
    ...{ name, tone: 'danger', right: may[action] },
    async send(comment) {
      const said = (await post(path, body(comment))) as { needsSecond?: true };
      const isFirst = said.needsSecond === true;
      return [
        isFirst
          ? { what: 'Your approval is kept, and another person must approve too' }
          : { what: 'Ended by you', subject, since },
      ];
    },
  });
  const acts: Act[] = [];
  if (may.approve !== undefined)
    acts.push({
      ...{ name: 'Approve', tone: 'first' },
      right: rejectedBy === null || isAnyway ? may.approve : `${rejectedBy} rejected it`,
      send: (comment) => rule('approve', [row], comment, since, rejectedBy !== null && isAnyway),
    });
  if (may.reject !== undefined)
    acts.push({
      name: 'Reject',
      tone: '',
      right: may.reject,
      send: (comment) => rule('reject', [row], comment, since),
    });
  if (kind === 'quarantine' && client !== null) {
    const path = `${pathOf('/api/quarantines', client.provider, client.id)}/release`;
    acts.push(end('End the quarantine', 'release', path, (comment) => ({ comment, fingerprint })));
  }
  if (kind === 'break-glass' && !row.isOpen)
    acts.push(
      end('End it', 'endBreakGlass', `${pathOf('/api/break-glass', id)}/end`, (reason) => ({ reason })),
    );
  if (kind === 'deny')
    acts.push(
      end('End the deny', 'endDeny', '/api/denies/end', (reason) => ({
        source: from,
        destination: to,
        reason,
        fingerprint,
      })),
    );
  if (kind === 'freeze')
    acts.push(end('End the freeze', 'unfreeze', '/api/freeze/end', (reason) => ({ reason, fingerprint })));
  return (
    <section>
      <ActForm acts={acts} onSent={reload}>
        {rejectedBy !== null && (
          <label>
            <input
              type="checkbox"
              checked={isAnyway}
              onChange={({ currentTarget }) => setAnyway(currentTarget.checked)}
            />{' '}
            Approve it although <Name text={rejectedBy} /> rejected it
          </label>
        )}
      </ActForm>
    </section>
  );
}
