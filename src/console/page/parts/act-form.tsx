import type { ComponentChildren } from 'preact';
import { useState } from 'preact/hooks';
import { ApiFault } from '../api.js';
import { cleanText } from '../clean-text.js';
import { durationText } from '../clock.js';
import { pathOf } from '../query.js';
import { leaveForLogin, loginAddress, readAgain, session, takeTyped } from '../session.js';
import { useAnswer } from '../use-answer.js';
import { announce } from './announce.js';
import { FaultNote } from './answer-view.js';
import { Icon } from './icon.js';

/** What was done, and where its effect shows: in the first decision about the subject after the instant. */
export interface Done {
  readonly what: string;
  readonly subject?: string | undefined;
  readonly since?: string | undefined;
}

export interface Act {
  readonly name: string;
  readonly tone: 'first' | 'danger' | '';
  /** `true`, or why the person may not. */
  readonly right: true | string | undefined;
  /** Resolves with one line for each thing that was done. Throws an ApiFault. */
  readonly send: (comment: string) => Promise<readonly Done[]>;
}

interface Form {
  readonly acts: readonly Act[];
  readonly children?: ComponentChildren;
  /** After an act, also one that failed: what is shown may be old. */
  readonly onSent?: () => void;
}

/** Why, and what to do. What was done stays in place of the form; an error keeps the text. */
export function ActForm({ acts, children, onSent }: Form) {
  const [comment, setComment] = useState(() => takeTyped({ comment: '' }).comment);
  const [isSending, setSending] = useState(false);
  const [fault, setFault] = useState<ApiFault>();
  const [done, setDone] = useState<readonly Done[]>();
  if (done !== undefined)
    return (
      <ul class="done">
        {done.map((each, at) => (
          <DoneLine key={at} done={each} />
        ))}
      </ul>
    );
  const send = async (act: Act) => {
    setSending(true);
    setFault(undefined);
    try {
      const results = await act.send(comment.trim());
      setDone(results);
      announce(results.map(({ what }) => what).join('. '));
    } catch (error) {
      const refused = error instanceof ApiFault ? error : new ApiFault(0, 'Page', String(error));
      setFault(refused);
      // The sign-in may have become too old meanwhile.
      if (refused.status === 403) await readAgain();
    }
    setSending(false);
    onSent?.();
  };
  const { again } = session();
  return (
    <form class="act" onSubmit={(event) => event.preventDefault()}>
      {children}
      <label>
        <span class="soft">Why</span>
        <input
          name="comment"
          required
          maxLength={500}
          autocomplete="off"
          placeholder="Kept in the log, with your name"
          value={comment}
          onInput={({ currentTarget }) => setComment(currentTarget.value)}
        />
      </label>
      <p class="buttons">
        {acts.map((act) => (
          <button
            key={act.name}
            type="button"
            class={`button ${act.tone}`}
            disabled={act.right !== true || isSending || comment.trim() === ''}
            onClick={() => send(act)}
          >
            {act.name}
          </button>
        ))}
      </p>
      {again === null
        ? acts.map(({ name, right }) => right !== true && <WhyNot key={name} name={name} why={right} />)
        : acts.length > 0 && (
            <p class="soft">
              You signed in too long ago for a change.{' '}
              <a
                href={loginAddress(again, true)}
                onClick={({ currentTarget }) => leaveForLogin(currentTarget.closest('form'))}
              >
                Sign in again
              </a>{' '}
              and come back here.
            </p>
          )}
      {fault !== undefined && <FaultNote fault={fault} />}
    </form>
  );
}

function WhyNot({
  name,
  why = 'this cannot be done',
}: {
  readonly name: string;
  readonly why: string | undefined;
}) {
  return (
    <p class="soft">
      <Icon name="no" /> {name}: {cleanText(why)}
    </p>
  );
}

const SETTLED = new Set(['applied', 'refused', 'failed', 'unknown']);

/** What a person did, and its effect once it is decided. */
function DoneLine({ done: { what, subject, since } }: { readonly done: Done }) {
  const isAsked = subject !== undefined && since !== undefined;
  const { value } = useAnswer(isAsked ? '/api/decisions' : undefined, { since: since ?? '', limit: 200 });
  const made = value?.rows.findLast((row) => row.subject === subject && SETTLED.has(row.outcome));
  const decision = made ?? value?.rows.find((row) => row.subject === subject);
  return (
    <li>
      <Icon
        name={made === undefined || made.outcome === 'applied' || made.outcome === 'refused' ? 'yes' : 'warn'}
      />{' '}
      <strong>{cleanText(what)}</strong>
      {made?.outcome === 'applied' && made.latencyMs !== null && (
        <>
          , {made.kind === 'intention' ? 'in Consul' : 'decided'} after {durationText(made.latencyMs)}
        </>
      )}
      {(made?.outcome === 'failed' || made?.outcome === 'unknown') && <>, but the write {made.outcome}</>}
      {decision !== undefined && (
        <>
          {' '}
          <a href={pathOf('/changes', decision.id)}>decision</a>
        </>
      )}
    </li>
  );
}
