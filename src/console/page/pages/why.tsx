import type { Explain } from '../../answers.js';
import { cleanText } from '../clean-text.js';
import { AnswerView } from '../parts/answer-view.js';
import { Copy } from '../parts/copy.js';
import { useChoices } from '../parts/filters.js';
import { Heading } from '../parts/heading.js';
import { Icon } from '../parts/icon.js';
import { Name } from '../parts/name.js';
import { Section } from '../parts/section.js';
import { Suggestions } from '../parts/suggestions.js';
import { useQuestion } from '../parts/use-question.js';
import { WorldNote } from '../parts/world-note.js';
import { address } from '../router.js';
import { useAnswer } from '../use-answer.js';

const DEFAULTS = { from: '', to: '', method: '', path: '' };
type Question = typeof DEFAULTS;

/** Why a call passes, or why it is refused: whose turn it is, and what to do. */
export function WhyPage() {
  const [asked, choose] = useChoices<Question>(DEFAULTS);
  const isWhole = asked.from !== '' && asked.to !== '';
  const answer = useAnswer(isWhole ? '/api/explain' : undefined, asked);
  return (
    <>
      <Heading title={isWhole ? `Why ${asked.from} to ${asked.to}` : 'Why'}>
        {isWhole ? (
          <>
            <Name text={asked.from} /> <Icon name="arrow" /> <Name text={asked.to} />{' '}
            <span class="soft">
              {asked.method} {asked.path !== '' && <Name text={asked.path} />}
            </span>
          </>
        ) : (
          'Why is a call refused?'
        )}
      </Heading>
      <QuestionForm key={JSON.stringify(asked)} asked={asked} ask={choose} />
      {isWhole ? (
        <AnswerView answer={answer}>
          {(explained) => <Explained asked={asked} explained={explained} />}
        </AnswerView>
      ) : (
        <p class="empty">
          Name two services. The answer is each step from the claim in Consul to the intention, and the first
          one that is missing.
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
  const { typed, field, onSubmit } = useQuestion(asked, ask);
  return (
    <form class="question" onSubmit={onSubmit}>
      <label>
        <span class="soft">Caller</span>
        <input {...field('from')} required list="names-from" placeholder="web" />
        <Suggestions id="names-from" text={typed.from} />
      </label>
      <label>
        <span class="soft">calls</span>
        <input {...field('to')} required list="names-to" placeholder="orders" />
        <Suggestions id="names-to" text={typed.to} />
      </label>
      <label class="short">
        <span class="soft">Method</span>
        <input {...field('method')} list="methods" placeholder="any" />
        <datalist id="methods">
          {['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'].map((method) => (
            <option key={method} value={method} />
          ))}
        </datalist>
      </label>
      <label>
        <span class="soft">Path</span>
        <input {...field('path')} placeholder="any" />
      </label>
      <button type="submit" class="button first">
        Ask
      </button>
    </form>
  );
}

const STEPS: Readonly<Record<Explain['steps'][number]['name'], string>> = {
  claim: 'Claim',
  client: 'Client',
  scope: 'Scope',
  rule: 'Rule',
  intention: 'Intention',
  arrival: 'Arrival',
};

const TURNS: Readonly<Record<NonNullable<Explain['remedy']>['who'], string>> = {
  'identity-provider': 'the administrator of the identity provider',
  mapping: 'whoever keeps the mapping of scopemesh',
  service: 'the owner of the calling service',
  consul: 'the operator of Consul',
  scopemesh: 'the operator of scopemesh',
  person: 'a person who may approve',
};

function Explained({ asked, explained }: { readonly asked: Question; readonly explained: Explain }) {
  const { steps, firstBroken, remedy } = explained;
  const broken = steps.find(({ name }) => name === firstBroken);
  const isUnknown = broken === undefined && steps.some(({ ok }) => ok === null);
  const tone = broken !== undefined ? 'bad' : isUnknown ? 'unknown' : 'good';
  return (
    <>
      <WorldNote world={explained} />
      <div class={`verdict ${tone}`}>
        <Icon name={tone === 'bad' ? 'no' : tone === 'good' ? 'yes' : 'unknown'} />
        <div>
          <h2 class="big">
            {tone === 'bad' && 'Refused'}
            {tone === 'good' && 'Allowed'}
            {tone === 'unknown' && 'Not known'}
          </h2>
          {broken !== undefined && <p>{cleanText(broken.text)}</p>}
        </div>
      </div>
      {remedy !== null && (
        <section class="remedy">
          <h2>It is the turn of {TURNS[remedy.who]}</h2>
          <p>{cleanText(remedy.what)}</p>
          {remedy.command !== null && <Copy text={remedy.command} />}
        </section>
      )}
      <ol class="steps">
        {steps.map(({ name, ok, text }) => (
          <li key={name} class={ok === null ? 'step' : ok ? 'step good' : 'step bad'}>
            <span class="dot">
              <Icon name={ok === null ? 'unknown' : ok ? 'yes' : 'no'} />
            </span>
            <div>
              <h3>
                {STEPS[name]}{' '}
                <span class="unseen">{ok === null ? 'is not known' : ok ? 'is there' : 'is missing'}</span>
              </h3>
              <p>{cleanText(text)}</p>
            </div>
          </li>
        ))}
      </ol>
      <Section title="For a ticket">
        <Copy text={ticketOf(asked, explained, broken?.text)} />
        <Copy text={commandOf(asked)} />
      </Section>
    </>
  );
}

/** A sentence that says it all to somebody who has never seen this page. */
function ticketOf(
  { from, to, method, path }: Question,
  { remedy, asOf }: Explain,
  broken: string | undefined,
) {
  const call = [from, 'calling', to, method, path].filter((part) => part !== '').join(' ');
  const why = broken === undefined ? 'the mesh allows it' : broken.replace(/\.$/, '');
  const what = remedy === null ? '' : ` To do: ${remedy.what}`;
  return cleanText(`${call}: ${why}.${what} As of ${asOf.at}, ${address.value.href}`);
}

function commandOf({ from, to, method, path }: Question): string {
  const words = [
    from,
    to,
    ...(method === '' ? [] : ['--method', method]),
    ...(path === '' ? [] : ['--path', path]),
  ];
  return `scopemesh explain ${words.map(quoted).join(' ')}`;
}

/** A name from outside as one word of a shell. */
function quoted(word: string): string {
  return /^[\w./:@-]+$/.test(word) ? word : `'${cleanText(word).replaceAll("'", `'\\''`)}'`;
}
