import type { Status } from '../../answers.js';
import { cleanText } from '../clean-text.js';
import { Section } from './section.js';
import { Time } from './time.js';

/** What is not as it should be, each with its remedy. */
export function Findings({ findings }: Pick<Status, 'findings'>) {
  if (findings.length === 0) return null;
  return (
    <Section title="To mend" count={findings.length}>
      <ul class="rows">
        {findings.map(({ what, since, remedy }) => (
          <li class="row finding" key={what}>
            <p>
              <strong>{cleanText(what)}</strong>
              {since !== null && (
                <span class="soft">
                  {' '}
                  since <Time at={since} />
                </span>
              )}
            </p>
            <p class="soft">{cleanText(remedy)}</p>
          </li>
        ))}
      </ul>
    </Section>
  );
}
