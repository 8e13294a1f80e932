import type { WhatIf } from '../../answers.js';
import { cleanText } from '../clean-text.js';
import { AnswerView } from '../parts/answer-view.js';
import { Copy } from '../parts/copy.js';
import { useChoices } from '../parts/filters.js';
import { Heading } from '../parts/heading.js';
import { Chips } from '../parts/name.js';
import { PlanRows } from '../parts/plan-rows.js';
import { Section } from '../parts/section.js';
import { useQuestion } from '../parts/use-question.js';
import { WorldNote } from '../parts/world-note.js';
import { useAnswer } from '../use-answer.js';

const DEFAULTS = { client: '', add: '', remove: '', state: '', rule: '' };
type Question = typeof DEFAULTS;

/** What would change if a client, a scope or a rule were another one. Nothing is written. */
export function WhatIfPage() {
  const [asked, choose] = useChoices<Question>(DEFAULTS);
  const { client, add, remove, state, rule } = asked;
  const isWhole = rule !== '' || (client !== '' && add + remove + state !== '');
  const answer = useAnswer(isWhole ? '/api/what-if' : undefined, asked);
  return (
    <>
      <Heading title="What if">What if?</Heading>
      <QuestionForm key={JSON.stringify(asked)} asked={asked} ask={choose} />
      {isWhole ? (
        <AnswerView answer={answer}>{(simulated) => <Simulated simulated={simulated} />}</AnswerView>
      ) : (
        <p class="empty">
          Name a client and what changes of it, or give a rule. The daemon plans it and writes nothing.
        </p>
      )}
    </>
  );
}

interface Form {
  readonly asked: Question;
  readonly ask: (question: Question) => void;
}

function QuestionForm({ asked, ask }: Form) {
  const { field, onSubmit } = useQuestion(asked, ask);
  return (
    <form class="question" onSubmit={onSubmit}>
      <label>
        <span class="soft">Client</span>
        <input {...field('client')} placeholder="main/web-app" />
      </label>
      <label>
        <span class="soft">gets the scopes</span>
        <input {...field('add')} placeholder="orders:write" />
      </label>
      <label>
        <span class="soft">loses the scopes</span>
        <input {...field('remove')} placeholder="orders:read" />
      </label>
      <label class="short">
        <span class="soft">and is</span>
        <select {...field('state')}>
          <option value="">as it is</option>
          <option value="disabled">disabled</option>
          <option value="quarantined">in quarantine</option>
        </select>
      </label>
      <label>
        <span class="soft">Further rules</span>
        <textarea {...field('rule')} rows={2} placeholder='"orders:write": { to: orders }' />
      </label>
      <button type="submit" class="button first">
        Simulate
      </button>
    </form>
  );
}

const PLACES: Readonly<Record<WhatIf['real'][number]['where'], string>> = {
  'identity-provider': 'At the identity provider',
  mapping: 'In the mapping',
  scopemesh: 'In scopemesh',
};

function Simulated({ simulated }: { readonly simulated: WhatIf }) {
  const { assumptions, alreadyPending, cancelled, reach, notes, real } = simulated;
  return (
    <>
      <WorldNote world={simulated} />
      <p>If {assumptions.map(cleanText).join(', and ')}:</p>
      <PlanRows plan={simulated} empty="This opens, changes and closes nothing." />
      {alreadyPending + cancelled > 0 && (
        <p class="soft">
          {alreadyPending} changes there are <a href="/plan">pending</a> without it, and it makes {cancelled}{' '}
          needless.
        </p>
      )}
      {reach !== null && (
        <Section title="What the client reaches, over any number of calls">
          <p>
            {reach.before} services before, {reach.after} after.
          </p>
          {reach.gained.length > 0 && (
            <p>
              New: <Chips names={reach.gained} />
            </p>
          )}
          {reach.lost.length > 0 && (
            <p>
              No more: <Chips names={reach.lost} />
            </p>
          )}
          {reach.protected.length > 0 && (
            <p class="warned">
              Protected services among them: <Chips names={reach.protected} />
            </p>
          )}
        </Section>
      )}
      <Section title="To make it real">
        {real.map(({ where, what, command }) => (
          <div key={what}>
            <p>
              <strong>{PLACES[where]}.</strong> {cleanText(what)}
            </p>
            <Copy text={cleanText(command)} />
          </div>
        ))}
      </Section>
      {notes.map((note) => (
        <p class="soft" key={note}>
          {note}
        </p>
      ))}
    </>
  );
}
