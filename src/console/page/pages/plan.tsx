import { AnswerView } from '../parts/answer-view.js';
import { Copy } from '../parts/copy.js';
import { Heading } from '../parts/heading.js';
import { PlanRows } from '../parts/plan-rows.js';
import { Section } from '../parts/section.js';
import { WorldNote } from '../parts/world-note.js';
import { useAnswer } from '../use-answer.js';

/** What scopemesh would change in Consul now, and what a guard holds. */
export function PlanPage() {
  const answer = useAnswer('/api/plan', {});
  return (
    <>
      <div class="titled">
        <Heading title="Plan">Plan</Heading>
        <a class="button" href="/what-if">
          What if?
        </a>
      </div>
      <AnswerView answer={answer}>
        {(plan) => (
          <>
            <WorldNote world={plan} />
            <PlanRows
              plan={plan}
              empty={
                plan.complete
                  ? 'Consul equals the identity provider: nothing is to be changed.'
                  : 'No change follows from what is known.'
              }
            />
            <Section title="The same from a full read of both sides">
              <Copy text="scopemesh plan" />
            </Section>
          </>
        )}
      </AnswerView>
    </>
  );
}
