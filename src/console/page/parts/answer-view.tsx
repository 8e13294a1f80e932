import type { ComponentChildren } from 'preact';
import type { ApiFault } from '../api.js';
import type { Answer } from '../use-answer.js';
import { Icon } from './icon.js';

interface Viewed<T> {
  readonly answer: Answer<T>;
  readonly children: (value: T) => ComponentChildren;
}

/** An answer in each of its states: not there yet, there, old, or refused. What is unknown never looks empty. */
export function AnswerView<T>({ answer, children }: Viewed<T>) {
  const { value, fault, isOld, reload } = answer;
  return (
    <>
      {fault !== undefined && <FaultNote fault={fault} retry={reload} />}
      {value === undefined && fault === undefined && <Skeleton />}
      {value !== undefined && (
        <div class={isOld ? 'answer old' : 'answer'} aria-busy={isOld && fault === undefined}>
          {children(value)}
        </div>
      )}
    </>
  );
}

function Skeleton() {
  return (
    <div class="skeleton" aria-hidden="true">
      <i />
      <i />
      <i />
    </div>
  );
}

const TITLES: Readonly<Record<string, string>> = {
  NotLeading: 'This replica does not lead',
  NotReconciling: 'This process does not reconcile',
  NotFound: 'There is no such thing',
  Busy: 'Too many questions at once',
  Denied: 'Consul does not show this to scopemesh',
  Unreachable: 'The daemon does not answer',
};

/** A question that has no answer, and what to do about it. */
export function FaultNote({ fault, retry }: { readonly fault: ApiFault; readonly retry?: () => void }) {
  const title =
    fault.status === 403 ? 'Your role does not allow this' : (TITLES[fault.code] ?? 'This cannot be shown');
  return (
    <div class="note bad" role="alert">
      <Icon name="warn" />
      <div>
        <strong>{title}</strong>
        <p>{fault.message}</p>
        {fault.leader !== undefined && (
          <p>
            The leader: <a href={fault.leader}>{fault.leader}</a>
          </p>
        )}
      </div>
      {retry !== undefined && (
        <button type="button" class="button" onClick={retry}>
          Try again
        </button>
      )}
    </div>
  );
}
